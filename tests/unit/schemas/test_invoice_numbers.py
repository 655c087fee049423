"""Formats of invoice numbers: what is one, and which numbers are counted together (addorder.md 5.12)."""

import json
from datetime import date

import pytest

from schemas.catalog_file import CatalogError, parse
from schemas.invoice_numbers import number_format

NEW_YEARS_EVE = date(2026, 12, 31)
NEW_YEAR = date(2027, 1, 1)


@pytest.mark.parametrize(
    ("written", "first", "later", "in_the_new_year"),
    [
        ("{number}", "1", "123456", "1"),
        ("{year}-{number:05}", "2026-00001", "2026-123456", "2027-00001"),
        ("{year}{month}{number:03}", "202612001", "202612123456", "202701001"),
        ("INV/{month}/{number}/{year}", "INV/12/1/2026", "INV/12/123456/2026", "INV/01/1/2027"),
        ("№ {number:012}", "№ 000000000001", "№ 000000123456", "№ 000000000001"),
    ],
)
def test_a_number_is_its_position_in_the_format_of_its_day(
    written: str, first: str, later: str, in_the_new_year: str
) -> None:
    series = number_format(written).series(NEW_YEARS_EVE)

    assert (series.number(1), series.number(123_456)) == (first, later)
    assert number_format(written).series(NEW_YEAR).number(1) == in_the_new_year


def test_a_year_begins_a_series_and_other_digits_do_not() -> None:
    by_year, wider = number_format("{year}-{number:05}"), number_format("{year}-{number:07}")

    assert by_year.series(NEW_YEARS_EVE).name == wider.series(NEW_YEARS_EVE).name == "2026-{number}"
    assert by_year.series(NEW_YEAR).name == "2027-{number}"
    assert number_format("{number}").series(NEW_YEARS_EVE).name == number_format("{number}").series(NEW_YEAR).name


ONCE = "must have {number}, or {number:05}, once: what tells two invoices apart"
FIELDS = "takes {year}, {month}, {number} and {number:05} in braces, and nothing else"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("{year}-{month}", ONCE),
        ("{number}-{number}", ONCE),
        ("{number:5}", ONCE),
        ("{number:00}", ONCE),
        ("{number:05d}", ONCE),
        ("{NUMBER}", ONCE),
        ("{day}-{number}", FIELDS),
        ("{year!r}-{number}", FIELDS),
        ("{{number}}", FIELDS),
        ("{number}}", FIELDS),
        ("{number:013}", "must not fill numbers up to more than 12 digits"),
        ("x" * 64 + "{number}", "must be at most 64 characters in one line, without blanks around it"),
        ("{number}\n", "must be at most 64 characters in one line, without blanks around it"),
        (" {number}", "must be at most 64 characters in one line, without blanks around it"),
    ],
)
def test_what_is_no_format_is_refused_with_a_sentence(written: str, why: str) -> None:
    with pytest.raises(CatalogError) as raised:
        parse(json.dumps({"settings": {"invoice_number": written}}))

    assert raised.value.faults == (f"settings.invoice_number: {why}",)


def test_an_empty_format_is_none() -> None:
    assert parse('{"settings": {"invoice_number": ""}}').settings.given == {"invoice_number": ""}
