"""Rows that come without names are read into the fields that they are for."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from repository import facts
from repository.database import Connection, Database
from schemas.order import FactsNeeded

NOTHING = frozenset[Any]()


async def test_every_column_is_read_into_the_field_of_its_name(shop_url: str) -> None:
    async with Database(shop_url) as database, database.connection() as connection:
        await connection.execute("UPDATE clients SET address2 = 'floor ' || id, tax_id = 'tax id ' || id")
        ids = {
            table: frozenset(row["id"] for row in await connection.fetch(f"SELECT id FROM {table}"))
            for table in ("clients", "services", "service_addons")
        }
        names = await connection.fetch("SELECT client_id, name FROM domains")
        seen = await facts.read(
            connection,
            FactsNeeded(
                clients=ids["clients"],
                contacts=NOTHING,
                services=ids["services"],
                addons=ids["service_addons"],
                domains=frozenset((row["client_id"], row["name"]) for row in names),
                stock_products=NOTHING,
                limited_promotions=NOTHING,
                history_clients=NOTHING,
                owned_products_clients=NOTHING,
            ),
        )

        domains = [domain for found in seen.facts.domains.values() for domain in found]
        await check(connection, "SELECT * FROM clients", seen.facts.clients.values())
        await check(connection, SERVICES, seen.facts.services.values())
        await check(connection, ADDONS, seen.facts.addons.values())
        await check(connection, "SELECT *, period_end AS paid_until FROM domains", domains)


SERVICES = "SELECT *, false AS is_unpaid FROM services"
ADDONS = """
SELECT
    service_addons.*, client_id, false AS is_unpaid, services.status AS service_status,
    services.renewable AS service_renewable
FROM service_addons
JOIN services ON services.id = service_id
"""


async def check(connection: Connection, sql: str, seen: Iterable[Any]) -> None:
    there = {row["id"]: row for row in await connection.fetch(sql)}
    read = {one.id: asdict(one) for one in seen}

    assert read.keys() == there.keys() != set()
    for own_id, fields in read.items():
        if "extras" in fields:
            fields["extras"] = sorted(fields["extras"])
        if "recurring" in fields:
            fields |= {"recurring": fields["recurring"]["amount"], "recurring_full": fields["recurring"]["full"]}
        assert fields == {name: there[own_id][name] for name in fields}
