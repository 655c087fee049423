"""A worker that says what it is five times a second, and logs that it has: python -m tests.faults.chatty_worker."""

import sys

import structlog

from repository import processes
from worker import __main__ as program
from worker.presence import _Teller

TELL_EVERY_SECONDS = 0.2  # 10 in the program

log = structlog.get_logger()
tell = _Teller.tell


async def tell_and_log(teller: _Teller) -> None:
    await tell(teller)
    log.info("test.told")


def main() -> None:
    setattr(_Teller, "tell", tell_and_log)  # noqa: B010  # a method, which is not to be assigned
    processes.TELL_EVERY_SECONDS = TELL_EVERY_SECONDS
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
