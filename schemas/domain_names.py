"""Domain names in both of their forms (addorder.md 5.5)."""

import re

import idna

from schemas.order import DomainName

NAME_CHARS_MAX = 253

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
