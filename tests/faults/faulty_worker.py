"""A worker whose rules go wrong where the order's notes say so: python -m tests.faults.faulty_worker.

`bug`: a bug. `kill`: the process dies. `deadlock N`: Postgres reports a deadlock the first N times.
Each time that an order with such notes is tried is told in the log, as `test.tried`.
"""

import json
import os
import signal
import sys
import time
from typing import Any

import asyncpg

from worker import __main__ as program
from worker.actions import add_order
from worker.domain.decide import decide as decide_rightly

deadlocks: dict[str, int] = {}


def decide_wrongly(request: Any, *others: Any) -> Any:
    if request.notes:
        line = {"event": "test.tried", "notes": request.notes, "at": time.time()}
        sys.stderr.write(f"{json.dumps(line)}\n")
    match (request.notes or "").split():
        case ["bug"]:
            raise RuntimeError("hunter2 is in this text")
        case ["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["deadlock", times]:
            deadlocks[times] = deadlocks.get(times, 0) + 1
            if deadlocks[times] <= int(times):
                raise asyncpg.DeadlockDetectedError("deadlock detected")
    return decide_rightly(request, *others)


def main() -> None:
    setattr(add_order, "decide", decide_wrongly)  # noqa: B010  # not an export of its
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
