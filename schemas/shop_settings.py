"""The shop's own settings: what sets a price, a date or a number for everybody.

They live in the database, with the catalogue. A setting is a field of ShopSettings, a key of the map `settings` of the
catalogue file (catalog_entries.py), and a column of the table `catalogue` that is null until somebody has set it.

`invoice_next` stands beside them and holds nothing: it says where the present series of invoice numbers goes on
(repository/invoice_numbers.py).
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from schemas.invoice_numbers import NumberFormat, number_format

GRACE_DAYS_MAX = 365
NAMESERVERS_MAX = 13  # what registries take of a domain
HOST_CHARS_MAX = 253
NOTE_CHARS_MAX = 1_000
DATE_FORMAT_CHARS_MAX = 32

_HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+\.?", re.IGNORECASE | re.ASCII)
_DATE_PART = re.compile("%(.?)", re.DOTALL)
_DATE_PARTS = {"d": "day", "m": "month", "b": "month", "B": "month", "Y": "year", "y": "year"}


class Tax(StrEnum):
    """Whether tax comes on top of prices, or is contained in them (addorder.md 5.11)."""

    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"


class TaxExempt(StrEnum):
    """What exempt clients pay where prices contain tax: the same, or the price without it (addorder.md 5.11)."""

    KEEP = "keep"
    DEDUCT = "deduct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """Who sells, as invoices name them. Empty: nobody has said it."""

    name: str = ""
    address: str = ""  # may have several lines
    country: str = ""
    tax_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSettings:
    """What holds. The defaults are for what nobody has set."""

    tax: Tax = Tax.EXCLUSIVE
    tax_exempt: TaxExempt = TaxExempt.KEEP
    tax_note: str = ""  # on the invoices of clients who are exempt, such as "Reverse charge"; empty: none
    invoice_grace_days: int = 0  # from an invoice's date to the day it is due
    invoice_number: str = (
        ""  # how invoices are numbered once they are paid, as "{year}-{number:05}"; empty: they are not
    )
    accept_when_paid: bool = False  # whether the payment that settles an order's invoice accepts the order
    date_format: str = "%d/%m/%Y"  # of dates in descriptions, as strftime has it
    nameservers: tuple[str, ...] = ()  # of domains whose order names none
    timezone: str = "UTC"  # an IANA name; today is the date there
    seller: Seller = field(default_factory=Seller)

    @classmethod
    def of(cls, given: "Given") -> Self:
        return cls(**given)  # type: ignore[arg-type]  # who gives it has checked names and types

    def as_in_file(self) -> dict[str, object]:
        """Write all of them as the catalogue file has them."""
        written = {"tax": str(self.tax), "tax_exempt": str(self.tax_exempt), "nameservers": list(self.nameservers)}
        return {**asdict(self), **written}

    @property
    def tax_inclusive(self) -> bool:
        return self.tax is Tax.INCLUSIVE

    @property
    def numbers(self) -> NumberFormat | None:
        """How invoices are numbered; None: they are not."""
        return number_format(self.invoice_number) if self.invoice_number else None


SettingValue = Tax | TaxExempt | Seller | bool | int | tuple[str, ...] | str
Given = Mapping[str, SettingValue]  # those that are set, by name: in a file, in an environment, in the database

NAMES = tuple(setting.name for setting in fields(ShopSettings))


# ---------------------------------------------------------------- how they are written


def _host_name(written: str) -> str:
    if len(written) > HOST_CHARS_MAX or _HOST.fullmatch(written) is None:
        raise PydanticCustomError("host_name", "must be the name of a host such as ns1.example.com")
    return written


def _time_zone(written: str) -> str:
    # A machine may have no list of them. The last word has the database, whose clock tells the date.
    known = available_timezones()
    if known and written not in known:
        raise PydanticCustomError("time_zone", "must be a time zone such as Europe/Berlin")
    return written


def _date_format(written: str) -> str:
    """Refuse what would write two days alike, or something that is no date."""
    parts = [_DATE_PARTS.get(letter) for letter in _DATE_PART.findall(written)]
    if sorted(filter(None, parts)) != ["day", "month", "year"] or None in parts or not written.isprintable():
        raise PydanticCustomError(
            "date_format", "must have a day (%d), a month (%m, %b or %B) and a year (%Y or %y), once each: as %d/%m/%Y"
        )
    return written


def _invoice_number(written: str) -> str:
    """An empty one is none."""
    if written:
        try:
            number_format(written)
        except ValueError as error:
            raise PydanticCustomError("invoice_number", "{why}", {"why": str(error)}) from None
    return written


Nameservers = Annotated[tuple[Annotated[str, AfterValidator(_host_name)], ...], Field(max_length=NAMESERVERS_MAX)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
DateFormat = Annotated[str, Field(max_length=DATE_FORMAT_CHARS_MAX), AfterValidator(_date_format)]
InvoiceNumber = Annotated[str, AfterValidator(_invoice_number)]
