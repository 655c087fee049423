"""What is renewed again before it is paid, what that gives back, and what the rows then say (addorder.md 5.7, 5.9)."""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from repository.database import Connection, Database
from tests.deliveries import context_of, delivery
from tests.integration.test_commands import orders
from tests.shop import Shop
from worker.pipeline.carry_out import carry_out
from worker.pipeline.context import Context
from worker.pipeline.outcomes import Outcome, OutcomeKind

DOMAIN = {"domainrenewals": {"domain1.com": 1}}  # 14.95 a year
TWO_YEARS = {"domainrenewals": {"domain1.com": 2}}  # 29.90
SERVICE = {"servicerenewals": [19]}  # 9.95 a month, due on 10 December 2026
LOWERED = "UPDATE services SET recurring = 7.00, recurring_full = 9.95, discounts_left = $1 WHERE id = 19"


@asynccontextmanager
async def a_worker(shop_url: str) -> AsyncIterator[tuple[Context, Connection]]:
    async with Database(shop_url) as database, Database(shop_url) as others, others.connection() as looking:
        context = context_of(database)
        await context.open()
        yield context, looking


async def place(context: Context, message_id: str, body: Mapping[str, Any]) -> Outcome:
    [outcome] = await carry_out([delivery(1, message_id, body)], context)
    assert outcome.kind is OutcomeKind.PLACED, outcome.log_fields
    return outcome


def order_id(outcome: Outcome) -> int:
    return int(outcome.log_fields["order_id"])


