"""Warnings stay with their order, so that its answer can be made again."""

from repository.migrate import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql("0004_warnings.sql")
