"""Amounts: rounding and the largest that can be stored (addorder.md 5). All are in the currency's major unit."""

from decimal import ROUND_HALF_UP, Decimal

from schemas import rejections
from schemas.rejections import Rejected

ZERO = Decimal(0)
PERCENT = Decimal(100)

# What numeric(16,2) can hold. Up to it, 28 digits of precision are exact for every product of factors.
AMOUNT_MAX = Decimal("99999999999999.99")

_MINOR_UNITS = tuple(Decimal(1).scaleb(-digits) for digits in range(5))  # no currency has more than four digits


def to_minor_unit(amount: Decimal, digits: int) -> Decimal:
    """Round half up to the currency's digits.

    Raises:
        Rejected: total_too_large, above AMOUNT_MAX.
    """
    check_size(amount)
    return amount.quantize(_MINOR_UNITS[digits], rounding=ROUND_HALF_UP)


def check_size(amount: Decimal) -> None:
    if amount > AMOUNT_MAX:
        raise Rejected(rejections.total_too_large())
