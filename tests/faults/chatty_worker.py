"""A worker that says what it is, and looks at the bindings, five times a second: python -m tests.faults.chatty_worker.

Each time that it has said what it is is told in the log, as `test.told`.
"""

import sys

import structlog

from repository import processes
from worker import __main__ as program
from worker import bindings
from worker.presence import _Teller

EVERY_SECONDS = 0.2  # 10 and 60 in the program

log = structlog.get_logger()
tell = _Teller.tell


async def tell_and_log(teller: _Teller) -> bool:
    is_told = await tell(teller)
    log.info("test.told")
    return is_told


def main() -> None:
    setattr(_Teller, "tell", tell_and_log)  # noqa: B010  # a method, which is not to be assigned
    processes.TELL_EVERY_SECONDS = bindings.LOOK_EVERY_SECONDS = EVERY_SECONDS
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
