"""Numbers of invoices: the next of their series as they become Paid (docs/decisions/invoice-numbers.md)."""

from collections.abc import Sequence
from datetime import date

from repository import queries
from repository.database import Connection
from schemas.invoice_numbers import NumberFormat, Series

SQL = queries.load("invoice_numbers.sql")


async def give(
    connection: Connection, invoice_ids: Sequence[int], numbers: NumberFormat | None, today: date
) -> dict[int, str]:
    """Give invoices that are becoming Paid the next numbers of their series, in this order; None: they get none.

    The last lock of a transaction: whoever else gives a number of the series waits from here to the commit, so that
    what is rolled back gives nothing away. `today` is the day in the shop's time zone. An invoice that has a number
    keeps it.
    """
    assert connection.is_in_transaction()
    if numbers is None or not invoice_ids:
        return {}
    series = numbers.series(today)
    position: int = await connection.fetchval(SQL["lock_series"], series.name)
    rows = await connection.fetch(SQL["numbers_of"], invoice_ids)
    given: dict[int, str] = {row["invoice_id"]: row["number"] for row in rows}
    missing = [invoice_id for invoice_id in dict.fromkeys(invoice_ids) if invoice_id not in given]
    if not missing:
        return given
    positions = await _free(connection, series, position, len(missing))
    fresh = [series.number(position) for position in positions]
    await connection.execute(SQL["give"], series.name, missing, positions, fresh, today)
    return given | dict(zip(missing, fresh, strict=True))


async def go_on_at(connection: Connection, position: int, numbers: NumberFormat) -> int:
    """Let the series of today go on there, and return the next number that it will give.

    That is another one where numbers up to it were given already: those stay.
    """
    assert connection.is_in_transaction()
    series = numbers.series(await today(connection))
    following: int = await connection.fetchval(SQL["go_on_at"], series.name, position)
    return following


async def following(connection: Connection, numbers: NumberFormat) -> int:
    """Tell the next number of the series of today."""
    series = numbers.series(await today(connection))
    return await connection.fetchval(SQL["following"], series.name) or 1


async def today(connection: Connection) -> date:
    """Tell the day in the shop's time zone, by the database's clock."""
    day: date = await connection.fetchval(SQL["today"])
    return day


async def _free(connection: Connection, series: Series, first: int, count: int) -> list[int]:
    """Find the next positions whose numbers no invoice has: another format may have written one of them before."""
    free: list[int] = []
    step = count
    while len(free) < count:
        positions = range(first, first + step)
        rows = await connection.fetch(SQL["taken"], [series.number(position) for position in positions])
        taken = {row["number"] for row in rows}
        free += [position for position in positions if series.number(position) not in taken]
        first, step = first + step, step * 2
    return free[:count]
