"""Requests as a person gives them to a command: form fields, files of any of the three encodings, standard input."""

import sys
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from schemas import wire
from worker.commands import fail
from worker.operations.publishing import Given, content_type_of, split

STANDARD_INPUT = Path("-")

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE",
        help="Files of one request each, as JSON, form fields or PHP-serialized, or of JSON lines, one request a line; "
        "- or none: standard input.",
    ),
]
Forms = Annotated[
    list[str] | None, typer.Option("--form", metavar="FIELDS", help="A request as form fields: 'clientid=1&pid=1&…'.")
]


def requests_in(files: list[Path] | None, forms: list[str] | None) -> list[Given]:
    """List the requests of a command line, forms first.

    Raises:
        NotSent: a line of one that has JSON objects is none.
    """
    numbers = count(1)
    given = [Given(next(numbers), "--form", form.encode(), wire.FORM) for form in forms or ()]
    if files or not forms:
        for path in files or [STANDARD_INPUT]:
            name = "standard input" if path == STANDARD_INPUT else str(path)
            given += [
                Given(next(numbers), where, body, content_type_of(body)) for where, body in split(_text(path), name)
            ]
    return given


def _text(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
    except OSError as error:
        fail(f"{path}: {error.strerror}")
