"""What a renewal costs after the expiry (addorder.md 5.7, late domains). Today is 23 November 2026."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from schemas.catalog import LatePhase, Tld
from schemas.order import Charge, Facts, PricedRenewal
from tests.builders import (
    TODAY,
    a_catalog,
    a_client,
    a_promotion,
    a_request,
    a_tax_rule,
    a_tld,
    an_owned_domain,
    bill_lines,
    only_item,
    ordered,
    refused,
    some_facts,
)

RENEW = a_request(domain_renewals={"domain1.com": 1})
GRACE = LatePhase(20, {"USD": Decimal("20.00")})
REDEMPTION = LatePhase(30, {"USD": Decimal("80.00")})


def com(grace: LatePhase | None = GRACE, redemption: LatePhase | None = REDEMPTION, **parameters: Any) -> Tld:
    return replace(a_tld(renew={1: "14.95", 2: "29.90"}, **parameters), grace=grace, redemption=redemption)


def expired(days: int, status: str = "Active") -> Facts:
    """Know a domain that expired so many days ago."""
    return some_facts(domains=[an_owned_domain(status=status, expires=date.fromordinal(TODAY.toordinal() - days))])


def charge_of(facts: Facts, tld: Tld) -> Charge:
    renewal = only_item(ordered(RENEW, a_catalog(tlds=[tld]), facts=facts))
    assert isinstance(renewal, PricedRenewal)
    return renewal.charge


@pytest.mark.parametrize(
    ("facts", "fee"),
    [
        (expired(0), "0.00"),
        (expired(1), "20.00"),
        (expired(20), "20.00"),
        (expired(21), "80.00"),
        (expired(50), "80.00"),
        (expired(1, "Expired"), "20.00"),
        (expired(-100, "Grace"), "20.00"),
        (expired(300, "Grace"), "20.00"),
        (expired(1, "Redemption"), "80.00"),
    ],
)
def test_how_late_a_domain_is_decides_unless_its_status_says_it(facts: Facts, fee: str) -> None:
    charge = charge_of(facts, com())

    assert (str(charge.late_fee), str(charge.first)) == (fee, str(Decimal("14.95") + Decimal(fee)))


@pytest.mark.parametrize(
    ("facts", "tld", "phase"),
    [
        (expired(51), com(), "Redemption"),
        (expired(31), com(grace=None, redemption=None), "Redemption"),
        (expired(1, "Redemption"), com(redemption=None), "Redemption"),
        (expired(21), com(redemption=LatePhase(30, {})), "Redemption"),
        (expired(21), com(redemption=LatePhase(30, {"EUR": Decimal("70.00")})), "Redemption"),
        (expired(1), com(grace=LatePhase(20, {"EUR": Decimal("18.00")})), "Grace"),
    ],
    ids=["too late", "nothing configured", "no redemption", "no fee", "a fee in euro", "a grace fee in euro"],
)
def test_what_would_cost_the_shop_money_is_refused(facts: Facts, tld: Tld, phase: str) -> None:
    rejection = refused(RENEW, a_catalog(tlds=[tld]), facts=facts)

    assert rejection.code == "domain_not_renewable"
    assert rejection.message == f"Domain status is set to '{phase}' and cannot be renewed"


@pytest.mark.parametrize("tld", [com(grace=None), com(grace=LatePhase(30, {}))], ids=["not configured", "no fee"])
def test_a_grace_without_a_fee_costs_nothing_for_thirty_days(tld: Tld) -> None:
    assert charge_of(expired(30), tld).late_fee == 0


def test_the_fee_is_in_the_line_and_its_words_once_for_all_years_and_taxed_as_the_domain() -> None:
    tld = com(taxed=True)
    catalog = a_catalog(tlds=[tld], tax_rules=(a_tax_rule("20"),))

    order = ordered(a_request(domain_renewals={"domain1.com": 2}), catalog, facts=expired(3))

    words = "Domain Renewal - domain1.com - 2 Years (20/11/2026 - 19/11/2028)\nGrace Fee: 20.00"
    assert bill_lines(order) == [(words, "49.90")]
    assert str(order.bill.total) == "59.88"  # 49.90 and 20 % of it


def test_no_discount_lowers_or_weighs_the_fee() -> None:
    promotion = a_promotion(value="50.00")
    catalog = a_catalog(tlds=[com()], promotions=[promotion], group_discounts={7: "10.00"})
    facts = replace(expired(3), clients={1: a_client(group_id=7)})

    by_group = ordered(RENEW, catalog, facts=facts)
    by_code = ordered(replace(RENEW, promo_code="WELCOME"), catalog, facts=facts)

    assert str(by_group.bill.discount) == "1.50"  # 10 % of 14.95
    assert str(by_code.bill.discount) == "7.48"  # 50 % of 14.95
    assert str(by_code.bill.total) == "27.47"  # 34.95 - 7.48
