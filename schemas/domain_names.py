"""Domain names in both of their forms (addorder.md 5.5): those that may be registered, and those that may exist."""

import re

import idna

from schemas.order import DomainName

NAME_CHARS_MAX = 253

_PUNYCODE = "xn--"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")


def domain_name(written: str) -> DomainName | None:
    """Lower-case a name and put it into its ASCII (IDNA) and Unicode forms; None if it is no valid domain name.

    A valid name has at least two labels, none of them empty or longer than 63 characters, and no spaces.
    """
    if len(written) > NAME_CHARS_MAX:
        return None
    lower = written.lower()
    # Nearly every name is plain ASCII, and idna takes 30 microseconds to find that out. "--" may be Punycode.
    if "--" not in lower and _PLAIN_NAME.fullmatch(lower):
        return DomainName(lower, lower)
    try:
        ascii_form = idna.encode(lower, uts46=True).decode("ascii")
        unicode_form = idna.decode(ascii_form)
    except UnicodeError:  # what idna raises for every kind of invalid name
        return None
    if "." not in ascii_form or ascii_form.endswith("."):
        return None
    return DomainName(ascii_form, unicode_form)


def existing_domain_name(written: str) -> DomainName | None:
    """Read the name of a domain that somebody may hold: one that IDNA 2008 forbids as well, so that it can be renewed.

    Such are names with emoji, and some from before, as ab--cd.com. None if no domain can have it: in ASCII it must
    be letters, digits and hyphens.
    """
    return domain_name(written) or _forbidden_name(written)


def _forbidden_name(written: str) -> DomainName | None:
    if len(written) > NAME_CHARS_MAX:
        return None
    try:
        labels = _mapped(written).split(".")
    except UnicodeError:
        return None
    ascii_form = ".".join(map(_ascii_label, labels))
    if len(ascii_form) > NAME_CHARS_MAX or _PLAIN_NAME.fullmatch(ascii_form) is None:
        return None
    return DomainName(ascii_form, ".".join(map(_unicode_label, ascii_form.split("."))))


def _mapped(text: str) -> str:
    """Fold as a browser does before it looks a name up (UTS 46), which does not forbid emoji.

    Raises:
        UnicodeError: for a character that no name has, such as a space.
    """
    return idna.uts46_remap(text.lower(), std3_rules=True, transitional=False)


def _ascii_label(label: str) -> str:
    return label if label.isascii() else f"{_PUNYCODE}{label.encode('punycode').decode('ascii')}"


def _unicode_label(label: str) -> str:
    """Undo Punycode, where what it stands for may be shown: nothing that turns text around or is not seen."""
    if not label.startswith(_PUNYCODE):
        return label
    try:
        decoded = label.removeprefix(_PUNYCODE).encode("ascii").decode("punycode")
        is_the_same = _ascii_label(_mapped(decoded)) == label
    except UnicodeError:
        return label
    return decoded if is_the_same else label
