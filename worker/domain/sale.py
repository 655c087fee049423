"""One order on its way through the rules: who buys what, on which day, at which prices."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from schemas.catalog import (
    CYCLES,
    Addon,
    BillingCycle,
    Catalog,
    ConfigChoice,
    Currency,
    DomainType,
    Extra,
    Price,
    Prices,
    Product,
    Tld,
)
from schemas.order import Client, Facts, OrderRequest, Totals
from schemas.shop_settings import ShopSettings
from worker.domain.money import ZERO, to_minor_unit
from worker.domain.wording import period_text

_FREE = {BillingCycle.FREE: Price(ZERO, ZERO)}
_NOT_SOLD: Mapping[BillingCycle, Price] = {}
_NO_YEARS: Mapping[int, Decimal] = {}
_NO_EXTRAS: Mapping[Extra, Decimal] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """All that a rule may ask. Prices are those of the client's currency: nothing is converted (addorder.md 5)."""

    request: OrderRequest
    client: Client
    currency: Currency
    facts: Facts
    totals: Totals
    catalog: Catalog

    @property
    def today(self) -> date:
        return self.facts.today

    @property
    def settings(self) -> ShopSettings:
        return self.catalog.settings

    @property
    def zero(self) -> Decimal:
        """Nothing, in the currency's digits: `0.00`."""
        return self.rounded(ZERO)

    def rounded(self, amount: Decimal) -> Decimal:
        """Round half up to the digits of the client's currency; reject what cannot be stored."""
        return to_minor_unit(amount, self.currency.digits)

    def period_text(self, start: date, end: date | None) -> str:
        """Write a period as the shop writes dates, behind a space; nothing for what has no period."""
        return period_text(start, end, self.settings.date_format)

    def product_prices(self, product: Product) -> Mapping[BillingCycle, Price]:
        return _FREE if product.pay_type == "free" else self._cycles(product.prices)

    def addon_prices(self, addon: Addon) -> Mapping[BillingCycle, Price]:
        return self._cycles(addon.prices)

    def choice_prices(self, choice: ConfigChoice) -> Mapping[BillingCycle, Price]:
        return self._cycles(choice.prices)

    def domain_prices(self, tld: Tld, domain_type: DomainType) -> Mapping[int, Decimal]:
        table = tld.register if domain_type is DomainType.REGISTER else tld.transfer
        return table.get(self.currency.code, _NO_YEARS)

    def renew_prices(self, tld: Tld) -> Mapping[int, Decimal]:
        return tld.renew.get(self.currency.code, _NO_YEARS)

    def extra_prices(self, tld: Tld) -> Mapping[Extra, Decimal]:
        return tld.extras.get(self.currency.code, _NO_EXTRAS)

    def _cycles(self, prices: Prices) -> Mapping[BillingCycle, Price]:
        return prices.get(self.currency.code, _NOT_SOLD)


def shortest_first(cycles: Iterable[BillingCycle]) -> list[BillingCycle]:
    offered = frozenset(cycles)
    return [cycle for cycle in CYCLES if cycle in offered]
