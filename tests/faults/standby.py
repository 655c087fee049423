"""A standby of a Postgres of the tests, which can be left behind and promoted."""

import asyncio
from pathlib import Path

import asyncpg

from deploy.local.host import free_port, make_folder, make_private_folder, run, servable
from deploy.local.postgres import ENVIRONMENT, Postgres, program_folder
from tests.shop import POLL_SECONDS, SECONDS_MAX

CAUGHT_UP = "SELECT pg_current_wal_lsn() = replay_lsn FROM pg_stat_replication"


def start_standby(primary: Postgres, folder: Path) -> Postgres:
    """Start a server that follows another one."""
    standby = Postgres(servable(folder), free_port(Postgres.PORTS_COUNT))
    make_folder(standby.folder)
    make_private_folder(standby.data)
    source = f"host=127.0.0.1 port={primary.port} user=orders"
    options = ["--checkpoint=fast", "--no-sync", "--write-recovery-conf"]
    run([program_folder() / "pg_basebackup", "--pgdata", standby.data, "--dbname", source, *options], ENVIRONMENT)
    standby.start()
    return standby


async def execute(server: Postgres, *statements: str) -> None:
    connection = await asyncpg.connect(server.url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def catch_up(primary: Postgres) -> None:
    """Wait until the standby has all that was committed."""
    connection = await asyncpg.connect(primary.url)
    async with asyncio.timeout(SECONDS_MAX):
        while not await connection.fetchval(CAUGHT_UP):
            await asyncio.sleep(POLL_SECONDS)
    await connection.close()


async def leave_behind(standby: Postgres) -> None:
    """Let what is committed from now on not reach the standby."""
    await execute(standby, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
    connection = await asyncpg.connect(standby.url)
    async with asyncio.timeout(SECONDS_MAX):
        while await connection.fetchval("SELECT count(*) FROM pg_stat_wal_receiver"):
            await asyncio.sleep(POLL_SECONDS)
    await connection.close()


async def promote(standby: Postgres) -> None:
    await execute(standby, "SELECT pg_promote()")
