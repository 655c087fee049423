"""Orders are found by what they have."""

from repository.migrate import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql("0011_find.sql")
