"""Whom RabbitMQ vouches for: who may ask without credentials, what, and whose keys they have; as settings write it."""

import difflib
import re
from collections.abc import Iterable, Mapping

from schemas import callers

Actions = frozenset[str] | None  # what somebody may ask; None: everything

# What whoever is trusted by name alone may ask: to order. Whatever changes orders that are there has to be named.
ORDINARY = frozenset({"addorder"})

_ACTION = re.compile("[a-z]{1,64}", re.ASCII)
_ALIKE = 0.85  # addordr, add_order; not acceptorder, which may come to be an action
_FORMS = "write shop (may order), shop=* (may ask everything) or shop=addorder+addinvoicepayment"


def trusted(entries: Iterable[str]) -> dict[str, Actions]:
    """Read who may ask without credentials, and what.

    Raises:
        ValueError: an entry makes no sense; the text says which, and the fix.
    """
    found: dict[str, Actions] = {}
    for entry in entries:
        user, equals, rights = (part.strip() for part in entry.partition("="))
        if not user or "*" in user or re.search(r"\s", user) or "=" in rights:
            raise ValueError(f"{entry} makes no sense: {_FORMS}")
        if user in found:
            raise ValueError(f"{user} is there twice: write all that they may ask in one place, {user}=addorder+…")
        found[user] = _actions(user, rights) if equals else ORDINARY
    return found


def _actions(user: str, rights: str) -> Actions:
    if rights == "*":
        return None
    names = [name.strip().lower() for name in rights.split("+")]
    if "*" in names:
        raise ValueError(f"{user}={rights} makes no sense: * is everything by itself, {user}=*")
    for name in names:
        if meant := misspelt(name):
            raise ValueError(f"{user}={rights}: there is no action {name}; did you mean {meant}?")
        if not _ACTION.fullmatch(name):
            raise ValueError(f"{user}={rights} makes no sense: {_FORMS}")
    return frozenset(names)


def misspelt(name: str) -> str | None:
    """Tell which action somebody meant who wrote one that is none; None: it is one, or like none."""
    close = difflib.get_close_matches(name, ORDINARY, n=1, cutoff=_ALIKE)
    return close[0] if close and name not in ORDINARY else None


def names(entries: Iterable[str], known: Mapping[str, Actions]) -> dict[str, str]:
    """Read whose keys publishers have, of those that are known to be trusted: user → caller.

    Raises:
        ValueError: an entry makes no sense; the text says which, and the fix.
    """
    found: dict[str, str] = {}
    for entry in entries:
        user, colon, name = (part.strip() for part in entry.partition(":"))
        if not (user and colon):
            raise ValueError(
                f"{entry} makes no sense: write storefront:shop, a trusted publisher and the caller's name"
            )
        if user not in known:
            close = difflib.get_close_matches(user, known, n=1)
            meant = f"did you mean {close[0]}?" if close else "add it there"
            raise ValueError(f"{user} is not one of ORDERS_TRUSTED_PUBLISHERS: {meant}")
        if user in found:
            raise ValueError(f"{user} is there twice: a publisher is one caller")
        try:
            found[user] = callers.named(name)
        except ValueError as error:
            raise ValueError(f"{entry} names no caller: {error}") from None
    return found


def in_words(actions: Actions) -> str:
    """Tell what somebody may ask."""
    return "everything" if actions is None else ", ".join(sorted(actions))
