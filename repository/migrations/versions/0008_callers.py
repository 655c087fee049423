"""A caller outlives its secrets."""

import asyncpg

from repository import migrate, queries

revision = "0008"
down_revision = "0007"

SQL = queries.load("0008_callers.sql", folder="migrations")


def upgrade() -> None:
    migrate.outside(validate)
    migrate.run(SQL["add"])


async def validate(session: asyncpg.Connection) -> None:
    migrate.tell("validating what was changed; workers go on meanwhile")
    await session.execute(SQL["validate"])
