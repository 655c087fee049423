"""What prices belongs to the shop, and is kept with its catalogue."""

from repository.migrate import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql("0006_settings.sql")
