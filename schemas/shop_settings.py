"""The shop's own settings: what sets a price or a date for everybody. They live in the database, with the catalogue.

A setting is a field of ShopSettings, a key of the map `settings` of the catalogue file (catalog_entries.py), and a
column of the table `catalogue` that is null until somebody has set it.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

GRACE_DAYS_MAX = 365
NAMESERVERS_MAX = 13  # what registries take of a domain
HOST_CHARS_MAX = 253

_HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+\.?", re.IGNORECASE | re.ASCII)


class Tax(StrEnum):
    """Whether tax comes on top of prices, or is contained in them (addorder.md 5.11)."""

    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSettings:
    """What holds. The defaults are for what nobody has set."""

    tax: Tax = Tax.EXCLUSIVE
    invoice_grace_days: int = 0  # from an invoice's date to the day it is due
    nameservers: tuple[str, ...] = ()  # of domains whose order names none
    timezone: str = "UTC"  # an IANA name; today is the date there

    @classmethod
    def of(cls, given: "Given") -> Self:
        return cls(**given)  # type: ignore[arg-type]  # who gives it has checked names and types

    def as_in_file(self) -> dict[str, object]:
        """Write all of them as the catalogue file has them."""
        return {**asdict(self), "tax": str(self.tax), "nameservers": list(self.nameservers)}

    @property
    def tax_inclusive(self) -> bool:
        return self.tax is Tax.INCLUSIVE


SettingValue = Tax | int | tuple[str, ...] | str
Given = Mapping[str, SettingValue]  # those that are set, by name: in a file, in an environment, in the database

NAMES = tuple(field.name for field in fields(ShopSettings))


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


Nameservers = Annotated[tuple[Annotated[str, AfterValidator(_host_name)], ...], Field(max_length=NAMESERVERS_MAX)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
