"""A worker that waits for less long than it should, so that a test need not: python -m tests.faults.hasty_worker.

Every bound on a wait for a server is there, and stands to the others as it does in the program.
"""

import sys

from repository import database, unsent
from worker import __main__ as program
from worker.broker import workarounds
from worker.pipeline import sweeper

HEARTBEAT_SECONDS = 4  # 10 in the program; fewer, and aiormq's rounding would be most of it
STATEMENT_SECONDS_MAX = 3  # 10
ANSWER_SECONDS_MAX = 5  # 15
CONNECT_SECONDS_MAX = 1  # 5, to Postgres
FIRST_TRY_SECONDS, TRY_SECONDS_MAX = 0.5, 2.0  # 15 and 600, of what the broker did not take
LOOK_SECONDS = 0.5  # 5, between two looks at that


def main() -> None:
    workarounds.HEARTBEAT_SECONDS = HEARTBEAT_SECONDS
    database.STATEMENT_SECONDS_MAX = database.LOCK_SECONDS_MAX = STATEMENT_SECONDS_MAX
    database.ANSWER_SECONDS_MAX = ANSWER_SECONDS_MAX
    database.CONNECT_SECONDS_MAX = CONNECT_SECONDS_MAX
    unsent.FIRST_TRY_SECONDS, unsent.TRY_SECONDS_MAX = FIRST_TRY_SECONDS, TRY_SECONDS_MAX
    sweeper.LOOK_SECONDS = LOOK_SECONDS
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
