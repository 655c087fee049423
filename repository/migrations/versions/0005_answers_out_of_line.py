"""What was said lies apart from whether it is published."""

from repository.migrate import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql("0005_answers_out_of_line.sql")
