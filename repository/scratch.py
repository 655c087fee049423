"""Databases that come and go: for the demo and for tests."""

from urllib.parse import urlsplit, urlunsplit

import asyncpg


async def recreate(server_url: str, name: str) -> str:
    """Make an empty database `name`, in place of one that was there, and return its URL."""
    await drop(server_url, name)
    await _execute(server_url, f"CREATE DATABASE {_quoted(name)}")
    return with_database(server_url, name)


async def clone(server_url: str, name: str, template: str) -> str:
    """Make a database `name` that is a copy of another one, which nobody may be connected to."""
    await _execute(server_url, f"CREATE DATABASE {_quoted(name)} TEMPLATE {_quoted(template)}")
    return with_database(server_url, name)


async def drop(server_url: str, name: str) -> None:
    await _execute(server_url, f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")


async def orders_in(server_url: str, name: str) -> int:
    """Count the orders of requests in a database; 0 where there is no such database, or no such table in it."""
    try:
        connection = await asyncpg.connect(with_database(server_url, name))
    except asyncpg.InvalidCatalogNameError:
        return 0
    try:
        count: int = await connection.fetchval("SELECT count(*) FROM orders WHERE request_id IS NOT NULL")
    except asyncpg.UndefinedTableError:
        return 0
    finally:
        await connection.close()
    return count


def with_database(server_url: str, name: str) -> str:
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


def _quoted(name: str) -> str:
    # A name cannot be a parameter of these statements; these names are our own.
    assert name.replace("_", "").isalnum(), name
    return f'"{name}"'


async def _execute(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
