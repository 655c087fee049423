"""What renewals need to know, what an order took, and what happened to it."""

import asyncpg

from repository import migrate, queries

revision = "0015"
down_revision = "0014"

SQL = queries.load("0015_renewals.sql", folder="migrations")

INDEXES = tuple(name.removeprefix("build_") for name in SQL if name.startswith("build_"))


def upgrade() -> None:
    migrate.outside(build)
    migrate.take_locks(SQL["lock"])
    migrate.run(SQL["add"])


async def build(session: asyncpg.Connection) -> None:
    for name in INDEXES:
        await migrate.build_index(session, name, SQL[f"build_{name}"], SQL[f"drop_{name}"])
