"""The catalogue, the clients and what they own."""

from repository.migrate import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql("0001_catalogue.sql")
