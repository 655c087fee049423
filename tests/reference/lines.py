"""One line of an order: what it costs, piece by piece, and what is taken off."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from tests.reference.amounts import ONE, ZERO, half_up


@dataclass(frozen=True, kw_only=True)
class Line:
    """What is billed for one service, addon, domain or renewal.

    `price` and `options` are for the whole period; `share` is how much of it is billed now (5.8).
    """

    kind: str  # service, addon, domain, service_renewal, addon_renewal, domain_renewal
    target: int  # product, addon of the catalogue, or what is renewed; 0: a domain that is ordered
    price: Fraction = ZERO
    options: Fraction = ZERO  # configurable options, or extras of a domain
    setup: Fraction = ZERO
    late_fee: Fraction = ZERO
    share: Fraction = ONE
    units: int = 1  # of a price that a code puts in place of this one
    recurring: Fraction | None = None  # with options; None: billed once
    recurring_options: Fraction = ZERO
    taxed: bool
    is_free: bool = (
        False  # of a free product: alone it makes no invoice (5.12). A free domain has a price that is waived
    )
    tld: str | None = None  # of a domain, registered, transferred or renewed
    cycle: str | None = None
    months: int = 0
    period: tuple[date, date] | None = None  # first and last day that this bills; None: it tells none
    is_lowered: bool = False  # by a code, before: what a renewal is charged (5.10); or now, for ever: what recurs
    takes_discount: bool = False  # a renewal that uses up one of `discounts_left`
    code_off: Fraction = ZERO
    group_off: Fraction = ZERO
    has_group: bool = False  # a group that gives a discount, though it may come to nothing here
    recurring_full: Fraction | None = None
    discounts_left: int | None = None
    parent: int | None = None  # position of an addon's service among the lines
    service_id: int | None = None  # of an addon-only line
    extras: tuple[str, ...] = ()
    name: str = ""
    free_with: int | None = None  # position of the service with which a domain is free while it is renewed
    digits: int
    # Divided already, where tax is deducted (5.11): then price, options, setup and fee are what they came to.
    deducted: Mapping[str, Fraction] = field(default_factory=dict)

    @property
    def pieces(self) -> dict[str, Fraction]:
        """What the first payment is made of. Prorata rounds once, over price and options together."""
        if self.deducted:
            return dict(self.deducted)
        billed = half_up((self.price + self.options) * self.share, self.digits)
        options = half_up(self.options * self.share, self.digits)
        return {"price": billed - options, "options": options, "setup": self.setup, "late_fee": self.late_fee}

    @property
    def first(self) -> Fraction:
        """The first payment before discounts and exclusive tax."""
        return sum(self.pieces.values(), ZERO)

    @property
    def discountable(self) -> Fraction:
        """What code and group look at: a late fee they neither lower nor weigh (5.7)."""
        return self.first - self.pieces["late_fee"]

    @property
    def off(self) -> Fraction:
        return self.code_off + self.group_off

    @property
    def owed(self) -> Fraction:
        return self.first - self.off
