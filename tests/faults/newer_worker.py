"""A worker of the version after this one, which knows a migration more: python -m tests.faults.newer_worker."""

import sys

from repository import migrate
from worker import __main__ as program

REVISION = "9999"

known_revisions = migrate._revisions  # noqa: SLF001  # what the program knows is what is changed here


def main() -> None:
    setattr(migrate, "head", lambda: REVISION)  # noqa: B010  # a function of another module
    setattr(migrate, "_revisions", lambda: known_revisions() | {REVISION})  # noqa: B010
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
