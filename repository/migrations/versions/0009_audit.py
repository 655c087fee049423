"""Who did what, to which thing, and why: begun, and ended."""

from repository.migrate import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql("0009_audit.sql")
