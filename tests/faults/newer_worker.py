"""A worker of the version after this one, which knows a migration more: python -m tests.faults.newer_worker."""

import sys

from repository import revisions
from worker import __main__ as program

REVISION = "9999"


def main() -> None:
    setattr(revisions, "REVISIONS", (*revisions.REVISIONS, REVISION))  # noqa: B010  # a constant of another module
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
