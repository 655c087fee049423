"""Numbers of invoices, and what an invoice keeps as it was when it was made."""

from repository.migrate import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql("0014_invoices.sql")
