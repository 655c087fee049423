"""Amounts as exact fractions, and the one way in which they are rounded."""

from collections.abc import Mapping
from fractions import Fraction
from math import floor
from typing import Any

Entry = Mapping[str, Any]  # of the catalogue file, as it was written

ZERO = Fraction(0)
ONE = Fraction(1)
_NOT_OFFERED = Fraction(-1)


def exact(written: object) -> Fraction:
    return Fraction(str(written))


def half_up(amount: Fraction, digits: int) -> Fraction:
    """Round to so many decimals; what lies in the middle goes up. No amount here is negative."""
    assert amount >= 0, amount
    unit = Fraction(1, 10**digits)
    return floor(amount / unit + Fraction(1, 2)) * unit


def percent(rate: Fraction) -> Fraction:
    return rate / 100


def offered(written: object) -> Fraction | None:
    """Read a price; None: absent or -1.00, which is "not offered" (5)."""
    if written is None:
        return None
    price = exact(written)
    return None if price == _NOT_OFFERED else price


def text(amount: Fraction, digits: int) -> str:
    """Write an amount as events have it: with the decimals of its currency."""
    units = amount * 10**digits
    assert units.denominator == 1, f"{amount} is not rounded to {digits} digits"
    whole, part = divmod(abs(units.numerator), 10**digits)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{part:0{digits}}" if digits else f"{sign}{whole}"
