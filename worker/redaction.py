"""What a person may be shown of what others wrote: no secrets, and nothing that drives a terminal."""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_to_bytes

from schemas import add_order, wire
from schemas.rejections import Rejected
from schemas.secret_names import SECRET_NAMES

REDACTED = "•••"

# Parameters that may be base64 of a serialized map: opened, so that a person can read them and secrets are found.
SERIALIZED_NAMES = frozenset({"customfields", "configoptions", "domainfields"})
# Which of a product's fields are passwords is known to the catalogue only, so of all of them none is shown.
UNKNOWN_FIELDS = "customfields"

# By which a credential is found. People type their passwords there, so only one that is in force is shown.
IDENTIFIERS = frozenset({"identifier", "username"})

HEAD_CHARS_MAX = 500  # shown of a text that could not be decoded
HEAD_BYTES = 8  # shown of what is no text: enough to tell gzip or a byte order mark by

_ANY_NAME = "|".join(SECRET_NAMES)  # in any case
# As a word of its own, such as `old_password` or `rootpw[0`; but a domain may be called secretgarden.com.
_NAMED = re.compile(rf"(?<![^\W_])(?:{_ANY_NAME})(?![a-z.])|(?:{_ANY_NAME})$", re.IGNORECASE)
_MENTIONED = re.compile("|".join((*SECRET_NAMES, *sorted(IDENTIFIERS))).encode())
# A name and what gives it a value: password=x, "secret": "x", rootpw[0]=x, <eppcode>, PHP's s:6:"rootpw";s:1:"x".
_ASSIGNED = re.compile(rf"(?:{_ANY_NAME})[^a-z=:>]{{0,12}}(?:[=:>]|s:)".encode())
_ESCAPED = re.compile(rb"\\u00([0-9a-f]{2})", re.IGNORECASE)
_PACKED = re.compile(rb"[a-z0-9+/]{16,}", re.IGNORECASE)

# Whether a name is known to this program. Under one that is not, anybody may have written anything.
Known = Callable[[str], bool]

Shown = str | int | float | bool | None | list["Shown"] | dict[str, "Shown"]


@dataclass(frozen=True, slots=True)
class ReadableBody:
    """A body as it may be shown: its parameters, or else its head, or else only why there is nothing to see."""

    size_bytes: int
    sha256: str
    parameters: dict[str, Shown] | None = None  # None: it could not be decoded
    head: str | None = None  # of its text, or of its bytes in hex; None: nothing may be shown
    note: str = ""


def readable(
    body: bytes,
    content_type: str | None,
    *,
    bytes_max: int,
    identifiers: Collection[str] = (),
    with_unknown: bool = False,
) -> ReadableBody:
    """Decode a request's body for a person, who may see these identifiers of credentials.

    Of parameters that are not known only the names are shown, unless somebody asks for more. What does not decode is
    shown only where it names no secret.
    """
    size, digest = len(body), hashlib.sha256(body).hexdigest()
    if size > bytes_max:
        return ReadableBody(
            size, digest, note=f"not decoded: larger than the {bytes_max} bytes that a request may have"
        )
    try:
        known = None if with_unknown else add_order.is_known
        return ReadableBody(size, digest, parameters=redacted(wire.decode(body, content_type), identifiers, known))
    except Rejected as rejected:
        why = str(rejected)
    if _occurs(_MENTIONED, body):
        return ReadableBody(size, digest, note=f"{why}; not shown, because a secret is named in it")
    return ReadableBody(size, digest, head=_head(body), note=why)


def redacted(
    tree: Mapping[str, Any], identifiers: Collection[str] = (), known: Known | None = None
) -> dict[str, Shown]:
    """Write names and values, at whatever depth, without the values of secrets; of identifiers only these are shown.

    Where it is said which names are `known`, the values of others keep their shape alone.
    """
    shown = _map(tree, serialized=False)
    for name, value in shown.items():
        if known is not None and not known(name):
            shown[name] = _hidden(value)
        elif _plain(name) in IDENTIFIERS and value not in ("", None) and value not in identifiers:
            shown[name] = REDACTED
    return shown


