"""Keys of text are ordered by their bytes, whatever the collation of the database is."""

import asyncpg

from repository import migrate, queries

revision = "0007"
down_revision = "0006"

SQL = queries.load("0007_collation.sql", folder="migrations")

INBOX = "inbox_message_id_caller_key"
INDEXES = (
    INBOX,
    "orders_order_number_by_bytes",
    "domains_by_client_and_name_bytes",
    "audit_by_message_id_bytes",
    "audit_by_new_message_id_bytes",
)
ROUNDS_MAX = 5  # of parting doubles: as long as the old index is in use, it may let in more


def upgrade() -> None:
    migrate.outside(build)
    migrate.take_locks(SQL["lock"])
    migrate.run(SQL["swap"])


async def build(session: asyncpg.Connection) -> None:
    for name in INDEXES:
        for round_ in range(1, ROUNDS_MAX + 1):
            try:
                await migrate.build_index(session, name, SQL[f"build_{name}"], SQL[f"drop_{name}"])
                break
            except asyncpg.UniqueViolationError:
                if name != INBOX or round_ == ROUNDS_MAX:
                    raise
                await part_doubles(session)


async def part_doubles(session: asyncpg.Connection) -> None:
    """Give what was let in twice a key of its own, and say which it is. Orders stay: all of them are real."""
    async with session.transaction():
        await migrate.give_way(session)
        await session.execute(SQL["let_doubles_be"])
    doubles = await session.fetch(SQL["part_doubles"])
    migrate.tell(f"the inbox's index was in a wrong order, and has let in {len(doubles)} requests a second time:")
    for double in doubles[: migrate.TOLD_MAX]:
        migrate.tell(f"  {double['message_id']} of {double['caller']}: {became(double)}")
    if len(doubles) > migrate.TOLD_MAX:
        migrate.tell("  and more: SELECT id, message_id, caller FROM inbox WHERE caller LIKE 'double:%'")


def became(double: asyncpg.Record) -> str:
    if double["order_id"] is None:
        return "its second row, which has no order, is set aside"
    return (
        f"was ordered twice; asked again, it is order {double['kept_order_id']}; order {double['order_id']} stays as "
        "well: see whether its client wants both"
    )
