"""Who runs, where, as which version, and whether it is paused."""

from repository.migrate import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql("0012_processes.sql")
