"""The shop's settings in the database: which of them are set, and first values for those that are not."""

from collections.abc import Callable, Mapping
from typing import Any

import asyncpg

from repository import catalog_versions, queries
from repository.catalog_versions import Act
from repository.database import Connection
from schemas.catalog_changes import compare
from schemas.shop_settings import NAMES, Given, Seller, SettingValue, ShopSettings, Tax, TaxExempt

SQL = queries.load("shop_settings.sql")

# The others come as they are.
_READ: Mapping[str, Callable[[Any], SettingValue]] = {
    "tax": Tax,
    "tax_exempt": TaxExempt,
    "nameservers": tuple,
    "seller": lambda written: Seller(**written),
}


def given(row: asyncpg.Record) -> Given:
    """Tell which settings are set, by the catalogue's row."""
    there = {name: row[name] for name in NAMES if row[name] is not None}
    return {name: _READ[name](value) if name in _READ else value for name, value in there.items()}


async def read(connection: Connection) -> Given:
    row = await connection.fetchrow(SQL["read"])
    assert row is not None, "the migrations make the one row of the catalogue"
    return given(row)


async def save(connection: Connection, settings: Given) -> None:
    """Set these, and leave the others as they are."""
    await connection.execute(SQL["save"], settings)


async def said_next(connection: Connection, position: int) -> int | None:
    """Note where a file says that invoice numbers go on; return what the last one said, None if none did."""
    said: int | None = await connection.fetchval(SQL["said_next"], position)
    return said


async def fill(connection: Connection, first: Given, *, by: str) -> Given:
    """Set those that nobody has set yet, and return all that are set then. The caller holds the transaction.

    Whoever comes first decides; `by` names them. The catalogue's version moves if other settings hold then than before.
    """
    assert connection.is_in_transaction()
    before = await read(connection)
    if first.keys() <= before.keys():  # as at nearly every start of a worker: it waits for nobody
        return before
    await catalog_versions.lock(connection)
    before = await read(connection)
    missing = {name: value for name, value in first.items() if name not in before}
    await save(connection, missing)
    after = {**before, **missing}
    holding = ({"settings": ShopSettings.of(given).as_in_file()} for given in (before, after))
    await catalog_versions.record(connection, compare(*holding), by=by, act=Act.FIRST_VALUES)
    return after
