"""How things are laid out (worker/commands/layout.py): no word is ever cut or broken, at any width."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from worker.commands.layout import Block, Column, Grid, Screen, Stack, Table

UUID = "0b5f3c1e-8d1c-4a3e-9d5e-3c1b6f1f9a10"
SENTENCE = "Invalid Payment Method. Valid options include paypal, mailin"
COLUMNS = [Column("message_id"), Column("amount", right=True), Column("why", text=True)]
ROWS = [[UUID, "1009.90", SENTENCE], ["m-2", "7.00", "no"]]


def printed(block: Block, width: int | None) -> list[str]:
    """Print to a terminal of this width, or to a file."""
    console = Console(
        file=io.StringIO(),
        force_terminal=width is not None,
        width=width,
        soft_wrap=True,
        no_color=True,
        highlight=False,
    )
    console.print(Screen(block), style=None)
    assert isinstance(console.file, io.StringIO)
    return [line.replace("\x1b[2m", "").replace("\x1b[0m", "") for line in console.file.getvalue().splitlines()]


def test_a_table_that_fits_has_its_numbers_on_the_right() -> None:
    assert printed(Table(COLUMNS, ROWS), 120) == [
        "message_id                             amount  why",
        f"{UUID}  1009.90  {SENTENCE}",
        "m-2                                      7.00  no",
    ]


def test_text_gives_way_between_words_and_ids_and_amounts_do_not() -> None:
    assert printed(Table(COLUMNS, ROWS), 80) == [
        "message_id                             amount  why",
        f"{UUID}  1009.90  Invalid Payment Method. Valid",
        "                                               options include paypal, mailin",
        "m-2                                      7.00  no",
    ]


def test_a_table_without_room_becomes_a_list() -> None:
    assert printed(Table(COLUMNS, ROWS), 40) == [
        f"message_id  {UUID}",
        "amount      1009.90",
        "why         Invalid Payment Method.",
        "            Valid options include",
        "            paypal, mailin",
        "",
        "message_id  m-2",
        "amount      7.00",
        "why         no",
    ]


def test_a_file_has_no_width() -> None:
    assert printed(Table(COLUMNS, ROWS), None)[1] == f"{UUID}  1009.90  {SENTENCE}"


def test_a_tail_stands_below_its_row_at_any_width() -> None:
    table = Table([Column("id"), Column("amount", right=True)], [["a", "7.00"], ["b", "8.00"]], tails=[SENTENCE, ""])

    assert printed(table, 60) == [
        "id  amount",
        "a     7.00",
        "  Invalid Payment Method. Valid options include paypal,",
        "  mailin",
        "b     8.00",
    ]
    assert printed(table, 8) == [
        *("id      a", "amount  7.00"),
        *("  Invalid", "  Payment", "  Method.", "  Valid", "  options", "  include", "  paypal,", "  mailin"),
        *("", "id      b", "amount  8.00"),
    ]


def test_a_column_that_says_nothing_is_left_out() -> None:
    assert printed(Table([Column("id"), Column("code"), Column("replays")], [["a", "", "1"]]), 80) == [
        "id  replays",
        "a   1",
    ]


def test_a_grid_stands_beside_its_names_and_below_them_on_a_narrow_screen() -> None:
    grid = Grid([("message_id", UUID), ("nothing", ""), ("table", Table([Column("id")], [["7"]]))])

    assert printed(grid, 80) == [f"    message_id {UUID}", "         table id", "               7"]
    assert printed(grid, 40) == ["message_id", f"  {UUID}", "table", "  id", "  7"]


def test_what_others_wrote_does_not_drive_the_terminal() -> None:
    assert printed(Stack(["\x1b[31m[bold]:smile:\nnext"]), 80) == ["\\x1b[31m[bold]:smile:\\nnext"]


words = st.text(alphabet="ab1.-é漢", min_size=1, max_size=50)
sentences = st.lists(words, max_size=8).map(" ".join)
tables = st.lists(st.tuples(words, words, sentences, sentences), min_size=1, max_size=5)


@given(rows=tables, width=st.sampled_from([None, 20, 40, 60, 80, 120]))
@pytest.mark.parametrize("inside_a_grid", [False, True])
def test_at_any_width_every_cell_is_whole_and_every_word_of_a_text_too(
    rows: list[tuple[str, str, str, str]], width: int | None, *, inside_a_grid: bool
) -> None:
    columns = [Column("id"), Column("amount", right=True), Column("why", text=True), Column("more", text=True)]
    table = Table(columns, rows)

    lines = printed(Grid([("name", table)]) if inside_a_grid else table, width)

    for row in rows:
        for cell in row[:2]:
            assert any(cell in line for line in lines)
        for word in " ".join(row[2:]).split():
            assert any(word in line for line in lines)
    longest = max(cell_len(word) for row in rows for cell in row for word in cell.split())
    if width is not None:
        # Only a word that is longer than what there is stands out.
        assert max(map(cell_len, lines)) <= max(width, longest + len("amount") + 2 + 15)
