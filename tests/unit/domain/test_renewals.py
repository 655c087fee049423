"""Renewals on demand (addorder.md 5.7)."""

from datetime import date
from typing import Any

import pytest

from schemas.catalog import Extra, FreeDomain, FreeDomainKind
from schemas.order import Facts, OrderRequest, PricedRenewal, RenewalKind, Take, TakeKind
from tests.builders import (
    ANNUALLY,
    FREE,
    MONTHLY,
    ONETIME,
    a_catalog,
    a_product,
    a_request,
    a_tld,
    an_addon,
    an_open_order,
    an_owned_addon,
    an_owned_domain,
    an_owned_service,
    bill_lines,
    firsts,
    only_item,
    ordered,
    refused,
    some_facts,
)

DNS, FORWARDING = Extra.DNS_MANAGEMENT, Extra.EMAIL_FORWARDING
COM = a_catalog(tlds=[a_tld(register={1: "9.00"}, renew={1: "14.95", 2: "29.90"}, extras={DNS: "5.00"})])
SHOP = a_catalog(products=[a_product(prices={MONTHLY: "12.00"})], addons=[an_addon()])


def one_domain(**parameters: Any) -> Facts:
    return some_facts(domains=[an_owned_domain(**parameters)])


# ---------------------------------------------------------------- domains


def test_a_domain_renews_at_todays_renew_price_for_the_years_asked() -> None:
    order = ordered(a_request(domain_renewals={"domain1.com": 2}), COM, facts=one_domain())

    assert firsts(order) == ["29.90"]
    renewal = only_item(order)
    assert isinstance(renewal, PricedRenewal)
    assert (renewal.kind, renewal.target_id, renewal.years) == (RenewalKind.DOMAIN, 1, 2)
    assert renewal.charge.recurring is None


@pytest.mark.parametrize(
    ("owned", "written"), [("xn--n3h.com", "XN--N3H.com"), ("xn--n3h.com", "\u2603.com"), ("ab--cd.com", "ab--cd.com")]
)
def test_an_owned_domain_renews_though_its_name_could_not_be_registered(owned: str, written: str) -> None:
    order = ordered(a_request(domain_renewals={written: 1}), COM, facts=one_domain(name=owned))

    assert firsts(order) == ["14.95"]


def test_a_domain_renews_with_its_extras_as_far_as_they_are_still_sold() -> None:
    facts = one_domain(extras=frozenset({DNS, FORWARDING}))

    order = ordered(a_request(domain_renewals={"domain1.com": 2}), COM, facts=facts)

    assert firsts(order) == ["39.90"]  # 29.90 + 2 x 5.00


def test_the_name_of_a_renewal_is_lower_cased_and_idna_encoded() -> None:
    facts = one_domain(name="xn--bcher-kva.com")

    order = ordered(a_request(domain_renewals={"BÜCHER.com": 1}), COM, facts=facts)

    assert firsts(order) == ["14.95"]


def test_of_several_records_with_the_name_the_active_one_is_meant() -> None:
    records = [
        an_owned_domain(domain_id=1, status="Transferred Away"),
        an_owned_domain(domain_id=2, status="Active"),
        an_owned_domain(domain_id=3, status="Pending"),
    ]

    renewal = only_item(ordered(a_request(domain_renewals={"domain1.com": 1}), COM, facts=some_facts(domains=records)))

    assert isinstance(renewal, PricedRenewal)
    assert renewal.target_id == 2


def test_of_several_records_without_an_active_one_the_newest_is_meant() -> None:
    records = [an_owned_domain(domain_id=1, status="Expired"), an_owned_domain(domain_id=2, status="Cancelled")]

    rejection = refused(a_request(domain_renewals={"domain1.com": 1}), COM, facts=some_facts(domains=records))

    assert rejection.message == "Domain status is set to 'Cancelled' and cannot be renewed"


@pytest.mark.parametrize("status", ["Active", "Expired", "Grace"])
def test_a_domain_in_these_states_can_be_renewed(status: str) -> None:
    order = ordered(a_request(domain_renewals={"domain1.com": 1}), COM, facts=one_domain(status=status))

    assert firsts(order) == ["14.95"]


@pytest.mark.parametrize("status", ["Pending", "Pending Transfer", "Cancelled", "Transferred Away", "Fraud"])
def test_a_domain_in_these_states_can_not(status: str) -> None:
    rejection = refused(a_request(domain_renewals={"domain1.com": 1}), COM, facts=one_domain(status=status))

    assert rejection.code == "domain_not_renewable"
    assert rejection.message == f"Domain status is set to '{status}' and cannot be renewed"
    assert rejection.faults[0].parameter == "domainrenewals[domain1.com]"


