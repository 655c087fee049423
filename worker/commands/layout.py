"""How things are laid out, whatever the width: what counts is whole, and the rest gives way.

No word is ever cut or broken, so that an id, an amount or a command can be read and copied. Columns of text are wrapped
between words; where that is not enough, a table becomes a list. Where the output is no terminal there is no width.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Protocol

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from worker.redaction import escape_controls

GAP = 2  # between columns
NAMES_WIDTH = 14  # of a grid's names
STACKED_BELOW = 60  # columns of the screen: a grid's names then stand above what there is to say of them

_WORD = re.compile(r"\S+\s*")


class Block(Protocol):
    """Something of several lines. A width of None is no width."""

    def lines(self, width: int | None) -> Iterator[Text]: ...


Content = str | Text | Block  # text of others comes as str, and what would drive a terminal is written out


@dataclass(frozen=True, slots=True)
class Screen:
    """Prints a block through rich, which must not wrap or cut it."""

    block: Block

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.block.lines(options.max_width if console.is_terminal else None):
            line.no_wrap, line.overflow = True, "ignore"
            yield line


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. `text` may be wrapped; ids, amounts, times and what is to be copied are not."""

    heading: str
    right: bool = False  # numbers
    text: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; a column in which nobody has anything is left out. A row's tail stands below it."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Text]]
    tails: Sequence[str | Text] = ()
    with_headings: bool = True

    def lines(self, width: int | None) -> Iterator[Text]:
        rows = [[_text(cell) for cell in row] for row in self.rows]
        used = [n for n in range(len(self.columns)) if any(row[n].plain for row in rows)]
        columns = [self.columns[n] for n in used]
        rows = [[row[n] for n in used] for row in rows]
        widths = _widths(columns, rows, width)
        if widths is not None and self.with_headings:
            yield from _side_by_side([Text(column.heading, style="dim") for column in columns], columns, widths)
        for number, (row, tail) in enumerate(zip(rows, self.tails or [""] * len(rows), strict=True)):
            if widths is not None:
                yield from _side_by_side(row, columns, widths)
            else:
                if number:
                    yield Text()
                yield from _as_list(row, columns, width)
            for line in wrapped(_text(tail), None if width is None else width - GAP) if tail else ():
                yield Text(" " * GAP) + line


@dataclass(frozen=True, slots=True)
class Grid:
    """Names, and what there is to say of each; what is empty is left out."""

    rows: Iterable[tuple[str, Content | None]]

    def lines(self, width: int | None) -> Iterator[Text]:
        stacked = width is not None and width < STACKED_BELOW
        indent = GAP if stacked else NAMES_WIDTH + 1
        for name, content in self.rows:
            if not content:
                continue
            inner = lines_of(content, None if width is None else width - indent)
            if stacked and name:
                yield Text(name, style="dim")
            for number, line in enumerate(inner):
                label = name if number == 0 and not stacked else ""
                yield Text.assemble((label.rjust(indent - 1), "dim"), " ", line) if line.plain else Text(label)


@dataclass(frozen=True, slots=True)
class Stack:
    """Several things below each other."""

    parts: Sequence[Content]

    def lines(self, width: int | None) -> Iterator[Text]:
        for part in self.parts:
            yield from lines_of(part, width)


def lines_of(content: Content, width: int | None) -> Iterator[Text]:
    if isinstance(content, str | Text):
        yield from wrapped(_text(content), width)
    else:
        yield from content.lines(width)


def wrapped(text: Text, width: int | None) -> list[Text]:
    """Break a text between words, and only there."""
    lines: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        lines += [line] if width is None else line.divide(_breaks(line.plain, width))
    for line in lines:
        line.rstrip()
    return lines


def _breaks(line: str, width: int) -> Iterator[int]:
    begin = 0  # of the line that is being filled
    for word in _WORD.finditer(line):
        if word.start() > begin and cell_len(line[begin : word.end()].rstrip()) > width:
            begin = word.start()
            yield begin


def in_rows(text: str) -> Text:
    """Write a text of several rows, all but the first indented; what else would drive a terminal is written out."""
    return Text("\n  ".join(map(escape_controls, text.split("\n"))))


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(escape_controls(cell))


def _longest_line(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int | None) -> list[int] | None:
    """Give each column its width; None: they do not fit side by side.

    What cannot be wrapped has what it needs. What is left is for text, where the widest gives most.
    """
    cells = [[column.heading, *(row[n].plain for row in rows)] for n, column in enumerate(columns)]
    widths = [max(map(_longest_line, texts)) for texts in cells]
    if width is None:
        return widths
    least = [
        max(map(_longest_word, texts)) if column.text else whole
        for column, texts, whole in zip(columns, cells, widths, strict=True)
    ]
    room = width - GAP * (len(columns) - 1)
    if sum(least) > room:
        return None
    while sum(widths) > room:
        _, widest = max((given - needed, n) for n, (given, needed) in enumerate(zip(widths, least, strict=True)))
        widths[widest] -= 1
    return widths


def _side_by_side(row: Sequence[Text], columns: Sequence[Column], widths: Sequence[int]) -> Iterator[Text]:
    cells = [
        wrapped(cell, room if column.text else None) for cell, column, room in zip(row, columns, widths, strict=True)
    ]
    for parts in zip_longest(*cells, fillvalue=Text()):
        line = Text()
        for part, column, width in zip(parts, columns, widths, strict=True):
            space = Text(" " * (width - cell_len(part.plain)))
            line.append_text(space + part if column.right else part + space).append(" " * GAP)
        line.rstrip()
        yield line


def _as_list(row: Sequence[Text], columns: Sequence[Column], width: int | None) -> Iterator[Text]:
    """Write a row as lines of heading and value."""
    names = max(cell_len(column.heading) for column in columns)
    for column, cell in zip(columns, row, strict=True):
        if not cell.plain:
            continue
        room = None if width is None or not column.text else max(width - names - GAP, 1)
        for number, part in enumerate(wrapped(cell, room)):
            heading = column.heading if number == 0 else ""
            yield Text.assemble((heading.ljust(names + GAP), "dim"), part)
