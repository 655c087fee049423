"""Requests as a person gives them to a command: form fields, files of any of the three encodings, standard input."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from schemas import wire
from worker.client import Request
from worker.commands import fail

STANDARD_INPUT = Path("-")

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Files of one request each, as JSON, form fields or PHP-serialized, or of JSON lines, one request a line; "
        "- or none: standard input."
    ),
]
Forms = Annotated[list[str] | None, typer.Option("--form", help="A request as form fields: 'clientid=1&pid=1&…'.")]

_SERIALIZED = re.compile(rb"a:[0-9]+:\{")


def requests_in(files: list[Path] | None, forms: list[str] | None) -> Iterator[Request]:
    """List the requests of a command line, forms first."""
    for form in forms or ():
        yield Request(form.encode(), wire.FORM)
    if files or not forms:
        for path in files or [STANDARD_INPUT]:
            for body in _bodies(path):
                yield Request(body, _content_type(body))


def _bodies(path: Path) -> Iterator[bytes]:
    try:
        text = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    lines = [line for line in text.splitlines() if line.strip()]
    # JSON lines: every line is a request of its own; anything else is one request over several lines.
    if len(lines) > 1 and all(line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}") for line in lines):
        yield from lines
    elif text.strip():
        yield text.strip()


def _content_type(body: bytes) -> str:
    """Tell the encoding from how a body begins. What is nothing else, and has no fields either, was meant as JSON."""
    if _SERIALIZED.match(body):
        return wire.PHP
    return wire.FORM if not body.startswith((b"{", b"[")) and b"=" in body else wire.JSON
