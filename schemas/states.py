"""States and provinces as people write them: case, accents and outer blanks do not count (addorder.md 5.11)."""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

STATES_REMEMBERED_MAX = 10_000


@lru_cache(STATES_REMEMBERED_MAX)
def folded(state: str) -> str:
    """Write a state as it is compared: `Québec` and ` QUEBEC` are `quebec`."""
    letters = unicodedata.normalize("NFKD", state.strip().casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def is_state(written: str, state: str, aliases: Iterable[str]) -> bool:
    """Tell whether it is this state, by its name or another spelling of it."""
    one = folded(written)
    return one == folded(state) or any(one == folded(alias) for alias in aliases)