def events(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return {event.type: json.loads(event.body)["data"] for event in outcome.events}


async def status(looking: Connection, order: Outcome) -> tuple[str, ...]:
    """Tell the status of an order, of its invoice, and of what it renews."""
    row = await looking.fetchrow(
        "SELECT orders.status, invoices.status, (SELECT min(status) FROM renewals WHERE order_id = orders.id) "
        "FROM orders LEFT JOIN invoices ON invoices.order_id = orders.id WHERE orders.id = $1",
        order_id(order),
    )
    assert row is not None
    return tuple(row)


async def test_an_order_that_is_renewed_again_is_cancelled_and_told(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        first = await place(context, "first", DOMAIN)
        second = await place(context, "second", TWO_YEARS)

        assert await status(looking, first) == ("Cancelled", "Cancelled", "Cancelled")
        assert await status(looking, second) == ("Pending", "Unpaid", "Pending")
        [history] = await looking.fetch("SELECT * FROM order_history")

    told, added = events(second), events(second)["order.added"]
    assert (added["amount"], added["warnings"]) == ("29.90", [])
    cancelled = told["order.cancelled"]
    assert (cancelled["orderid"], cancelled["superseded_by"]) == (order_id(first), order_id(second))
    assert (cancelled["from"], cancelled["to"]) == ("Pending", "Cancelled")
    assert cancelled["items"] == [{"kind": "domain_renewal", "id": 1, "from": "Pending", "to": "Cancelled"}]
    assert (cancelled["request_id"], cancelled["caller"]) == ("second", "publisher:storefront")
    invoice = told["invoice.cancelled"]
    assert (invoice["invoiceid"], invoice["net"], invoice["total"], invoice["paid"]) == (
        events(first)["order.added"]["invoiceid"], "14.95", "14.95", "0.00",
    )  # fmt: skip
    assert (history["order_id"], history["from_status"], history["to_status"]) == (
        order_id(first), "Pending", "Cancelled",
    )  # fmt: skip
    assert history["details"] == {"superseded_by": order_id(second)}


async def test_the_first_request_is_a_repeat_though_its_order_is_cancelled(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, _):
        first = await place(context, "first", DOMAIN)
        await place(context, "second", DOMAIN)
        [again] = await carry_out([delivery(1, "first", DOMAIN)], context)

    assert again.kind is OutcomeKind.REPEATED
    assert again.reply == first.reply


async def test_an_order_that_renews_more_stays_and_the_new_one_says_so(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        first = await place(context, "first", {**DOMAIN, **SERVICE})
        second = await place(context, "second", SERVICE)

        assert await status(looking, first) == ("Pending", "Unpaid", "Pending")
    [warning] = events(second)["order.added"]["warnings"]
    assert warning == (
        f"order {order_id(first)}, which is not paid yet, renews service 19 too (10/12/2026 - 09/01/2027): paid twice, "
        "it is renewed twice"
    )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE invoices SET status = 'Paid' WHERE order_id = $1",
        "UPDATE orders SET status = 'Active' WHERE id = $1",
        "UPDATE invoices SET status = 'Cancelled' WHERE order_id = $1",
    ],
    ids=["paid", "accepted", "cancelled"],
)
async def test_an_order_that_is_past_that_stays(shop_url: str, change: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        first = await place(context, "first", SERVICE)
        await looking.execute(change, order_id(first))
        before = await status(looking, first)

        await place(context, "second", SERVICE)

        assert await status(looking, first) == before


async def test_of_two_renewals_of_a_client_in_one_batch_the_later_waits_for_the_next(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        batch = [delivery(1, "first", DOMAIN), delivery(2, "second", TWO_YEARS), delivery(3, "other", {"pid": 7})]

        ended = await carry_out(batch, context)
        assert [one.reading.delivery.tag for one in ended] == [1, 3]
        [later] = await carry_out([batch[1]], context)

        assert await status(looking, ended[0]) == ("Cancelled", "Cancelled", "Cancelled")
        assert await status(looking, later) == ("Pending", "Unpaid", "Pending")


async def test_renewals_of_one_thing_by_several_workers_leave_one_order(shop_url: str) -> None:
    async with a_worker(shop_url) as (one, looking), a_worker(shop_url) as (other, _):
        await asyncio.gather(
            *(place((one, other)[number % 2], f"renewal-{number}", {**SERVICE, **DOMAIN}) for number in range(20))
        )

        found = await looking.fetch("SELECT status, count(*) FROM orders WHERE request_id IS NOT NULL GROUP BY status")
    assert {row["status"]: row["count"] for row in found} == {"Pending": 1, "Cancelled": 19}


# ---------------------------------------------------------------- discounts that are counted


async def renewed_for(context: Context, message_id: str, **parameters: Any) -> str:
    """Renew service 19; tell what that costs."""
    return str((await place(context, message_id, {**SERVICE, **parameters})).log_fields["amount"])


async def discounts_left(looking: Connection) -> int:
    return int(await looking.fetchval("SELECT discounts_left FROM services WHERE id = 19"))


async def test_so_many_renewals_are_lowered_as_the_code_has_left(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        await looking.execute(LOWERED, 2)
        # Without an invoice none takes the place of another.
        prices = [await renewed_for(context, f"renewal-{number}", noinvoice=True) for number in range(4)]

        assert prices == ["7.00", "7.00", "9.95", "9.95"]
        assert await discounts_left(looking) == 0


async def test_an_order_that_is_superseded_gives_its_discount_back(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        await looking.execute(LOWERED, 1)
        prices = [await renewed_for(context, f"renewal-{number}") for number in range(3)]

        assert prices == ["7.00", "7.00", "7.00"]
        assert await discounts_left(looking) == 0
        taken = await looking.fetch("SELECT kind, thing_id, units, released_at IS NULL AS has_it FROM order_takes")
    assert sorted((row["kind"], row["thing_id"], row["units"], row["has_it"]) for row in taken) == [
        ("service_discount", 19, 1, False),
        ("service_discount", 19, 1, False),
        ("service_discount", 19, 1, True),
    ]


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_gives_way_in_between_exactly_so_many_renewals_are_lowered(shop_url: str, seed: int) -> None:
    """Of twelve renewals, some of which take the place of the one before; a code lowers the next five."""
    chance = random.Random(seed)
    async with a_worker(shop_url) as (context, looking):
        await looking.execute(LOWERED, 5)
        for number in range(12):
            await renewed_for(context, f"renewal-{number}", noinvoice=chance.random() < 0.6)

        stand = await looking.fetch(
            "SELECT amount::text, count(*) FROM renewals WHERE status <> 'Cancelled' GROUP BY 1"
        )
        left = await discounts_left(looking)
    counts = {row["amount"]: row["count"] for row in stand}
    assert counts["7.00"] == 5 - left
    assert left == 0 or "9.95" not in counts


LIMITED = "UPDATE promotions SET max_uses = 1 WHERE code = 'COMHALF'"
LIMITED_USES = """
UPDATE promotion_uses SET max_uses = 1, uses = 0 WHERE promotion_id = (SELECT id FROM promotions WHERE code = 'COMHALF')
"""


async def limit(context: Context, looking: Connection) -> None:
    """Let the code be used once."""
    await looking.execute(LIMITED)
    await looking.execute(LIMITED_USES)
    await context.reload()


USES = (
    "SELECT uses, max_uses FROM promotion_uses WHERE promotion_id = (SELECT id FROM promotions WHERE code = 'COMHALF')"
)


async def test_an_order_that_is_superseded_gives_the_use_of_a_code_back(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        await limit(context, looking)
        amounts = [
            (await place(context, f"renewal-{number}", {**DOMAIN, "promocode": "COMHALF"})).log_fields["amount"]
            for number in range(2)
        ]

        assert amounts == ["7.47", "7.47"]  # 14.95 - 7.475, which is 7.48
        assert tuple(await looking.fetchrow(USES) or ()) == (1, 1)


async def test_a_use_that_is_given_back_opens_no_code_whose_limit_was_lowered_since(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        await limit(context, looking)
        await place(context, "first", {**DOMAIN, "promocode": "COMHALF"})
        # As a load writes it: the limit is 1, and 3 have used it.
        await looking.execute(f"UPDATE promotion_uses SET uses = 3, max_uses = 3 {USES[USES.index('WHERE') :]}")

        await place(context, "second", DOMAIN)

        assert tuple(await looking.fetchrow(USES) or ()) == (2, 2)


async def test_an_order_of_the_version_before_gives_back_what_its_promotion_says(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        await limit(context, looking)
        first = await place(context, "first", {**DOMAIN, "promocode": "COMHALF"})
        await looking.execute("UPDATE orders SET takes_written = NULL WHERE id = $1", order_id(first))
        await looking.execute("DELETE FROM order_takes")

        await place(context, "second", DOMAIN)

        assert tuple(await looking.fetchrow(USES) or ()) == (0, 1)
        [taken] = await looking.fetch("SELECT kind, released_at IS NULL AS has_it FROM order_takes")
        assert (taken["kind"], taken["has_it"]) == ("promotion_use", False)


# ---------------------------------------------------------------- rows


async def test_what_a_code_lowers_for_some_payments_is_in_row_and_event(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        placed = await place(context, "first", {"pid": 1, "promocode": "THREETIMES"})
        [row] = await looking.fetch("SELECT * FROM services WHERE order_id = $1", order_id(placed))

    [item] = events(placed)["order.added"]["items"]
    assert (item["first"], item["recurring"], item["recurring_full"], item["discounts_left"]) == (
        "7.96", "7.96", "9.95", 3,
    )  # fmt: skip
    assert (str(row["recurring"]), str(row["recurring_full"]), row["discounts_left"]) == ("7.96", "9.95", 3)
    assert row["period_end"].isoformat() == item["period_end"]


async def test_a_renewal_keeps_its_period_and_a_domain_the_service_with_which_it_is_free(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        await looking.execute("UPDATE products SET free_domain_kind = 'while_renewed' WHERE id = 1")
        await context.reload()
        placed = await place(
            context,
            "first",
            {
                **DOMAIN,
                **SERVICE,
                "pid": [7, 1],
                "billingcycle": ["monthly", "annually"],
                "domain": ["", "new.com"],
                "domaintype": ["", "register"],
            },
        )
        domain = await looking.fetchrow("SELECT * FROM domains WHERE order_id = $1", order_id(placed))
        renewals = await looking.fetch("SELECT * FROM renewals WHERE order_id = $1 ORDER BY id", order_id(placed))

    added = events(placed)["order.added"]
    assert domain is not None
    assert domain["free_with"] == added["serviceids"][1]
    assert str(domain["recurring"]) == "0.00"
    assert [(row["period_start"].isoformat(), row["period_end"].isoformat()) for row in renewals] == [
        ("2033-01-15", "2034-01-14"),
        ("2026-12-10", "2027-01-09"),
    ]
    assert [(item["period_start"], item["period_end"]) for item in added["items"][3:]] == [
        ("2033-01-15", "2034-01-14"),
        ("2026-12-10", "2027-01-09"),
    ]


async def test_renewals_that_are_paid_as_they_are_placed_move_what_they_renew(shop_url: str) -> None:
    async with a_worker(shop_url) as (context, looking):
        await looking.execute("UPDATE services SET recurring = 0 WHERE id = 19")
        first = await place(context, "first", SERVICE)
        assert await status(looking, first) == ("Pending", "Paid", "Completed")

        second = await place(context, "second", SERVICE)

        row = await looking.fetchrow("SELECT next_due, period_end FROM services WHERE id = 19")
    assert row is not None
    assert (row["next_due"].isoformat(), row["period_end"].isoformat()) == ("2027-02-10", "2027-02-09")
    [item] = events(second)["order.added"]["items"]
    assert (item["period_start"], item["period_end"]) == ("2027-01-10", "2027-02-09")


# ---------------------------------------------------------------- what an operator sees


async def test_an_operator_sees_periods_fees_what_a_code_lowers_and_what_became_of_an_order(shop: Shop) -> None:
    await shop.database.execute(
        "UPDATE tlds SET grace_days = 30 WHERE tld = '.com';"
        "INSERT INTO tld_late_fees VALUES ('.com', 'grace', 'USD', 20.00);"
        "UPDATE domains SET expires = current_date - 10 WHERE id = 1"
    )
    await shop.start_worker()
    await shop.ask({"clientid": 1, "paymentmethod": "paypal", **DOMAIN}, message_id="first")
    await shop.ask(
        {"clientid": 1, "paymentmethod": "paypal", **DOMAIN, "pid": 1, "promocode": "THREETIMES"}, message_id="second"
    )

    first, second = [(await orders(shop, "show", name)).stdout for name in ("first", "second")]

    assert "20.00 of it for being late" in first
    became = r"history +\S+ \S+ UTC Pending to Cancelled by storefront: order \d+ renews all"
    assert re.search(became, first)
    assert "9.95 after 3 more at 7.96" in second
    assert re.search(r"billed from \d{4}-\d\d-\d\d until \d{4}-\d\d-\d\d", second)
    assert re.search(r"order\.cancelled order \d+ of client 1: Pending to Cancelled", second)
    assert re.search(r"invoice\.cancelled invoice \d+ over 34\.95", second)
