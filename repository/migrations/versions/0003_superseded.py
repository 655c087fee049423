"""Requests that were edited, and the audit of what operators do."""

from repository.migrate import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql("0003_superseded.sql")
