"""Migrations, on a real Postgres; and every query there is, against the schema they make."""

import asyncio
from importlib.resources import files
from pathlib import Path

import asyncpg
import pytest

from repository import migrate, queries, revisions
from repository.database import Database

SQL_FOLDER = Path(str(files("repository"))) / "sql"


async def execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def check(url: str) -> None:
    async with Database(url) as database, database.connection() as connection:
        await revisions.check_migrated(connection)


async def test_an_empty_database_is_brought_to_the_newest_revision_once(database_url: str) -> None:
    first = await migrate.migrate(database_url)
    second = await migrate.migrate(database_url)

    assert first == ("0001", "0002", "0003", "0004", "0005", "0009")
    assert second == ()
    assert {"catalogue", "orders", "inbox", "alembic_version"} <= await tables(database_url)
    await check(database_url)


async def test_of_five_that_migrate_at_once_one_does_the_work(database_url: str) -> None:
    applied = await asyncio.gather(*(migrate.migrate(database_url) for _ in range(5)))

    assert sorted(applied, key=len) == [(), (), (), (), ("0001", "0002", "0003", "0004", "0005", "0009")]


async def test_a_migration_that_fails_leaves_nothing_behind(database_url: str) -> None:
    await execute(database_url, "CREATE TABLE domains (in_the_way boolean)")  # of revision 0002

    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate.migrate(database_url)

    assert await tables(database_url) == {"domains"}


async def test_both_spellings_and_the_parameters_of_a_url_are_taken(database_url: str) -> None:
    url = database_url.replace("postgresql://", "postgres://")

    applied = await migrate.migrate(f"{url}{'&' if '?' in url else '?'}sslmode=prefer&application_name=somebody")

    assert applied == ("0001", "0002", "0003", "0004", "0005", "0009")


async def test_a_database_that_is_not_there_is_told_as_asyncpg_does(database_url: str) -> None:
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await migrate.migrate(f"{database_url}_gone")


async def test_a_database_without_tables_is_not_migrated(database_url: str) -> None:
    with pytest.raises(revisions.NotMigrated, match="no tables yet: run `orders migrate`"):
        await check(database_url)


async def test_an_older_schema_is_not_migrated(database_url: str) -> None:
    await migrate.migrate(database_url)
    await execute(database_url, "UPDATE alembic_version SET version_num = '0001'")

    with pytest.raises(revisions.NotMigrated, match=r"schema is 0001, this program needs 0009: run `orders migrate`"):
        await check(database_url)


async def test_a_newer_schema_serves_and_is_left_alone(database_url: str) -> None:
    await migrate.migrate(database_url)
    await execute(database_url, "UPDATE alembic_version SET version_num = '9999'")

    applied = await migrate.migrate(database_url)

    assert applied == ()
    await check(database_url)


async def test_every_query_is_valid_against_the_schema(database_url: str) -> None:
    await migrate.migrate(database_url)

    wrong = []
    async with Database(database_url) as database, database.connection() as connection:
        for path in sorted(SQL_FOLDER.glob("*.sql")):
            for name, sql in queries.load(path.name).items():
                try:
                    await connection.prepare(sql)
                except asyncpg.PostgresError as error:
                    wrong.append(f"{path.name} {name}: {error}")

    assert wrong == []
