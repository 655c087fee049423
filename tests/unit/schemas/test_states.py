"""States are compared as people write them (addorder.md 5.11)."""

import pytest

from schemas.states import is_state


@pytest.mark.parametrize(
    ("written", "state", "aliases", "same"),
    [
        ("Quebec", "Québec", (), True),
        ("  QUÉBEC\t", "quebec", (), True),
        ("Que\u0301bec", "Qu\u00e9bec", (), True),  # the accent on its own, and in one letter
        ("São Paulo", "SAO PAULO", (), True),
        ("QC", "Quebec", ("QC", "P.Q."), True),
        ("p.q.", "Quebec", ("QC", "P.Q."), True),
        ("Straße", "STRASSE", (), True),
        ("東京", "東京", (), True),
        ("New York", "NewYork", (), False),  # blanks inside count
        ("Quebecois", "Quebec", ("QC",), False),
        ("", "Quebec", ("QC",), False),
    ],
)
def test_case_accents_and_outer_blanks_do_not_count(
    written: str, state: str, aliases: tuple[str, ...], *, same: bool
) -> None:
    assert is_state(written, state, aliases) is same
