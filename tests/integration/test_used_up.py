"""What was there when an order was priced may be gone when it is written: then it is decided again."""

import asyncio
from collections.abc import Mapping, Sequence

from repository import queries
from repository.database import Database
from tests.deliveries import context_of, delivery
from worker.pipeline.carry_out import carry_out
from worker.pipeline.outcomes import Outcome, OutcomeKind

ORDERS = queries.load("orders.sql")
TAKE_ALL = "UPDATE product_stock SET quantity = 0 WHERE product_id = 11"
USE_ALL = "UPDATE promotion_uses SET uses = 1 WHERE promotion_id = (SELECT id FROM promotions WHERE code = 'LASTUSE')"
WAITING = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
SECONDS_MAX = 5.0  # for the other transaction to be waited for

ONE_LEFT = {"pid": 11}
LAST_USE = {"pid": 7, "promocode": "LASTUSE"}  # half of 4.00, for one order
OTHER = {"pid": 7}


async def test_who_buys_what_another_takes_meanwhile_is_refused(shop_url: str) -> None:
    async with Database(shop_url) as database:
        ended, waited_for = await carried_out_beside(TAKE_ALL, [ONE_LEFT], database)

    assert [(one.kind, one.log_fields["code"]) for one in ended] == [(OutcomeKind.REJECTED, "out_of_stock")]
    assert waited_for == ORDERS["take_stock"]


async def test_who_uses_a_code_that_another_uses_up_meanwhile_pays_the_full_price(shop_url: str) -> None:
    async with Database(shop_url) as database:
        ended, waited_for = await carried_out_beside(USE_ALL, [LAST_USE], database)

    assert [one.log_fields["amount"] for one in ended] == ["4.00"]
    assert waited_for == ORDERS["count_uses"]


async def test_the_neighbours_of_who_comes_too_late_are_placed(shop_url: str) -> None:
    async with Database(shop_url) as database:
        ended, _ = await carried_out_beside(TAKE_ALL, [OTHER, ONE_LEFT, OTHER], database)

    assert [one.kind for one in ended] == [OutcomeKind.PLACED, OutcomeKind.REJECTED, OutcomeKind.PLACED]


async def carried_out_beside(
    rival: str, bodies: Sequence[Mapping[str, object]], database: Database
) -> tuple[list[Outcome], str]:
    """Let another transaction take all between the decision and the commit. Returns what was waited for, too."""
    context = context_of(database)
    await context.open()
    async with database.transaction() as rivals:
        await rivals.execute(rival)
        deciding = asyncio.create_task(
            carry_out([delivery(tag, f"used-up-{tag}", body) for tag, body in enumerate(bodies)], context)
        )
        async with database.connection() as looking, asyncio.timeout(SECONDS_MAX):
            while not (waiting := await looking.fetch(WAITING)):
                await asyncio.sleep(0.01)
    return await deciding, waiting[0]["query"]
