"""Which action is asked (addorder.md 3, `action`)."""

import pytest

from schemas.rejections import Code, Rejected
from schemas.wire import Tree
from worker.actions.parsers import PARSERS, action_of


@pytest.mark.parametrize("written", ["AddOrder", "addorder", " ADDORDER\n"])
def test_the_body_says_what_is_asked_whatever_key_it_came_under(written: str) -> None:
    assert action_of({"action": written}, "orders.requests") == "addorder"


@pytest.mark.parametrize("tree", [{}, {"action": ""}])
def test_where_the_body_does_not_the_routing_key_says_it(tree: Tree) -> None:
    assert action_of(tree, "order.add") == "addorder"


@pytest.mark.parametrize(
    ("tree", "key"),
    [
        ({"action": "CancelOrders"}, "order.add"),
        ({"action": ["AddOrder"]}, "order.add"),
        ({"action": "  "}, "order.add"),
        ({}, "orders.requests"),
    ],
)
def test_what_names_no_action_is_refused(tree: Tree, key: str) -> None:
    with pytest.raises(Rejected) as rejected:
        action_of(tree, key)

    assert [fault.code for fault in rejected.value.faults] == [Code.UNKNOWN_ACTION]


def test_what_is_parsed_names_the_action_that_it_is_of() -> None:
    for name, parser in PARSERS.items():
        assert parser.parse({"clientid": "1", "pid": "1", "paymentmethod": "paypal"}).action == name