@pytest.mark.parametrize("years", [0, 5])
def test_a_renewal_period_that_is_not_offered_is_refused(years: int) -> None:
    rejection = refused(a_request(domain_renewals={"domain1.com": years}), COM, facts=one_domain())

    assert rejection.code == "period_not_offered"
    assert rejection.message == f"domainrenewals[domain1.com]: {years} years are not offered, but 1, 2"


def test_a_domain_of_a_tld_that_is_no_longer_sold_can_not_be_renewed() -> None:
    facts = one_domain(name="domain1.info")

    rejection = refused(a_request(domain_renewals={"domain1.info": 1}), COM, facts=facts)

    assert rejection.message == "domainrenewals[domain1.info]: 1 years are not offered, but nothing"


@pytest.mark.parametrize("facts", [some_facts(), one_domain(client_id=2)], ids=["unknown", "another client's"])
def test_a_domain_that_is_not_the_clients_is_refused(facts: Facts) -> None:
    rejection = refused(a_request(domain_renewals={"domain1.com": 1}), COM, facts=facts)

    assert rejection.code == "domain_not_owned"
    assert rejection.message == "Domain not owned by Client ID provided"


def test_a_renewal_of_what_is_no_domain_name_is_refused() -> None:
    rejection = refused(a_request(domain_renewals={"two words": 1}), COM)

    assert rejection.code == "domain_invalid"
    assert rejection.message == "domainrenewals[two words]: not a valid domain name"


def test_the_message_on_an_endless_name_has_an_end() -> None:
    rejection = refused(a_request(domain_renewals={"x" * 100_000: 1}), COM)

    assert len(rejection.message) < 300


def test_one_domain_can_not_be_renewed_twice_in_a_request() -> None:
    rejection = refused(a_request(domain_renewals={"domain1.com": 1, "Domain1.COM": 1}), COM, facts=one_domain())

    assert rejection.code == "domain_repeated"
    assert rejection.message == "domainrenewals[Domain1.COM]: domain1.com is in this request already"


def test_a_domain_renewal_is_described_from_the_day_it_expires() -> None:
    facts = one_domain(extras=frozenset({DNS}))

    order = ordered(a_request(domain_renewals={"domain1.com": 1}), COM, facts=facts)

    description = "Domain Renewal - domain1.com - 1 Year (15/01/2027 - 14/01/2028) + DNS Management"
    assert bill_lines(order) == [(description, "19.95")]


def test_a_domain_renewal_without_an_expiry_date_is_described_from_today() -> None:
    order = ordered(a_request(domain_renewals={"domain1.com": 2}), COM, facts=one_domain(expires=None))

    assert bill_lines(order) == [("Domain Renewal - domain1.com - 2 Years (23/11/2026 - 22/11/2028)", "29.90")]


def test_a_domain_renewal_begins_behind_what_is_paid_already() -> None:
    facts = one_domain(expires=date(2027, 1, 15), paid_until=date(2028, 1, 14))

    order = ordered(a_request(domain_renewals={"domain1.com": 1}), COM, facts=facts)

    renewal = only_item(order)
    assert isinstance(renewal, PricedRenewal)
    assert (renewal.period_start, renewal.period_end) == (date(2028, 1, 15), date(2029, 1, 14))


def test_a_domain_whose_expiry_the_registrar_has_not_told_begins_behind_what_is_paid() -> None:
    order = ordered(
        a_request(domain_renewals={"domain1.com": 1}),
        COM,
        facts=one_domain(expires=None, paid_until=date(2027, 3, 31)),
    )

    assert bill_lines(order) == [("Domain Renewal - domain1.com - 1 Year (01/04/2027 - 31/03/2028)", "14.95")]


@pytest.mark.parametrize(("expires", "is_refused"), [(date(2034, 11, 23), False), (date(2034, 11, 24), True)])
def test_a_domain_is_renewed_for_ten_years_from_today_at_most(expires: date, is_refused: bool) -> None:  # noqa: FBT001 # a parameter of the table
    request, facts = a_request(domain_renewals={"domain1.com": 2}), one_domain(expires=expires)
    if not is_refused:
        assert firsts(ordered(request, COM, facts=facts)) == ["29.90"]  # until 23 November 2036
        return

    rejection = refused(request, COM, facts=facts)

    assert rejection.code == "period_not_offered"
    assert rejection.message == (
        "domainrenewals[domain1.com]: 2 years would be until 2036-11-24; a domain can be renewed for ten years from "
        "today at most"
    )


