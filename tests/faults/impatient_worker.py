"""A worker that is not patient with a broker that hands nothing over: python -m tests.faults.impatient_worker."""

import sys

from worker import __main__ as program
from worker import consumer


def main() -> None:
    consumer.WATCH_SECONDS, consumer.SILENT_SECONDS_MAX = 0.2, 1.0  # 15 and 60 in the program
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
