"""AddOrder as the pipeline has it in hand."""

from datetime import UTC, datetime

import orjson

from schemas.events import Cause
from schemas.order import FactsNeeded, PlacedOrder, Totals
from schemas.rejections import Rejection
from tests.builders import a_catalog, a_product, some_facts
from worker.actions.add_order import AskedAddOrder
from worker.actions.asked import Decided

PARAMETERS = {"clientid": "1", "pid": "1", "paymentmethod": "paypal"}
CATALOG = a_catalog(products=[a_product(1, stock_controlled=True)])


def test_it_needs_its_client_and_the_stock_of_what_it_names() -> None:
    asked = AskedAddOrder.parse(PARAMETERS)

    assert (asked.client_id, asked.rows(CATALOG)) == (1, 1)
    assert asked.facts_needed(CATALOG) == FactsNeeded(clients=frozenset({1}), stock_products=frozenset({1}))


def test_it_comes_to_one_order_and_says_its_ids() -> None:
    asked = AskedAddOrder.parse(PARAMETERS)

    decided, left = asked.decide(some_facts(), Totals(stock={1: 3}), CATALOG)

    assert isinstance(decided, Decided)
    assert left.stock == {1: 2}
    ids = PlacedOrder(order_id=17, order_number="4711", invoice_id=9, item_ids=(21,))
    said = decided.say((ids,), Cause("publisher:shop", "m-1", None, datetime(2026, 1, 1, tzinfo=UTC)))
    reply = orjson.loads(said.reply.body)
    assert (reply["result"], reply["orderid"], reply["invoiceid"], reply["serviceids"]) == ("success", 17, 9, "21")
    assert [event.type for event in said.events] == [
        "order.added",
        "email.invoice-created",
        "email.order-confirmation",
    ]
    assert said.log_fields["order_id"] == 17


def test_what_the_rules_reject_takes_nothing() -> None:
    asked = AskedAddOrder.parse({**PARAMETERS, "paymentmethod": "nosuch"})

    decided, left = asked.decide(some_facts(), Totals(stock={1: 3}), CATALOG)

    assert isinstance(decided, Rejection)
    assert left == Totals(stock={1: 3})
