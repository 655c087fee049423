"""Orders are found by what they have."""

import asyncpg

from repository import migrate, queries

revision = "0011"
down_revision = "0010"

SQL = queries.load("0011_find.sql", folder="migrations")

INDEXES = tuple(name.removeprefix("build_") for name in SQL if name.startswith("build_"))


def upgrade() -> None:
    migrate.outside(build)


async def build(session: asyncpg.Connection) -> None:
    for name in INDEXES:
        await migrate.build_index(session, name, SQL[f"build_{name}"], SQL[f"drop_{name}"])
