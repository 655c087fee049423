"""What was added as not valid yet."""

import asyncpg

from repository import migrate

revision = "0016"
down_revision = "0015"

VALIDATE = migrate.FOLDER.joinpath("0016_renewals_valid.sql").read_text(encoding="utf-8")


def upgrade() -> None:
    migrate.outside(validate)


async def validate(session: asyncpg.Connection) -> None:
    migrate.tell("validating what was added; workers go on meanwhile")
    await session.execute(VALIDATE)
