"""Bars for what takes long."""

from rich.progress import Progress

from worker.commands import err


def progress(total: int, shown_from: int) -> Progress:
    """Make a bar that goes again, for a person who would else wait: nobody watches a file, nor what is over at once."""
    return Progress(console=err, transient=True, disable=total < shown_from or not err.is_terminal)
