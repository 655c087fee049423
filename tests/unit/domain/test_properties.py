"""What holds for every order, whatever is in it."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import BillingCycle, DomainType, Extra, Price, Prorata, Promotion, PromotionType, QuantityRule
from schemas.order import AddonAsked, Item, OptionAsked, OrderRequest, PricedOrder, Terms
from worker.domain.money import to_minor_unit

from .builders import (
    ANNUALLY,
    FREE,
    MONTHLY,
    ONETIME,
    a_catalog,
    a_choice,
    a_client,
    a_product,
    a_promotion,
    a_request,
    a_tax_rule,
    a_tld,
    an_addon,
    an_option,
    ordered,
    some_facts,
)
