"""Domains to register and transfer: price, extras, overrides (addorder.md 5.5) and free domains (5.6)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from schemas.catalog import DomainType, Extra, FreeDomain, FreeDomainKind, Tld
from schemas.order import AddonAsked, Item, PricedDomain, PricedOrder
from schemas.shop_settings import ShopSettings
from tests.builders import (
    ANNUALLY,
    MONTHLY,
    a_catalog,
    a_client,
    a_product,
    a_request,
    a_tld,
    an_addon,
    an_owned_domain,
    bill_lines,
    firsts,
    ordered,
    recurrings,
    refused,
    some_facts,
)

REGISTER, TRANSFER = DomainType.REGISTER, DomainType.TRANSFER
DNS, FORWARDING, PROTECTION = Extra.DNS_MANAGEMENT, Extra.EMAIL_FORWARDING, Extra.ID_PROTECTION
COM = a_tld(
    ".com",
    epp_required=True,
    register={1: "14.95", 2: "28.00"},
    transfer={1: "12.00"},
    renew={1: "15.95", 2: "31.90"},
    extras={DNS: "5.00", PROTECTION: "6.00"},
)


def registration(name: str = "whmcs.com", **parameters: object) -> Item:
    return Item(key=0, domain=name, domain_type=REGISTER, **parameters)  # type: ignore[arg-type]


def domain_of(order: PricedOrder) -> PricedDomain:
    (domain,) = (item for item in order.items if isinstance(item, PricedDomain))
    return domain


# ---------------------------------------------------------------- price and period


def test_a_registration_costs_the_register_price_and_recurs_at_the_renew_price_of_the_same_years() -> None:
    order = ordered(a_request(registration(years=2)), a_catalog(tlds=[COM]))

    assert firsts(order) == ["28.00"]
    assert recurrings(order) == ["31.90"]


def test_a_transfer_costs_the_transfer_price() -> None:
    item = Item(key=0, domain="move.com", domain_type=TRANSFER, years=1, epp_code="Ab#1+2&3=")

    order = ordered(a_request(item), a_catalog(tlds=[COM]))

    assert firsts(order) == ["12.00"]
    assert recurrings(order) == ["15.95"]
    assert domain_of(order).epp_code == "Ab#1+2&3="


@pytest.mark.parametrize("name", ["xn--n3h.com", "\u2603.com", "ab--cd.com"])
def test_a_name_that_idna_forbids_is_transferred_where_it_exists_but_never_registered(name: str) -> None:
    transfer = Item(key=0, domain=name, domain_type=DomainType.TRANSFER, epp_code="x")

    order = ordered(a_request(transfer), a_catalog(tlds=[COM]))
    rejection = refused(a_request(registration(name)), a_catalog(tlds=[COM]))

    assert domain_of(order).name.ascii in {"xn--n3h.com", "ab--cd.com"}
    assert rejection.code == "domain_invalid"


def test_such_a_name_twice_in_both_of_its_forms_is_refused() -> None:
    items = [
        Item(key=key, domain=name, domain_type=DomainType.TRANSFER, epp_code="x")
        for key, name in enumerate(("xn--n3h.com", "\u2603.com"))
    ]

    assert refused(a_request(*items), a_catalog(tlds=[COM])).code == "domain_repeated"


def test_without_a_period_the_tlds_shortest_is_ordered() -> None:
    tld = a_tld(".co.uk", register={3: "29.00", 2: "19.90"}, renew={2: "19.90"})

    domain = domain_of(ordered(a_request(registration("x.co.uk")), a_catalog(tlds=[tld])))

    assert domain.years == 2
    assert str(domain.charge.first) == "19.90"


def test_a_renewal_not_sold_for_the_same_years_recurs_at_that_of_the_shortest() -> None:
    tld = a_tld(".eu", register={1: "12.00", 2: "24.00"}, renew={1: "12.00", 5: "50.00"}, extras={DNS: "5.00"})

    order = ordered(a_request(registration("x.eu", years=2, extras=frozenset({DNS}))), a_catalog(tlds=[tld]))

    assert firsts(order) == ["34.00"]  # 24.00 + 2 years of 5.00
    assert recurrings(order) == ["17.00"]  # 12.00 + 5.00: what one year costs


def test_a_domain_that_is_not_renewed_recurs_nothing() -> None:
    order = ordered(a_request(registration()), a_catalog(tlds=[a_tld(renew={})]))

    assert recurrings(order) == ["None"]


def test_the_domains_dates_follow_the_calendar() -> None:
    domain = domain_of(ordered(a_request(registration(years=2)), a_catalog(tlds=[COM])))

    assert domain.next_due == date(2026, 11, 23)
    assert domain.period_end == date(2028, 11, 22)


@pytest.mark.parametrize(
    ("years", "words"), [(0, "0 years are not offered, but 1, 2"), (5, "5 years are not offered, but 1, 2")]
)
def test_a_period_that_is_not_offered_is_refused(years: int, words: str) -> None:
    rejection = refused(a_request(registration(years=years)), a_catalog(tlds=[COM]))

    assert rejection.code == "period_not_offered"
    assert rejection.message == f"regperiod[0]: {words}"


def test_a_shorter_tld_is_not_used_for_a_period_that_the_longest_does_not_offer() -> None:
    tlds = [a_tld(".uk", register={1: "8.00"}), a_tld(".co.uk", register={2: "19.90"})]

    assert refused(a_request(registration("x.co.uk", years=1)), a_catalog(tlds=tlds)).code == "period_not_offered"


# ---------------------------------------------------------------- names


def test_a_domain_is_kept_in_both_forms() -> None:
    domain = domain_of(ordered(a_request(registration("BÜCHER.com")), a_catalog(tlds=[COM])))

    assert (domain.name.ascii, domain.name.unicode) == ("xn--bcher-kva.com", "bücher.com")
    assert domain.tld == ".com"


@pytest.mark.parametrize("name", ["two words.com", "localhost", ".com", "co.uk"])
def test_what_is_no_name_or_only_a_tld_is_refused(name: str) -> None:
    rejection = refused(a_request(registration(name)), a_catalog(tlds=[COM, a_tld(".uk"), a_tld(".co.uk")]))

    assert rejection.code == "domain_invalid"
    assert rejection.message == "domain[0]: not a valid domain name"


def test_a_domain_order_without_a_name_is_refused() -> None:
    item = Item(key=1, product_id=1, domain_type=REGISTER)

    rejection = refused(a_request(item), a_catalog(products=[a_product()]))

    assert rejection.code == "parameter_missing"
    assert rejection.message == "domain[1]: required"


def test_an_unknown_tld_is_refused() -> None:
    rejection = refused(a_request(registration("x.unknowntld")), a_catalog(tlds=[COM]))

    assert rejection.code == "unknown_tld"
    assert rejection.message == "domain[0]: domains of this ending are not sold"


def test_a_tld_that_is_not_sold_in_the_clients_currency_is_refused() -> None:
    facts = some_facts(client=a_client(currency="EUR"))

    assert refused(a_request(registration()), a_catalog(tlds=[COM]), facts=facts).code == "unknown_tld"


def test_one_name_twice_in_a_request_is_refused_at_the_later_item() -> None:
    items = (
        registration("same.com"),
        Item(key=7, domain="SAME.com", domain_type=TRANSFER, epp_code="x"),
    )

    rejection = refused(a_request(*items), a_catalog(tlds=[COM]))

    assert rejection.code == "domain_repeated"
    assert rejection.message == "domain[7]: same.com is in this request already"


def test_a_name_may_be_a_services_and_be_registered_in_another_item() -> None:
    items = (registration("same.com"), Item(key=1, product_id=1, domain="same.com"))

    assert len(ordered(a_request(*items), a_catalog(products=[a_product()], tlds=[COM])).items) == 2


# ---------------------------------------------------------------- extras, overrides, transfer codes


def test_extras_are_price_a_year_times_years_first_and_recurring() -> None:
    order = ordered(a_request(registration(years=2, extras=frozenset({DNS, PROTECTION}))), a_catalog(tlds=[COM]))

    assert firsts(order) == ["50.00"]  # 28.00 + 2 x 5.00 + 2 x 6.00
    assert recurrings(order) == ["53.90"]  # 31.90 + 10.00 + 12.00


def test_extras_that_the_tld_does_not_offer_are_refused_each_under_its_parameter() -> None:
    tld = a_tld(extras={DNS: "5.00"})

    rejection = refused(a_request(registration(extras=frozenset({DNS, FORWARDING, PROTECTION}))), a_catalog(tlds=[tld]))

    assert [fault.message for fault in rejection.faults] == [
        "emailforwarding[0]: not offered for domains of this ending",
        "idprotection[0]: not offered for domains of this ending",
    ]
    assert rejection.code == "extra_not_offered"


def test_overrides_replace_the_bare_prices_and_leave_the_extras() -> None:
    item = registration(
        domain_price_override=Decimal("1.00"), domain_renew_override=Decimal("20.00"), extras=frozenset({DNS})
    )

    order = ordered(a_request(item), a_catalog(tlds=[COM]))

    assert firsts(order) == ["6.00"]  # 1.00 + 5.00
    assert recurrings(order) == ["25.00"]  # 20.00 + 5.00


def test_one_override_leaves_the_other_price() -> None:
    order = ordered(a_request(registration(domain_renew_override=Decimal("0.00"))), a_catalog(tlds=[COM]))

    assert firsts(order) == ["14.95"]
    assert recurrings(order) == ["0.00"]


def test_a_transfer_needs_a_code_where_the_tld_needs_one() -> None:
    rejection = refused(a_request(Item(key=0, domain="a.com", domain_type=TRANSFER)), a_catalog(tlds=[COM]))

    assert rejection.code == "epp_code_required"
    assert rejection.message == "eppcode[0]: required to transfer this domain"


def test_a_transfer_needs_no_code_where_the_tld_needs_none() -> None:
    order = ordered(a_request(Item(key=0, domain="a.eu", domain_type=TRANSFER)), a_catalog(tlds=[a_tld(".eu")]))

    assert firsts(order) == ["15.00"]


def test_a_registration_keeps_no_transfer_code() -> None:
    order = ordered(a_request(registration(epp_code="Ab#1")), a_catalog(tlds=[COM]))

    assert domain_of(order).epp_code is None


def test_all_that_is_wrong_with_a_domain_is_named() -> None:
    item = Item(key=0, domain="a.com", domain_type=TRANSFER, years=9, extras=frozenset({FORWARDING}))

    rejection = refused(a_request(item), a_catalog(tlds=[COM]))

    codes = [fault.code for fault in rejection.faults]
    assert codes == ["period_not_offered", "epp_code_required", "extra_not_offered"]


def test_nameservers_are_those_of_the_request_else_the_shops() -> None:
    settings = ShopSettings(nameservers=("ns1.shop.com",))
    catalog = a_catalog(tlds=[COM])

    asked = ordered(a_request(registration(), nameservers=("ns1.demo.com", "ns2.demo.com")), catalog, settings=settings)
    absent = ordered(a_request(registration()), catalog, settings=settings)

    assert domain_of(asked).nameservers == ("ns1.demo.com", "ns2.demo.com")
    assert domain_of(absent).nameservers == ("ns1.shop.com",)


def test_without_a_domain_type_domain_parameters_have_nothing_to_act_on() -> None:
    item = Item(
        key=0, product_id=1, domain="own.com", years=0, extras=frozenset({DNS}), domain_fields={"Legal Type": "x"}
    )

    order = ordered(a_request(item), a_catalog(products=[a_product()]))

    assert firsts(order) == ["10.00"]
    assert order.warnings == ()


def test_addons_of_a_domain_alone_are_refused() -> None:
    rejection = refused(a_request(registration(addons=(AddonAsked(1),))), a_catalog(tlds=[COM], addons=[an_addon()]))

    assert rejection.message == "pid[0]: required"


# ---------------------------------------------------------------- free domains

OFFER = FreeDomain(frozenset({ANNUALLY}), frozenset({".com"}))
HOSTING = a_product(prices={MONTHLY: "9.95", ANNUALLY: "99.00"}, free_domain=OFFER)
FREE_COM = a_tld(
    ".com", register={1: "14.95", 2: "28.00"}, transfer={1: "12.00"}, renew={1: "15.95"}, extras={DNS: "5.00"}
)


@pytest.mark.parametrize("domain_type", [REGISTER, TRANSFER])
def test_a_product_may_make_the_domain_of_its_item_free(domain_type: DomainType) -> None:
    item = Item(key=0, product_id=1, billing_cycle=ANNUALLY, domain="free.com", domain_type=domain_type)

    order = ordered(a_request(item), a_catalog(products=[HOSTING], tlds=[FREE_COM]))

    assert domain_of(order).free
    assert firsts(order) == ["99.00", "0.00"]
    assert recurrings(order) == ["99.00", "15.95"]  # the ordinary renew price


def test_the_extras_of_a_free_domain_stay_charged() -> None:
    item = Item(
        key=0,
        product_id=1,
        billing_cycle=ANNUALLY,
        domain="free.com",
        domain_type=REGISTER,
        extras=frozenset({DNS}),
    )

    order = ordered(a_request(item), a_catalog(products=[HOSTING], tlds=[FREE_COM]))

    assert firsts(order) == ["99.00", "5.00"]
    assert recurrings(order) == ["99.00", "20.95"]  # 15.95 + 5.00


@pytest.mark.parametrize(
    ("parameters", "price"),
    [
        ({"billing_cycle": MONTHLY}, "14.95"),
        ({"years": 2}, "28.00"),
        ({"domain": "x.eu"}, "15.00"),
        ({"domain_price_override": Decimal("3.00")}, "3.00"),
    ],
    ids=["another cycle", "two years", "another TLD", "price override"],
)
def test_a_domain_that_the_offer_does_not_cover_is_charged(parameters: dict[str, object], price: str) -> None:
    given: dict[str, object] = {"billing_cycle": ANNUALLY, "domain": "free.com"} | parameters
    item = Item(key=0, product_id=1, domain_type=REGISTER, **given)  # type: ignore[arg-type]

    order = ordered(a_request(item), a_catalog(products=[HOSTING], tlds=[FREE_COM, a_tld(".eu")]))

    assert not domain_of(order).free
    assert firsts(order)[1] == price


def test_the_domain_of_another_item_is_charged() -> None:
    items = (
        Item(key=0, product_id=1, billing_cycle=ANNUALLY),
        Item(key=1, domain="other.com", domain_type=REGISTER),
    )

    order = ordered(a_request(*items), a_catalog(products=[HOSTING], tlds=[FREE_COM]))

    assert firsts(order) == ["99.00", "14.95"]


def test_a_renew_price_that_is_asked_for_leaves_the_domain_free() -> None:
    item = Item(
        key=0,
        product_id=1,
        billing_cycle=ANNUALLY,
        domain="free.com",
        domain_type=REGISTER,
        domain_renew_override=Decimal("3.00"),
    )

    order = ordered(a_request(item), a_catalog(products=[HOSTING], tlds=[FREE_COM]))

    assert domain_of(order).free
    assert (firsts(order), recurrings(order)) == (["99.00", "0.00"], ["99.00", "3.00"])


def free_while_renewed(tld: Tld = FREE_COM, **parameters: Any) -> PricedOrder:
    """Order a domain for a year with a product that keeps it free."""
    offer = replace(OFFER, kind=FreeDomainKind.WHILE_RENEWED)
    given: dict[str, Any] = {"billing_cycle": ANNUALLY, "domain": "free.com", "domain_type": REGISTER} | parameters
    item = Item(key=1, product_id=1, **given)
    catalog = a_catalog(products=[replace(HOSTING, free_domain=offer)], tlds=[tld])
    return ordered(a_request(Item(key=0, product_id=1), item), catalog)


def test_a_domain_may_be_free_as_long_as_its_product_is_renewed() -> None:
    order = free_while_renewed()

    assert recurrings(order) == ["9.95", "99.00", "0.00"]
    assert domain_of(order).free_with == 1  # the service of its own item


def test_the_extras_of_such_a_domain_recur() -> None:
    assert recurrings(free_while_renewed(extras=frozenset({DNS})))[2] == "5.00"


def test_such_a_domain_with_a_renew_price_that_is_asked_for_costs_that() -> None:
    order = free_while_renewed(domain_renew_override=Decimal("3.00"))

    assert recurrings(order)[2] == "3.00"
    assert domain_of(order).free_with is None


def test_a_tld_that_is_not_renewed_recurs_nothing_which_is_not_zero() -> None:
    assert domain_of(free_while_renewed(replace(FREE_COM, renew={}))).charge.recurring is None


# ---------------------------------------------------------------- names that the client has


@pytest.mark.parametrize("status", ["Active", "Pending Transfer", "Grace", "Redemption", "Expired"])
def test_a_name_that_the_client_has_already_is_a_warning(status: str) -> None:
    facts = some_facts(domains=[an_owned_domain("one.com", domain_id=4, status=status)])

    order = ordered(a_request(registration("One.com")), a_catalog(tlds=[COM]), facts=facts)

    assert order.warnings == (f"domain[0]: the client has one.com already (domain 4, {status})",)


@pytest.mark.parametrize("status", ["Pending", "Cancelled", "Transferred Away", "Fraud"])
def test_a_name_that_the_client_had_or_may_get_is_none(status: str) -> None:
    facts = some_facts(domains=[an_owned_domain("one.com", status=status)])

    assert ordered(a_request(registration("one.com")), a_catalog(tlds=[COM]), facts=facts).warnings == ()


def test_a_transfer_has_no_period_but_its_years() -> None:
    item = Item(key=0, domain="one.com", domain_type=TRANSFER, years=1)

    order = ordered(a_request(item), a_catalog(tlds=[FREE_COM]))

    assert domain_of(order).period_end is None
    assert bill_lines(order) == [("Domain Transfer - one.com - 1 Year", "12.00")]
