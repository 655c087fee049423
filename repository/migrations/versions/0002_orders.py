"""Orders and all that is born with them, and the inbox."""

from repository.migrate import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql("0002_orders.sql")