def is_secret(name: str) -> bool:
    return _NAMED.search(_as_meant(name)) is not None or _occurs(_ASSIGNED, name.encode("utf-8", "replace"))


def names(written: Iterable[str]) -> tuple[str, ...]:
    """Write names that the caller made up: behind a secret's name may stand the secret itself."""
    return tuple(_name(name) if is_secret(name) else name for name in written)


def escape_controls(text: str) -> str:
    """Write out what a terminal would obey instead of show: control characters, and those that turn text around."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _map(tree: Mapping[str, Any], *, serialized: bool) -> dict[str, Shown]:
    shown: dict[str, Shown] = {}
    for name, value in tree.items():
        if is_secret(name):
            # That one is empty is no secret, and often the fault.
            shown[_name(name)] = "" if value in ("", {}) else REDACTED
        else:
            readable_value = _value(value, serialized=serialized or _plain(name) in SERIALIZED_NAMES)
            shown[name] = _hidden(readable_value) if _plain(name) == UNKNOWN_FIELDS else readable_value
    return shown


def _hidden(shown: Shown) -> Shown:
    """Keep the shape and the names of a value, and hide the rest."""
    match shown:
        case dict():
            return {name: _hidden(member) for name, member in shown.items()}
        case list():
            return [_hidden(member) for member in shown]
        case "" | None:
            return shown
    return REDACTED


def _name(name: str) -> str:
    """Cut behind the secret's name: the rest may have been meant as its value."""
    meant = _as_meant(name)
    match = _NAMED.search(meant)
    return meant[: match.end()] if match else REDACTED


def _as_meant(name: str) -> str:
    """Write a name in the letters that it looks like: one in full width is read as a secret's by whoever reads it."""
    return unicodedata.normalize("NFKC", name)


def _plain(name: str) -> str:
    return _as_meant(name).lower()


def _value(value: Any, *, serialized: bool) -> Shown:
    """Write a value from the wire or from an AMQP table. `serialized`: a text in it may be a serialized map."""
    if isinstance(value, Mapping):
        return _map(value, serialized=serialized)
    if isinstance(value, wire.Repeated | list | tuple):
        members = value.values if isinstance(value, wire.Repeated) else value
        return [_value(one, serialized=serialized) for one in members]
    if isinstance(value, str):
        return _opened(value) if serialized else _text(value)
    if isinstance(value, bool | int | float | None):
        return value
    return _foreign(value)


def _foreign(value: Any) -> str:
    """Write what AMQP has a type for and JSON has none."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else f"({type(value).__name__})"


def _opened(written: str) -> Shown:
    try:
        return redacted(wire.unserialize_value(written))
    except ValueError:
        return _text(written)


def _text(written: str) -> Shown:
    return REDACTED if _occurs(_ASSIGNED, written.encode("utf-8", "replace")) else written


def _occurs(pattern: re.Pattern[bytes], written: bytes) -> bool:
    return any(pattern.search(view.lower()) for view in _views(written))


def _views(written: bytes) -> Iterator[bytes]:
    """See through what a text may be wrapped in: UTF-16, percent-encoding, JSON's escapes, other letters, base64."""
    bare = unquote_to_bytes(written.replace(b"\0", b""))
    bare = _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), bare)
    yield bare
    if not bare.isascii():
        yield _as_meant(bare.decode("utf-8", "replace")).encode()
    for run in _PACKED.findall(bare.replace(b"-", b"+").replace(b"_", b"/")):
        yield base64.b64decode(run[: len(run) // 4 * 4]).replace(b"\0", b"")


def _head(body: bytes) -> str:
    try:
        return body.decode("utf-8")[:HEAD_CHARS_MAX]
    except UnicodeDecodeError:
        return f"{body[:HEAD_BYTES].hex(' ')} (hex)"
