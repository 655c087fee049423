"""The bill: lines and their words, sums, whether an invoice is made, when it is due (addorder.md 5.12)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from schemas.catalog import ConfigChoice, ConfigOption, DomainType, Extra, QuantityRule
from schemas.order import AddonAsked, AddonLine, Buyer, Item, OptionAsked
from schemas.shop_settings import Seller, ShopSettings, Tax, TaxExempt
from tests.builders import (
    ANNUALLY,
    FREE,
    MONTHLY,
    ONETIME,
    QUARTERLY,
    TODAY,
    a_catalog,
    a_choice,
    a_client,
    a_product,
    a_promotion,
    a_request,
    a_tax_rule,
    a_tld,
    an_addon,
    an_owned_service,
    bill_lines,
    ordered,
    refused,
    some_facts,
)

DNS, PROTECTION = Extra.DNS_MANAGEMENT, Extra.ID_PROTECTION


# ---------------------------------------------------------------- words


def test_a_service_is_described_with_its_domain_and_its_period() -> None:
    catalog = a_catalog(products=[a_product(prices={MONTHLY: "9.95"})])

    order = ordered(a_request(Item(key=0, product_id=1, domain="whmcs.com")), catalog)

    assert bill_lines(order) == [("Starter - whmcs.com (23/11/2026 - 22/12/2026)", "9.95")]


def test_a_service_without_a_domain_is_described_without_one() -> None:
    catalog = a_catalog(products=[a_product(prices={QUARTERLY: "28.00"})])

    order = ordered(a_request(Item(key=0, product_id=1)), catalog)

    assert bill_lines(order) == [("Starter (23/11/2026 - 22/02/2027)", "28.00")]


def test_one_time_and_free_have_no_period() -> None:
    catalog = a_catalog(
        products=[
            a_product(1, name="Consulting", pay_type="onetime", prices={ONETIME: "150.00"}),
            a_product(2, name="Free tools", pay_type="free"),
        ]
    )

    order = ordered(a_request(Item(key=0, product_id=1), Item(key=1, product_id=2)), catalog)

    assert bill_lines(order) == [("Consulting", "150.00"), ("Free tools", "0.00")]


def test_a_scaling_service_says_how_many() -> None:
    catalog = a_catalog(products=[a_product(name="Seats", quantity_rule=QuantityRule.SCALING)])

    order = ordered(a_request(Item(key=0, product_id=1, quantity=3)), catalog)

    assert bill_lines(order) == [("3 x Seats (23/11/2026 - 22/12/2026)", "30.00")]


def test_an_addon_is_described_with_its_service() -> None:
    catalog = a_catalog(products=[a_product()], addons=[an_addon(prices={ANNUALLY: "20.00"})])
    request = a_request(
        Item(key=0, product_id=1, domain="whmcs.com", addons=(AddonAsked(1, 2),)),
        addon_lines=(AddonLine(1, 19, 1, "addonid", None),),
    )

    order = ordered(request, catalog, facts=some_facts(services=[an_owned_service()]))

    assert bill_lines(order)[1:] == [
        ("Addon - 2 x SSL - whmcs.com (23/11/2026 - 22/11/2027)", "40.00"),
        ("Addon - SSL - three.example.com (23/11/2026 - 22/11/2027)", "20.00"),
    ]


@pytest.mark.parametrize(
    ("domain_type", "years", "extras", "description"),
    [
        (DomainType.REGISTER, 1, (), "Domain Registration - bücher.com - 1 Year (23/11/2026 - 22/11/2027)"),
        (DomainType.TRANSFER, 1, (), "Domain Transfer - bücher.com - 1 Year"),
        (
            DomainType.REGISTER,
            2,
            (PROTECTION, DNS),
            "Domain Registration - bücher.com - 2 Years (23/11/2026 - 22/11/2028) + DNS Management + ID Protection",
        ),
    ],
)
def test_a_domain_is_described_with_its_years_its_period_and_its_extras(
    domain_type: DomainType, years: int, extras: tuple[Extra, ...], description: str
) -> None:
    tld = a_tld(register={1: "15.00", 2: "30.00"}, extras={DNS: "0.00", PROTECTION: "0.00"})
    item = Item(key=0, domain="bücher.com", domain_type=domain_type, years=years, extras=frozenset(extras))

    order = ordered(a_request(item), a_catalog(tlds=[tld]))

    assert [text for text, _ in bill_lines(order)] == [description]


def test_a_service_names_its_options_and_its_setup_fee_a_row_each() -> None:
    """Of options, those that were taken; the fee is of product and options together."""
    disk = ConfigOption(1, "Disk space", "dropdown", None, None, (named_choice(11, "5 GB", "2.00", "1.50"),))
    backup = ConfigOption(2, "Daily backup", "yesno", None, None, (named_choice(21, "Backup", "3.00"),))
    spam = ConfigOption(3, "Spam filter", "yesno", None, None, (named_choice(31, "Spam filter", "4.00"),))
    mailboxes = ConfigOption(4, "Mailboxes", "quantity", 0, 9, (named_choice(41, "Mailbox", "1.50"),))
    addresses = ConfigOption(5, "Addresses", "quantity", 0, 9, (named_choice(51, "IPv4", "9.00"),))
    product = a_product(prices={MONTHLY: ("9.95", "50.00")}, config_options=(disk, backup, spam, mailboxes, addresses))
    chosen = {"2": OptionAsked("1"), "4": OptionAsked("2")}

    order = ordered(a_request(Item(key=0, product_id=1, config_options=chosen)), a_catalog(products=[product]))

    # 9.95 + 2.00 + 3.00 + 2 x 1.50, and 50.00 + 1.50
    [(text, amount)] = bill_lines(order)
    assert text.split("\n") == [
        "Starter (23/11/2026 - 22/12/2026)",
        "Disk space: 5 GB",
        "Daily backup: Backup",
        "Mailboxes: 2 x Mailbox",
        "Setup: 51.50",
    ]
    assert amount == "69.45"


def named_choice(choice_id: int, name: str, price: str, setup: str = "0.00") -> ConfigChoice:
    return replace(a_choice(choice_id, (price, setup)), name=name)


def test_the_setup_fee_of_an_exempt_client_is_told_without_the_tax_that_it_contained() -> None:
    catalog = a_catalog(
        products=[a_product(taxed=True, prices={MONTHLY: ("12.00", "60.00")})], tax_rules=(a_tax_rule("20.000"),)
    )
    settings = ShopSettings(tax=Tax.INCLUSIVE, tax_exempt=TaxExempt.DEDUCT)
    facts = some_facts(client=a_client(tax_exempt=True))

    order = ordered(a_request(Item(key=0, product_id=1)), catalog, facts=facts, settings=settings)

    assert bill_lines(order) == [("Starter (23/11/2026 - 22/12/2026)\nSetup: 50.00", "60.00")]  # 72.00 / 1.20


@pytest.mark.parametrize(
    ("date_format", "period"),
    [
        ("%Y-%m-%d", "2026-11-23 - 2026-12-22"),
        ("%m/%d/%Y", "11/23/2026 - 12/22/2026"),
        ("%d %b %y", "23 Nov 26 - 22 Dec 26"),
    ],
)
def test_dates_are_written_as_the_shop_writes_them(date_format: str, period: str) -> None:
    catalog = a_catalog(products=[a_product()], addons=[an_addon()], tlds=[a_tld()])
    item = Item(key=0, product_id=1, addons=(AddonAsked(1),))
    request = a_request(item, service_renewals=(19,))
    facts = some_facts(services=[replace(an_owned_service(), next_due=TODAY)])

    order = ordered(request, catalog, facts=facts, settings=ShopSettings(date_format=date_format))

    assert bill_lines(order) == [
        (f"Starter ({period})", "10.00"),
        (f"Addon - SSL ({period})", "2.00"),
        (f"Renewal - Starter - three.example.com ({period})", "9.95"),
    ]


# ---------------------------------------------------------------- who owes whom


def test_a_bill_names_buyer_and_seller_and_whether_it_is_to_be_numbered() -> None:
    seller = Seller(name="Acme", address="1 Main Street\nAustin", country="US", tax_id="12-3456789")
    catalog = a_catalog(products=[a_product()])

    numbered = ordered(
        a_request(Item(key=0, product_id=1)), catalog, settings=ShopSettings(seller=seller, invoice_number="{number}")
    ).bill
    plain = ordered(a_request(Item(key=0, product_id=1)), catalog).bill

    assert (numbered.seller, numbered.numbered) == (seller, True)
    assert (plain.seller, plain.numbered) == (Seller(), False)
    assert plain.buyer == Buyer(
        name="John Doe",
        company="",
        address1="1 Main Street",
        address2="",
        city="Austin",
        state="Texas",
        postcode="73301",
        country="US",
        tax_id="",
        tax_exempt=False,
    )


@pytest.mark.parametrize(
    ("price", "invoice_number", "takes"),
    [("0.00", "{number}", True), ("0.01", "{number}", False), ("0.00", "", False)],
)
def test_only_an_invoice_that_is_paid_as_it_is_made_takes_a_number(
    price: str, invoice_number: str, *, takes: bool
) -> None:
    item = Item(key=0, product_id=1, price_override=Decimal(price))
    settings = ShopSettings(invoice_number=invoice_number)

    assert ordered(a_request(item), a_catalog(products=[a_product()]), settings=settings).takes_number is takes
    without = ordered(a_request(item, no_invoice=True), a_catalog(products=[a_product()]), settings=settings)
    assert not without.takes_number


# ---------------------------------------------------------------- lines and sums


def test_lines_follow_the_items_each_with_its_promotion_below_it() -> None:
    catalog = a_catalog(
        products=[a_product(1, name="A"), a_product(2, name="B", taxed=True)],
        promotions=[a_promotion()],
        addons=[an_addon()],
        tlds=[a_tld()],
    )
    request = a_request(
        Item(key=0, product_id=1, addons=(AddonAsked(1),), domain="a.com", domain_type=DomainType.REGISTER),
        Item(key=5, product_id=2),
        promo_code="welcome",
    )

    order = ordered(request, catalog)
    bill = order.bill

    kinds = "service promotion addon promotion domain promotion service promotion"
    assert [order.kind_of(line) for line in bill.lines] == kinds.split()
    assert [(line.item, str(line.amount), line.taxed) for line in bill.lines] == [
        (0, "10.00", False),
        (0, "-1.00", False),
        (1, "2.00", False),
        (1, "-0.20", False),
        (2, "15.00", False),
        (2, "-1.50", False),
        (3, "10.00", True),
        (3, "-1.00", True),
    ]
    assert (str(bill.subtotal), str(bill.discount), str(bill.total)) == ("37.00", "3.70", "33.30")


def test_the_invoice_is_dated_today_and_due_after_the_grace_days() -> None:
    catalog = a_catalog(products=[a_product()])

    at_once = ordered(a_request(Item(key=0, product_id=1)), catalog).bill
    later = ordered(a_request(Item(key=0, product_id=1)), catalog, settings=ShopSettings(invoice_grace_days=14)).bill

    assert (at_once.date, at_once.due) == (date(2026, 11, 23), date(2026, 11, 23))
    assert (later.date, later.due) == (date(2026, 11, 23), date(2026, 12, 7))


@pytest.mark.parametrize(
    ("price", "rate"),
    [
        ("99999999999999.99", "1.000"),  # with tax 10^14 and more
        ("50000000000000.00", "0.000"),  # twice: exactly 10^14
    ],
)
def test_a_total_too_large_to_store_is_refused(price: str, rate: str) -> None:
    catalog = a_catalog(products=[a_product(taxed=True, prices={MONTHLY: price})], tax_rules=(a_tax_rule(rate),))
    items = (Item(key=0, product_id=1), Item(key=1, product_id=1)) if rate == "0.000" else (Item(key=0, product_id=1),)

    rejection = refused(a_request(*items), catalog)

    assert rejection.code == "total_too_large"


def test_the_largest_total_that_can_be_stored_is_an_order() -> None:
    catalog = a_catalog(products=[a_product(prices={MONTHLY: "99999999999999.99"})])

    assert str(ordered(a_request(Item(key=0, product_id=1)), catalog).bill.total) == "99999999999999.99"


# ---------------------------------------------------------------- whether an invoice is made


def test_a_priced_order_is_invoiced_and_unpaid() -> None:
    bill = ordered(a_request(Item(key=0, product_id=1)), a_catalog(products=[a_product()])).bill

    assert (bill.invoiced, bill.paid) == (True, False)


def test_a_total_of_nothing_from_priced_items_is_invoiced_and_paid() -> None:
    item = Item(key=0, product_id=1, price_override=Decimal("0.00"))

    bill = ordered(a_request(item), a_catalog(products=[a_product()])).bill

    assert (str(bill.total), bill.invoiced, bill.paid) == ("0.00", True, True)


def test_free_items_alone_are_not_invoiced() -> None:
    catalog = a_catalog(products=[a_product(pay_type="free")], addons=[an_addon(prices={FREE: "0.00"})])

    bill = ordered(a_request(Item(key=0, product_id=1, addons=(AddonAsked(1),))), catalog).bill

    assert (str(bill.total), bill.invoiced, bill.paid) == ("0.00", False, False)


def test_a_free_item_beside_a_priced_one_is_invoiced() -> None:
    catalog = a_catalog(products=[a_product(pay_type="free")], addons=[an_addon()])

    bill = ordered(a_request(Item(key=0, product_id=1, addons=(AddonAsked(1),))), catalog).bill

    assert (str(bill.total), bill.invoiced) == ("2.00", True)


def test_a_free_product_with_a_price_override_is_priced() -> None:
    item = Item(key=0, product_id=1, price_override=Decimal("5.00"))

    bill = ordered(a_request(item), a_catalog(products=[a_product(pay_type="free")])).bill

    assert (str(bill.total), bill.invoiced) == ("5.00", True)


def test_without_an_invoice_the_amount_is_computed_just_the_same() -> None:
    catalog = a_catalog(products=[a_product(taxed=True)], tax_rules=(a_tax_rule("20.000"),), promotions=[a_promotion()])

    bill = ordered(a_request(Item(key=0, product_id=1), promo_code="WELCOME", no_invoice=True), catalog).bill

    assert (bill.invoiced, bill.paid) == (False, False)
    assert str(bill.total) == "10.80"  # (10.00 - 1.00) + 20 %
    assert len(bill.lines) == 2
