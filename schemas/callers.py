"""What callers are called: half of the key that makes a second request a repeat. A name stays whose it is."""

import re

# No two kinds can be taken for each other, and what is behind the colon of a given name has no colon itself.
_GIVEN = "caller:"
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_CREDENTIAL = re.compile("credential:([1-9][0-9]{0,17})", re.ASCII)
_PUBLISHER = "publisher:"

NAME_RULE = (
    "a name has letters, digits, dots, dashes and underscores, 64 at most, such as shop; one that there is already is "
    "written as `orders credentials list` does: credential:7, publisher:storefront, caller:shop"
)


def of_credential(credential_id: int) -> str:
    """Name the caller of a credential that was given no other."""
    return f"credential:{credential_id}"


def of_publisher(user: str) -> str:
    """Name the caller of a user of the broker who was given no other."""
    return f"{_PUBLISHER}{user}"


def named(written: str) -> str:
    """Name the caller that a person means: by a name of its own, or as one that there is already.

    Raises:
        ValueError: it is no such name; the text says what one is.
    """
    is_there = _CREDENTIAL.fullmatch(written) or (written.startswith(_PUBLISHER) and written != _PUBLISHER)
    if is_there and written.isprintable():
        return written
    name = written.removeprefix(_GIVEN)
    if not _NAME.fullmatch(name):
        raise ValueError(NAME_RULE)
    return f"{_GIVEN}{name}"


def credential_of(caller: str) -> int | None:
    """Return the id of the credential that a caller is named for; None: it is named for something else."""
    match = _CREDENTIAL.fullmatch(caller)
    return int(match[1]) if match else None