FREE_WITH = FreeDomain(frozenset({MONTHLY}), frozenset({".com"}), FreeDomainKind.WHILE_RENEWED)
HOSTED = a_catalog(
    products=[a_product(prices={MONTHLY: "12.00"}, free_domain=FREE_WITH)],
    tlds=[a_tld(renew={1: "14.95", 2: "29.90"}, extras={DNS: "5.00"})],
)
WITH_SERVICE = some_facts(
    services=[an_owned_service(19)], domains=[an_owned_domain(free_with=19, extras=frozenset({DNS}))]
)


def test_a_domain_that_is_free_while_renewed_is_renewed_for_its_extras_with_its_service() -> None:
    request = a_request(domain_renewals={"domain1.com": 1}, service_renewals=[19])

    order = ordered(request, HOSTED, facts=WITH_SERVICE)

    assert firsts(order) == ["5.00", "9.95"]
    assert order.warnings == ()


@pytest.mark.parametrize(
    ("request_", "facts", "price"),
    [
        (a_request(domain_renewals={"domain1.com": 1}), WITH_SERVICE, "19.95"),
        (a_request(domain_renewals={"domain1.com": 2}, service_renewals=[19]), WITH_SERVICE, "39.90"),
    ],
    ids=["alone", "for two years"],
)
def test_else_it_costs_todays_price_and_the_client_is_told(request_: OrderRequest, facts: Facts, price: str) -> None:
    order = ordered(request_, HOSTED, facts=facts)

    assert firsts(order)[0] == price
    assert order.warnings == (
        "domain domain1.com is free for a year when service 19 is renewed in the same order: today's price is charged",
    )


def test_a_domain_is_not_free_with_a_service_on_a_cycle_without_the_offer() -> None:
    facts = some_facts(services=[an_owned_service(19, cycle=ANNUALLY)], domains=[an_owned_domain(free_with=19)])

    order = ordered(a_request(domain_renewals={"domain1.com": 1}, service_renewals=[19]), HOSTED, facts=facts)

    assert firsts(order) == ["14.95", "9.95"]


# ---------------------------------------------------------------- services


def test_a_service_renews_at_its_own_recurring_amount() -> None:
    order = ordered(a_request(service_renewals=(19,)), SHOP, facts=some_facts(services=[an_owned_service()]))

    assert bill_lines(order) == [("Renewal - Starter - three.example.com (10/12/2026 - 09/01/2027)", "9.95")]
    renewal = only_item(order)
    assert isinstance(renewal, PricedRenewal)
    assert (renewal.kind, renewal.target_id, renewal.cycle) == (RenewalKind.SERVICE, 19, MONTHLY)


def test_a_suspended_service_can_be_renewed() -> None:
    facts = some_facts(services=[an_owned_service(status="Suspended")])

    assert firsts(ordered(a_request(service_renewals=(19,)), SHOP, facts=facts)) == ["9.95"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"status": "Pending"},
        {"status": "Cancelled"},
        {"status": "Terminated"},
        {"renewable": False},
        {"cycle": ONETIME},
        {"cycle": FREE},
        {"is_unpaid": True},
    ],
    ids=str,
)
def test_a_service_that_has_no_next_period_to_pay_can_not_be_renewed(parameters: dict[str, Any]) -> None:
    facts = some_facts(services=[an_owned_service(**parameters)])

    rejection = refused(a_request(service_renewals=(19,)), SHOP, facts=facts)

    assert rejection.code == "service_not_renewable"
    assert rejection.message == "Service ID 19 can not be renewed at this time."
    assert (rejection.faults[0].parameter, rejection.faults[0].item) == ("servicerenewals", 0)


def test_a_period_that_costs_nothing_is_renewed_like_any_other() -> None:
    order = ordered(
        a_request(service_renewals=(19,)), SHOP, facts=some_facts(services=[an_owned_service(recurring="0.00")])
    )

    assert firsts(order) == ["0.00"]
    assert (order.bill.invoiced, order.bill.paid) == (True, True)


@pytest.mark.parametrize("services", [[], [an_owned_service(client_id=2)]])
def test_a_service_that_is_not_the_clients_can_not_be_renewed(services: list[Any]) -> None:
    rejection = refused(a_request(service_renewals=(19,)), SHOP, facts=some_facts(services=services))

    assert rejection.code == "service_not_owned"
    assert rejection.message == "Service ID not owned by Client ID provided"


