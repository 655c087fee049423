"""`orders find`: orders by what they have."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from repository import find as archive
from repository.database import Database
from repository.find import Criteria, FoundOrder, Result
from worker.commands import AsJson, display, echo, err, out
from worker.commands.database import with_database
from worker.commands.layout import Column, Table
from worker.commands.options import Since, Until
from worker.operations.find import names_of

LISTED_MAX = 50


def find(  # noqa: PLR0913  # an option is a parameter
    *,
    client: Annotated[int | None, typer.Option(metavar="ID", help="Of this client, by clientid.")] = None,
    email: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Of clients with this e-mail address.")] = None,
    domain: Annotated[
        str | None, typer.Option(metavar="NAME", help="With a service at this domain, the domain, or its renewal.")
    ] = None,
    invoice: Annotated[int | None, typer.Option(metavar="ID", help="Of this invoice.")] = None,
    product: Annotated[int | None, typer.Option(metavar="ID", help="With this product, by pid.")] = None,
    catalogue_version: Annotated[
        int | None, typer.Option(metavar="N", help="Placed by this version of the catalogue.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Show so many at most.")] = LISTED_MAX,
    as_json: AsJson = False,
) -> None:
    """Find orders by what they have, the newest first.

    Each is so in every respect that is given. `orders show ID` tells all of one.
    """
    criteria = Criteria(
        client_id=client,
        email=email,
        domain=names_of(domain) if domain else None,
        invoice_id=invoice,
        product_id=product,
        since=since.first if since else None,
        until=until.last if until else None,
        catalogue_version=catalogue_version,
    )

    async def run(database: Database) -> Result:
        async with database.snapshot() as connection:
            return await archive.find(connection, criteria, limit)

    result = with_database(run)
    if as_json:
        for order in result.orders:
            echo(asdict(order))
    elif result.orders:
        display(_table(result.orders))
    elif result.is_whole:
        out.print("no order is so")
    if not result.is_whole:
        told = f"the newest {len(result.orders):,}" if result.orders else "none of the newest that were looked at"
        err.print(f"{told}; there may be more: narrow it down, or give --limit")


def _table(orders: list[FoundOrder]) -> Table:
    return Table(
        [
            Column("order", right=True),
            Column("number"),
            Column("placed (UTC)"),
            Column("client", right=True),
            Column("amount", right=True),
            Column("status"),
            Column("invoice", right=True),
        ],
        [
            (
                str(one.id),
                one.order_number,
                _time(one.placed_at),
                str(one.client_id),
                f"{one.amount} {one.currency}",
                one.status,
                str(one.invoice_id or ""),
            )
            for one in orders
        ],
        tails=[", ".join(one.items) for one in orders],
    )


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"
