"""The workshop: everything that runs."""

import signal
import sys
from pathlib import Path

# A program of its own ends at Ctrl-C without a traceback while all of it is being loaded; then __main__.py sees to it.
if sys.argv[:1] == ["-m"] or Path(sys.argv[0]).name == "orders":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