def test_one_service_can_not_be_renewed_twice_in_a_request() -> None:
    facts = some_facts(services=[an_owned_service()])

    rejection = refused(a_request(service_renewals=(19, 19)), SHOP, facts=facts)

    assert rejection.code == "renewal_repeated"
    assert rejection.message == "servicerenewals[1]: is in this request already"


@pytest.mark.parametrize(
    ("discounts_left", "price", "takes"),
    [(2, "7.00", True), (1, "7.00", True), (0, "9.95", False), (None, "7.00", False)],
    ids=["two left", "the last", "none left", "for ever"],
)
def test_a_service_is_renewed_at_its_lower_amount_as_long_as_the_code_lasts(
    discounts_left: int | None,
    price: str,
    takes: bool,  # noqa: FBT001 # a parameter of the table
) -> None:
    service = an_owned_service(recurring="7.00", recurring_full="9.95", discounts_left=discounts_left)

    order = ordered(a_request(service_renewals=[19]), SHOP, facts=some_facts(services=[service]))

    assert firsts(order) == [price]
    renewal = only_item(order)
    assert isinstance(renewal, PricedRenewal)
    assert renewal.takes_discount is takes
    assert order.takes == ((Take(TakeKind.SERVICE_DISCOUNT, 19, 1),) if takes else ())


def test_what_another_order_renews_as_well_is_a_warning_with_its_period() -> None:
    other = an_open_order(7, (RenewalKind.SERVICE, 19), has_only_renewals=False)
    facts = some_facts(services=[an_owned_service()], open_orders=[other])

    order = ordered(a_request(service_renewals=[19]), SHOP, facts=facts)

    assert order.supersedes == ()
    [warning] = order.warnings
    assert warning == (
        "order 7, which is not paid yet, renews service 19 too (10/12/2026 - 09/01/2027): paid twice, it is renewed "
        "twice"
    )


# ---------------------------------------------------------------- addons


def test_an_addon_renews_at_its_own_recurring_amount() -> None:
    facts = some_facts(owned_addons=[an_owned_addon(recurring="1.50")])

    order = ordered(a_request(addon_renewals=(3,)), SHOP, facts=facts)

    assert bill_lines(order) == [("Addon Renewal - SSL (10/12/2026 - 09/01/2027)", "1.50")]


@pytest.mark.parametrize(
    "parameters",
    [
        {"renewable": False},
        {"is_unpaid": True},
        {"service_status": "Cancelled"},
        {"service_status": "Pending"},
        {"service_renewable": False},
    ],
    ids=str,
)
def test_an_addon_that_has_no_next_period_to_pay_or_whose_service_has_none_can_not_be_renewed(
    parameters: dict[str, Any],
) -> None:
    facts = some_facts(owned_addons=[an_owned_addon(**parameters)])

    rejection = refused(a_request(addon_renewals=(3,)), SHOP, facts=facts)

    assert rejection.code == "addon_not_renewable"
    assert rejection.message == "addonrenewals[0]: addon 3 can not be renewed at this time"


@pytest.mark.parametrize("addons", [[], [an_owned_addon(client_id=2)]])
def test_an_addon_that_is_not_the_clients_can_not_be_renewed(addons: list[Any]) -> None:
    rejection = refused(a_request(addon_renewals=(3,)), SHOP, facts=some_facts(owned_addons=addons))

    assert rejection.code == "addon_not_owned"


def test_one_addon_can_not_be_renewed_twice_in_a_request() -> None:
    rejection = refused(a_request(addon_renewals=(3, 3)), SHOP, facts=some_facts(owned_addons=[an_owned_addon()]))

    assert rejection.message == "addonrenewals[1]: is in this request already"


def test_renewals_come_after_each_other_as_domains_services_addons() -> None:
    facts = some_facts(
        services=[an_owned_service()], owned_addons=[an_owned_addon()], domains=[an_owned_domain("domain1.com")]
    )
    catalog = a_catalog(products=[a_product()], addons=[an_addon()], tlds=[a_tld(renew={1: "14.95"})])
    request = a_request(domain_renewals={"domain1.com": 1}, service_renewals=(19,), addon_renewals=(3,))

    assert firsts(ordered(request, catalog, facts=facts)) == ["14.95", "9.95", "2.00"]


def test_a_leap_day_expiry_follows_the_calendar() -> None:
    facts = one_domain(expires=date(2028, 2, 29))

    order = ordered(a_request(domain_renewals={"domain1.com": 1}), COM, facts=facts)

    # 29 February 2028 + 12 months = 28 February 2029; the period ends the day before
    assert bill_lines(order) == [("Domain Renewal - domain1.com - 1 Year (29/02/2028 - 27/02/2029)", "14.95")]
