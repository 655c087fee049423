"""What is said of a few orders, made up by hand: the same for every test of what goes out.

Nothing is priced here, so that no change of a rule of billing moves a byte.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

from schemas import events, placed_order, rejections
from schemas.catalog import BillingCycle, Currency, DomainType, PaymentMethod, Promotion, PromotionType
from schemas.events import Cause, Event
from schemas.order import (
    Bill,
    Charge,
    Client,
    DomainName,
    InvoiceLine,
    OpenOrder,
    OrderRequest,
    PlacedOrder,
    PricedAddon,
    PricedDomain,
    PricedItem,
    PricedOrder,
    PricedRenewal,
    PricedService,
    RenewalKind,
    TaxAmount,
)
from schemas.rejections import Code, Rejection
from schemas.shop_settings import Seller
from tests.builders import a_promotion, an_open_order

TODAY = date(2026, 11, 23)
USD = Currency("USD", "$", " USD", 2, is_default=True)
JPY = Currency("JPY", "¥", "", 0, is_default=False)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

ZOE = Client(
    id=10,
    first_name="Zoë",
    last_name="Côté",
    company_name='Côté & Filles "SA" <1>; 株式会社',
    email="client10@example.com",
    language="french",
    address1="12, rue du Château",
    address2="bureau 3",
    city="Québec",
    state="Quebec",
    postcode="G1R 4S9",
    country="CA",
    tax_id="123456789 TQ0001",
    currency="USD",
    tax_exempt=False,
    group_id=None,
    status="Active",
)

SELLER = Seller(name="Hôtes SARL", address="1 quai de l'Île\n75004 Paris", country="FR", tax_id="FR00 123 456 789")


def a_charge(
    price: str, recurring: str | None = None, setup: str = "0.00", *, off: str | None = None, group_off: str = "0.00"
) -> Charge:
    return Charge(
        price=Decimal(price),
        setup=Decimal(setup),
        recurring=None if recurring is None else Decimal(recurring),
        taxed=True,
        promotion_discount=None if off is None else Decimal(off),
        group_discount=Decimal(group_off),
    )


def a_service(charge: Charge, cycle: BillingCycle = BillingCycle.MONTHLY, domain: str | None = None) -> PricedService:
    return PricedService(
        item=0,
        product_id=1,
        product_name="Starter",
        domain=domain,
        cycle=cycle,
        quantity=1,
        charge=charge,
        description="Starter",
        next_due=TODAY,
        period_end=None,
    )


def a_renewal(kind: RenewalKind, target_id: int, charge: Charge) -> PricedRenewal:
    is_domain = kind is RenewalKind.DOMAIN
    return PricedRenewal(
        kind=kind,
        target_id=target_id,
        name="älter.com" if is_domain else "Starter",
        tld=".com" if is_domain else None,
        years=2 if is_domain else None,
        cycle=None if is_domain else BillingCycle.ANNUALLY,
        charge=charge,
        description=f"Renewal {target_id}",
        period_start=date(2026, 12, 10),
        period_end=date(2028 if is_domain else 2027, 12, 9),
    )


# One of each kind.
ITEMS: tuple[PricedItem, ...] = (
    a_service(a_charge("9.95", "9.95", "5.00", off="1.00", group_off="0.50"), domain="example.com"),
    a_service(a_charge("100.00"), BillingCycle.ONETIME),
    PricedAddon(
        addon_id=1,
        name="SSL",
        service=0,
        service_id=None,
        cycle=BillingCycle.QUARTERLY,
        quantity=3,
        charge=a_charge("6.00", "6.00", off="0.60"),
        description="Addon - SSL",
        next_due=TODAY,
        period_end=None,
    ),
    PricedDomain(
        item=1,
        name=DomainName("xn--bcher-kva.com", "bücher.com"),
        tld=".com",
        type=DomainType.TRANSFER,
        years=2,
        extras=frozenset(),
        free=False,
        charge=a_charge("29.90", "29.90"),
        description="Domain Transfer - bücher.com - 2 Years",
        next_due=TODAY,
        period_end=None,
    ),
    a_renewal(RenewalKind.DOMAIN, 31, a_charge("30.00")),
    a_renewal(RenewalKind.SERVICE, 19, a_charge("119.40")),
    a_renewal(RenewalKind.ADDON, 3, a_charge("24.00")),
)

TAXES = (
    TaxAmount(1, "GST", Decimal("5.000"), Decimal("321.15"), Decimal("16.06")),
    TaxAmount(2, "QST", Decimal("9.975"), Decimal("337.21"), Decimal("33.64")),
)


def an_order(
    *items: PricedItem,
    total: str,
    lines: tuple[InvoiceLine, ...] = (),
    discount: str = "0.00",
    taxes: tuple[TaxAmount, ...] = (),
    currency: Currency = USD,
    invoiced: bool = True,
    numbered: bool = False,
    promotion: Promotion | None = None,
    warnings: tuple[str, ...] = (),
    supersedes: tuple[OpenOrder, ...] = (),
) -> PricedOrder:
    return PricedOrder(
        request=OrderRequest(client_id=ZOE.id),
        client=ZOE,
        currency=currency,
        payment_method=PaymentMethod("paypal", "PayPal", active=True),
        items=items,
        bill=Bill(
            lines=lines,
            subtotal=Decimal("321.15"),
            discount=Decimal(discount),
            taxes=taxes,
            tax_inclusive=False,
            total=Decimal(total),
            invoiced=invoiced,
            paid=Decimal(total) == 0,
            date=TODAY,
            due=date(2026, 12, 7),
            buyer=ZOE.as_buyer,
            seller=SELLER if numbered else Seller(),
            tax_note="",
            numbered=numbered,
        ),
        promotion=promotion,
        affiliate_id=None,
        warnings=warnings,
        stock_taken={},
        supersedes=supersedes,
    )


EVERYTHING = an_order(
    *ITEMS,
    total="368.75",
    lines=(
        InvoiceLine(0, "Starter - example.com (23/11/2026 - 22/12/2026)\nSetup: 5.00", Decimal("14.95"), taxed=True),
        InvoiceLine(0, "Promotional Code: démo - 10.00% One Time Discount", Decimal("-1.00"), taxed=True),
        InvoiceLine(None, "Group Discount", Decimal("-0.50"), taxed=True),
    ),
    discount="2.10",
    taxes=TAXES,
    promotion=a_promotion(PromotionType.PERCENTAGE, "10.00", code="démo"),
    warnings=("qty: a < b; c\r\nd", "promocode: \u2028 \U0001f6d2"),
    supersedes=(an_open_order(5, (RenewalKind.SERVICE, 19), (RenewalKind.DOMAIN, 31), client_id=10),),
)
PLACED = PlacedOrder(
    order_id=6, order_number="6919540479", invoice_id=1, item_ids=(28, 29, 12, 12, 31, 19, 3)
)  # of EVERYTHING

BARE = an_order(a_service(a_charge("0.00"), BillingCycle.FREE), total="0.00", invoiced=False)
PLACED_BARE = PlacedOrder(order_id=7, order_number="1000000001", invoice_id=0, item_ids=(30,))

# Born paid, in a currency without decimals.
YEN = an_order(
    a_service(a_charge("1500", "1500", "0", off="1500", group_off="0")),
    total="0",
    lines=(InvoiceLine(0, "Starter", Decimal(1500), taxed=True),),
    discount="1500",
    currency=JPY,
    numbered=True,
    promotion=a_promotion(PromotionType.FIXED_AMOUNT, "1500", code="free"),
)
PLACED_YEN = PlacedOrder(
    order_id=8, order_number="1000000002", invoice_id=2, item_ids=(31,), invoice_number="2026-00001"
)

REJECTION = Rejection(
    (
        rejections.fault(Code.NUMBER_INVALID, "qty", 1, "must be a whole number such as 7"),
        rejections.client_not_found(),
        rejections.empty_order(),
    )
)
UNREADABLE = Rejection((rejections.malformed('"é" is no <value>; really'),))


def a_cause(message_id: str | None = "cart-4711", caller: str | None = "credential:1", *, traced: bool = True) -> Cause:
    return Cause(
        caller=caller,
        message_id=message_id,
        traceparent=TRACEPARENT if traced else None,
        # A second that is a whole one is written without a fraction.
        time=datetime(2026, 11, 23, 21, 35, 20, 148_133 if traced else 0, tzinfo=UTC),
    )


def said_events() -> Iterator[tuple[str, Event]]:
    """Name each event by what it is of and by its type."""
    by_publisher = a_cause("cart-4712", "publisher:storefront", traced=False)
    for name, order, placed, cause in (
        ("everything", EVERYTHING, PLACED, a_cause()),
        ("bare", BARE, PLACED_BARE, by_publisher),
        ("yen", YEN, PLACED_YEN, by_publisher),
    ):
        for event in placed_order.events(order, placed, cause):
            yield f"{name}.{event.type}", event
    yield "faults.order.rejected", events.rejected_event(REJECTION, a_cause(), "c0ffee", 2, 10)
    nobody = a_cause(None, None, traced=False)
    yield "unreadable.order.rejected", events.rejected_event(UNREADABLE, nobody, "c0ffee", 0, None)
    yield "fault.order.failed", events.failed_event("RuntimeError", a_cause(), "c0ffee", 0, 4)
    yield "nobodys.order.failed", events.failed_event("killed_its_workers", nobody, "c0ffee", 1, 0)
