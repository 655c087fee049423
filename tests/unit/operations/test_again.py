"""Topic patterns as RabbitMQ reads them (worker/operations/again.py)."""

import pytest

from worker.operations.again import topic


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("#", ["order.added", "email.invoice-created", "a"], []),
        ("order.*", ["order.added"], ["order", "order.a.b", "email.x"]),
        ("email.#", ["email", "email.a", "email.a.b"], ["order.email"]),
        ("#.added", ["added", "order.added", "a.b.added"], ["order.addeds"]),
        ("order.added", ["order.added"], ["order.addedx", "orderxadded"]),
        ("*.*", ["order.added"], ["order", "a.b.c"]),
    ],
)
def test_a_star_is_one_word_and_a_hash_any_number(pattern: str, matching: list[str], others: list[str]) -> None:
    found = {key: topic(pattern).fullmatch(f".{key}") is not None for key in (*matching, *others)}

    assert found == {**dict.fromkeys(matching, True), **dict.fromkeys(others, False)}
