"""A worker that may have few files open, LIMITED_TO so many, and may ask for more."""

import os
import resource
import sys

from worker import __main__ as program


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(os.environ["LIMITED_TO"]), hard))
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
