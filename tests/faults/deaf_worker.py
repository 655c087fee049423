"""A worker that hears of nothing it is handed, and does not wait for that long: python -m tests.faults.deaf_worker.

With `impatient` it hears, and waits no longer.
"""

import sys

from aiormq.abc import DeliveredMessage

from worker import __main__ as program
from worker.pipeline import session
from worker.pipeline.delivery_buffer import DeliveryBuffer


async def hear_nothing(_buffer: DeliveryBuffer, _message: DeliveredMessage) -> None: ...


def main() -> None:
    session.WATCH_SECONDS, session.SILENT_SECONDS_MAX = 0.2, 1.0  # 15 and 60 in the program
    if "impatient" not in sys.argv:
        setattr(DeliveryBuffer, "put", hear_nothing)  # noqa: B010  # a method, which is not to be assigned
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
