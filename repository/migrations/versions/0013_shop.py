"""The shop has an id, and a place for what a failover or a restored backup has lost."""

from repository.migrate import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql("0013_shop.sql")
