"""Orders are found by what they have."""

from repository.migrate import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql("0010_find.sql")
