"""Migrations, on a real Postgres; and every query there is, against the schema they make."""

import asyncio
from importlib.resources import files
from pathlib import Path

import asyncpg
import pytest
from alembic import command

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

    assert first == revisions.REVISIONS
    assert second == ()
    assert {"catalogue", "orders", "inbox", "alembic_version"} <= await tables(database_url)
    await check(database_url)


async def migrate_to(url: str, revision: str, say: migrate.Say = lambda _line: None) -> None:
    """Bring a database to where a version before this one had it."""
    with pytest.MonkeyPatch.context() as patch:
        upgrade = command.upgrade
        patch.setattr(command, "upgrade", lambda config, _head: upgrade(config, revision))
        await migrate.migrate(url, say)


async def test_a_table_that_stays_in_use_stops_a_migration_which_says_by_whom_and_holds_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "PATIENCE_SECONDS", 2)
    await migrate_to(database_url, "0002")
    reader = await asyncpg.connect(database_url, server_settings={"application_name": "report"})
    said: list[str] = []

    async with reader.transaction():
        await reader.fetch("SELECT FROM inbox")
        pid = reader.get_server_pid()
        with pytest.raises(migrate.Stopped, match=rf"in use: pid {pid} .*report.*: SELECT FROM inbox; fix: run"):
            await migrate.migrate(database_url, said.append)
        held = await reader.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'orders migrate'")
    await reader.close()

    assert held == 0
    assert said[0].endswith("; again in 1 s")
    assert (await migrate.migrate(database_url))[0] == "0003"


async def test_a_migrations_session_has_its_own_bounds_whatever_the_databases_defaults_are(database_url: str) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    await execute(
        database_url,
        f"""
        ALTER DATABASE {name} SET statement_timeout = '100ms';
        ALTER DATABASE {name} SET lock_timeout = '1ms';
        ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '1ms';
        ALTER DATABASE {name} SET default_transaction_isolation = 'serializable';
        """,
    )

    assert await migrate.migrate(database_url) == revisions.REVISIONS


async def test_of_five_that_migrate_at_once_one_does_the_work(database_url: str) -> None:
    applied = await asyncio.gather(*(migrate.migrate(database_url) for _ in range(5)))

    assert sorted(applied, key=len) == [(), (), (), (), revisions.REVISIONS]


async def test_a_revision_that_fails_leaves_nothing_behind_and_those_before_it_in_place(database_url: str) -> None:
    await execute(database_url, "CREATE TABLE domains (in_the_way boolean)")  # of revision 0002

    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate.migrate(database_url)

    found = await tables(database_url)
    assert {"alembic_version", "catalogue", "domains"} <= found  # of 0001, and what was in the way
    assert found.isdisjoint({"inbox", "orders", "invoices"})  # of 0002
    with pytest.raises(revisions.NotMigrated, match="the database's schema is 0001"):
        await check(database_url)


async def test_a_migration_that_failed_goes_on_where_it_stopped(database_url: str) -> None:
    await execute(database_url, "CREATE TABLE domains (in_the_way boolean)")
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate.migrate(database_url)
    await execute(database_url, "DROP TABLE domains")

    assert await migrate.migrate(database_url) == revisions.REVISIONS[1:]


async def test_both_spellings_and_the_parameters_of_a_url_are_taken(database_url: str) -> None:
    url = database_url.replace("postgresql://", "postgres://")

    applied = await migrate.migrate(f"{url}{'&' if '?' in url else '?'}sslmode=prefer&application_name=somebody")

    assert applied == revisions.REVISIONS


async def test_a_database_that_is_not_there_is_told_as_asyncpg_does(database_url: str) -> None:
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await migrate.migrate(f"{database_url}_gone")


async def test_a_database_without_tables_is_not_migrated(database_url: str) -> None:
    with pytest.raises(revisions.NotMigrated, match="no tables yet: run `orders migrate`"):
        await check(database_url)


async def test_an_older_schema_is_not_migrated(database_url: str) -> None:
    await migrate.migrate(database_url)
    await execute(database_url, "UPDATE alembic_version SET version_num = '0001'")

    newest = revisions.REVISIONS[-1]
    with pytest.raises(
        revisions.NotMigrated, match=rf"schema is 0001, this program needs {newest}: run `orders migrate`"
    ):
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
