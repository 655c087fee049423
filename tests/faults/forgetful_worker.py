"""A worker that fails at whatever was answered before: python -m tests.faults.forgetful_worker KIND.

`bug`: a bug. `connections`: Postgres has too few connections.
"""

import sys
from typing import Any

import asyncpg

from worker import __main__ as program
from worker.pipeline import carry_out

FAULTS: dict[str, Exception] = {
    "bug": RuntimeError("beside the line"),
    "connections": asyncpg.TooManyConnectionsError("sorry, too many clients already"),
}


def main() -> None:
    fault = FAULTS[sys.argv[1]]

    def sort_out(*_: Any) -> Any:
        raise fault

    setattr(carry_out, "sort_out", sort_out)  # noqa: B010  # not an export of its
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
