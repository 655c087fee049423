"""What the broker did not take is kept, and holds nobody back."""

from repository.migrate import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql("0010_unsent.sql")
