"""Orders worked out on paper: for the rules as they are written down here, and for the product.

Of each: what is ordered from the shop of worked_shop.py, the working, and the literals that come out. `first` and
`recurring` are told line by line: items by their numbers (each service with its addons, then the domain), addon-only
lines, renewals of domains, of services, of addons. Today is 23 November 2026, a Monday, where nothing else is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.reference.amended import Amended

TODAY = "2026-11-23"
NEVER = "never"

Request = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Worked:
    rule: str  # as a sentence
    working: str
    request: Request
    first: tuple[str, ...] = ()  # of each line, after discounts and before exclusive tax
    recurring: tuple[str, ...] = ()
    total: str = ""
    discount: str | None = None
    taxes: tuple[str, ...] | None = None  # "name rate of base: amount"
    group_lines: tuple[str, str] | None = None  # off all taxed lines, off all others
    late_fees: tuple[str, ...] | None = None
    full: tuple[str, ...] | None = None  # recurring_full and discounts_left, of each line
    periods: tuple[str, ...] | None = None  # last day that is billed, of each line
    promotion: str | None = None  # "": none was used
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    is_invoiced: bool = True
    tax_inclusive: bool = False
    number: str | None = None
    superseded: int = 0
    before: tuple[Request | str, ...] = ()  # requests placed before, "pay": the invoice of the one before it
    today: str = TODAY
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: frozenset[Amended] = frozenset()


def _of(client: int, **request: Any) -> Request:
    return {"clientid": client, "paymentmethod": "paypal", **request}


def _domain(name: str, **request: Any) -> dict[str, Any]:
    return {"domain": name, "domaintype": "register", **request}


INCLUSIVE = {"tax": "inclusive"}
DEDUCT = {"tax": "inclusive", "tax_exempt": "deduct"}
NUMBERED = {"invoice_number": "{year}-{number:05}", "invoice_next": 17}
ALL_OFF = {"pid": 1, "priceoverride": "0"}

PRODUCTS = (
    Worked(
        rule="the first payment is price and setup fee",
        working="10.00 + 5.00",
        request=_of(1, pid=1), first=("15.00",), recurring=("10.00",), total="15.00", periods=("2026-12-22",),
    ),
    Worked(
        rule="what is sold once does not recur",
        working="150.00 + 25.00",
        request=_of(1, pid=4), first=("175.00",), recurring=(NEVER,), total="175.00",
    ),
    Worked(
        rule="only free items make no invoice",
        working="0.00",
        request=_of(1, pid=5), first=("0.00",), recurring=(NEVER,), total="0.00", is_invoiced=False,
    ),
    Worked(
        rule="an override replaces the price and waives the setup fee",
        working="7.00 in place of 10.00 + 5.00",
        request=_of(1, pid=1, priceoverride="7.00"), first=("7.00",), recurring=("7.00",), total="7.00",
    ),
    Worked(
        rule="scaling multiplies the price, and the setup fee is paid once",
        working="3 x 5.00 + 20.00",
        request=_of(1, pid=6, qty=3), first=("35.00",), recurring=("15.00",), total="35.00",
    ),
    Worked(
        rule="scaling multiplies an override, too",
        working="3 x 2.00",
        request=_of(1, pid=6, qty=3, priceoverride="2"), first=("6.00",), recurring=("6.00",), total="6.00",
    ),
    Worked(
        rule="each of several services has its own setup fee",
        working="2 x (4.00 + 6.00)",
        request=_of(1, pid=7, qty=2), first=("10.00", "10.00"), recurring=("4.00", "4.00"), total="20.00",
    ),
    Worked(
        rule="options are at their defaults, and a quantity pays its setup fee once",
        working="20.00 + 5.00, location 1.00, addresses 2 x 1.00 + 4.00 = 32.00; then 20.00 + 1.00 + 2.00",
        request=_of(1, pid=8), first=("32.00",), recurring=("23.00",), total="32.00",
    ),
    Worked(
        rule="chosen options have their own price and setup fee",
        working="20.00 + 5.00, location 3.00 + 7.00, addresses 4 x 1.00 + 4.00 = 43.00; then 20.00 + 3.00 + 4.00",
        request=_of(1, pid=8, configoptions={"81": 812, "82": 4}), first=("43.00",), recurring=("27.00",),
        total="43.00",
    ),
    Worked(
        rule="options stay charged under an override, with their setup fees",
        working="6.00 + 3.00 + 7.00 + 4.00 + 4.00 = 24.00; then 6.00 + 3.00 + 4.00",
        request=_of(1, pid=8, priceoverride="6.00", configoptions={"81": 812, "82": 4}), first=("24.00",),
        recurring=("13.00",), total="24.00",
    ),
    Worked(
        rule="an addon that is not sold on its parent's cycle is on its own shortest",
        working="10.00 + 5.00; 50.00 a year",
        request=_of(1, pid=1, addons="3"), first=("15.00", "50.00"), recurring=("10.00", "50.00"), total="65.00",
    ),
    Worked(
        rule="an addon with a quantity is one row",
        working="15.00; 3 x 2.00",
        request=_of(1, pid=1, addons="1", addonsqty="3"), first=("15.00", "6.00"), recurring=("10.00", "6.00"),
        total="21.00",
    ),
    Worked(
        rule="an addon that is retired is not sold",
        working="none",
        request=_of(1, pid=1, addons="4"), faults=("addon_invalid",), needs=frozenset({Amended.ADDONS_RETIRED}),
    ),
    Worked(
        rule="a service that is over takes no addon",
        working="none",
        request=_of(1, addonid=1, serviceid=6), faults=("service_not_extendable",),
        needs=frozenset({Amended.SERVICES_NOT_EXTENDABLE}),
    ),
)  # fmt: skip

DOMAINS = (
    Worked(
        rule="where renewal falls back to the shortest period, so do the recurring extras",
        working="16.00 + 2 x 2.00 = 20.00; then 9.00 + 2.00",
        request=_of(1, **_domain("a.uk", regperiod=2, idprotection=True)), first=("20.00",), recurring=("11.00",),
        total="20.00", periods=("2028-11-22",),
    ),
    Worked(
        rule="overrides replace the bare price of a domain, and extras stay",
        working="1.00 + 6.00; then 12.00 + 6.00",
        request=_of(1, **_domain("a.com", idprotection=True, domainpriceoverride="1", domainrenewoverride="12")),
        first=("7.00",), recurring=("18.00",), total="7.00",
    ),
    Worked(
        rule="a transfer tells years and no dates",
        working="14.95; then 15.95",
        request=_of(1, **_domain("a.com", domaintype="transfer")), first=("14.95",), recurring=("15.95",),
        total="14.95", periods=("None",),
    ),
    Worked(
        rule="a domain that is free once is renewed at the ordinary price",
        working="99.00; 6.00 for ID protection; then 15.95 + 6.00",
        request=_of(1, pid=11, billingcycle="annually", **_domain("a.com", idprotection=True)),
        first=("99.00", "6.00"), recurring=("99.00", "21.95"), total="105.00",
    ),
    Worked(
        rule="a domain that is free while renewed recurs at its extras",
        working="99.00; 6.00; then 0.00 + 6.00",
        request=_of(1, pid=9, **_domain("a.com", idprotection=True)), first=("99.00", "6.00"),
        recurring=("99.00", "6.00"), total="105.00", needs=frozenset({Amended.FREE_WHILE_RENEWED}),
    ),
    Worked(
        rule="a renew override alone does not make a free domain paid",
        working="99.00; 0.00; then 12.00",
        request=_of(1, pid=11, billingcycle="annually", **_domain("a.com", domainrenewoverride="12.00")),
        first=("99.00", "0.00"), recurring=("99.00", "12.00"), total="99.00",
        needs=frozenset({Amended.FREE_WITH_RENEW_OVERRIDE}),
    ),
    Worked(
        rule="two years are not free",
        working="99.00; 29.90; then 31.90",
        request=_of(1, pid=11, billingcycle="annually", **_domain("a.com", regperiod=2)), first=("99.00", "29.90"),
        recurring=("99.00", "31.90"), total="128.90",
    ),
    Worked(
        rule="a domain whose TLD is not renewed at all has no recurring amount",
        working="7.00; there is no renew price of .eu",
        request=_of(1, **_domain("a.eu")), first=("7.00",), recurring=(NEVER,), total="7.00",
        needs=frozenset({Amended.NO_RENEWAL_PRICE}),
    ),
)  # fmt: skip

_LATE = frozenset({Amended.LATE_DOMAINS})

RENEWALS = (
    Worked(
        rule="a domain is renewed at today's price from its expiry on",
        working="31.90 for two years; from 15 January 2027",
        request=_of(1, domainrenewals={"own.com": 2}), first=("31.90",), recurring=(NEVER,), total="31.90",
        late_fees=("0.00",), periods=("2029-01-14",),
    ),
    Worked(
        rule="what is paid beyond the expiry counts",
        working="15.95; the later of 1 December 2026 and 1 December 2027, the day after what is paid",
        request=_of(1, domainrenewals={"paid.com": 1}), first=("15.95",), recurring=(NEVER,), total="15.95",
        periods=("2028-11-30",), needs=frozenset({Amended.PERIOD_ENDS}),
    ),
    Worked(
        rule="on the day of its expiry a domain is not late",
        working="15.95",
        request=_of(1, domainrenewals={"today.com": 1}), first=("15.95",), recurring=(NEVER,), total="15.95",
        late_fees=("0.00",),
    ),
    Worked(
        rule="ten days late is grace, and its fee is added once",
        working="31.90 for two years + 5.00; 13 November + 2 years",
        request=_of(1, domainrenewals={"late.com": 2}), first=("36.90",), recurring=(NEVER,), total="36.90",
        late_fees=("5.00",), periods=("2028-11-12",), needs=_LATE,
    ),
    Worked(
        rule="behind the 30 days of grace comes redemption",
        working="14 October to 23 November are 40 days; 15.95 + 80.00",
        request=_of(1, domainrenewals={"later.com": 1}), first=("95.95",), recurring=(NEVER,), total="95.95",
        late_fees=("80.00",), needs=_LATE,
    ),
    Worked(
        rule="behind redemption nothing is renewed",
        working="1 September to 23 November are 83 days, more than 30 + 30",
        request=_of(1, domainrenewals={"gone.com": 1}), faults=("domain_not_renewable",), needs=_LATE,
    ),
    Worked(
        rule="redemption without a fee is refused",
        working="none",
        request=_of(1, domainrenewals={"redeemed.uk": 1}), faults=("domain_not_renewable",), needs=_LATE,
    ),
    Worked(
        rule="grace without a fee costs nothing",
        working="9.00",
        request=_of(1, domainrenewals={"graceful.uk": 1}), first=("9.00",), recurring=(NEVER,), total="9.00",
        late_fees=("0.00",),
    ),
    Worked(
        rule="a fee in other currencies only is refused",
        working="none",
        request=_of(1, domainrenewals={"late.net": 1}), faults=("domain_not_renewable",), needs=_LATE,
    ),
    Worked(
        rule="a code does not lower the fee",
        working="10 % of 15.95 = 1.595, rounded to 1.60; 15.95 - 1.60 + 5.00",
        request=_of(1, domainrenewals={"late.com": 1}, promocode="TEN"), first=("19.35",), recurring=(NEVER,),
        total="19.35", discount="1.60", promotion="TEN", needs=_LATE,
    ),
    Worked(
        rule="a group does not lower the fee",
        working="10 % of 15.95 = 1.60; 15.95 - 1.60 + 5.00",
        request=_of(5, domainrenewals={"grouped.com": 1}), first=("19.35",), recurring=(NEVER,), total="19.35",
        discount="1.60", needs=_LATE,
    ),
    Worked(
        rule="the fee is not weighed: 5.00 off is more than the group's tenth of the year's price",
        working="the group: 1.60; the code: 5.00; 15.95 - 5.00 + 5.00",
        request=_of(5, domainrenewals={"grouped.com": 1}, promocode="FIVE"), first=("15.95",), recurring=(NEVER,),
        total="15.95", discount="5.00", promotion="FIVE", needs=_LATE | {Amended.BETTER_OF},
    ),
    Worked(
        rule="nothing is renewed for more than ten years from today",
        working="15 January 2027 + 10 years is behind 23 November 2036",
        request=_of(1, domainrenewals={"own.com": 10}), faults=("period_not_offered",),
        needs=frozenset({Amended.TEN_YEARS}),
    ),
    Worked(
        rule="up to ten years from today is renewed",
        working="143.55; 15 January 2027 + 9 years is before 23 November 2036",
        request=_of(1, domainrenewals={"own.com": 9}), first=("143.55",), recurring=(NEVER,), total="143.55",
        periods=("2036-01-14",),
    ),
    Worked(
        rule="a domain that is free while renewed is free beside its service",
        working="0.00; 99.00",
        request=_of(1, domainrenewals={"free.com": 1}, servicerenewals=[5]), first=("0.00", "99.00"),
        recurring=(NEVER, NEVER), total="99.00", needs=frozenset({Amended.FREE_WHILE_RENEWED}),
        periods=("2027-11-30", "2027-11-30"),
    ),
    Worked(
        rule="alone it is paid, with a warning",
        working="15.95",
        request=_of(1, domainrenewals={"free.com": 1}), first=("15.95",), recurring=(NEVER,), total="15.95",
        warnings=("free domain alone",), needs=frozenset({Amended.FREE_WHILE_RENEWED}),
    ),
    Worked(
        rule="services and addons are renewed at their own amounts from their next due date on",
        working="10.00 + 2.00; 10 December + 1 month",
        request=_of(1, servicerenewals=[1], addonrenewals=[1]), first=("10.00", "2.00"), recurring=(NEVER, NEVER),
        total="12.00", periods=("2027-01-09", "2027-01-09"),
    ),
    Worked(
        rule="an addon is not renewed while its service is not",
        working="none",
        request=_of(1, addonrenewals=[2]), faults=("addon_not_renewable",), needs=frozenset({Amended.RENEWABLE}),
    ),
    Worked(
        rule="a renewal is charged the lower amount while discounts are left",
        working="5.00, for one is left",
        request=_of(1, servicerenewals=[2]), first=("5.00",), recurring=(NEVER,), total="5.00",
        needs=frozenset({Amended.RECUR_FOR}),
    ),
    Worked(
        rule="then it is charged the full amount",
        working="the one that was left is taken and paid: 10.00; 10 January 2027 + 1 month",
        request=_of(1, servicerenewals=[2]), before=(_of(1, servicerenewals=[2]), "pay"), first=("10.00",),
        recurring=(NEVER,), total="10.00", periods=("2027-02-09",), needs=frozenset({Amended.RECUR_FOR}),
    ),
    Worked(
        rule="an order that is superseded gives back the discount that it took",
        working="the one that was left is taken, given back and taken again: 5.00",
        request=_of(1, servicerenewals=[2]), before=(_of(1, servicerenewals=[2]),), first=("5.00",),
        recurring=(NEVER,), total="5.00", superseded=1, needs=frozenset({Amended.RECUR_FOR, Amended.RENEWED_AGAIN}),
    ),
    Worked(
        rule="an order that renews more than this one is not superseded, and a warning tells of it",
        working="2.00; the order before renews service 1, too",
        request=_of(1, addonrenewals=[1]), before=(_of(1, servicerenewals=[1], addonrenewals=[1]),),
        first=("2.00",), recurring=(NEVER,), total="2.00", warnings=("renewed elsewhere",),
        needs=frozenset({Amended.RENEWED_AGAIN}),
    ),
)  # fmt: skip

PRORATA = (
    Worked(
        rule="from the charge next month day on, the whole next month is added",
        working="8 of 30 days: 30.00 x 8 / 30 = 8.00, and 30.00 for December",
        request=_of(1, pid=3), first=("38.00",), recurring=("30.00",), total="38.00", periods=("2026-12-31",),
    ),
    Worked(
        rule="before it, the rest of the month is billed",
        working="14 of 28 days: 30.00 x 14 / 28",
        request=_of(1, pid=3), today="2027-02-15", first=("15.00",), recurring=("30.00",), total="15.00",
        periods=("2027-02-28",),
    ),
    Worked(
        rule="on the prorata day the whole month is billed",
        working="31 of 31 days",
        request=_of(1, pid=3), today="2026-12-01", first=("30.00",), recurring=("30.00",), total="30.00",
        periods=("2026-12-31",),
    ),
    Worked(
        rule="the share is rounded half up",
        working="12 of 31 days: 30.00 x 12 / 31 = 11.6129, 11.61; and 30.00 for January",
        request=_of(1, pid=3), today="2026-12-20", first=("41.61",), recurring=("30.00",), total="41.61",
        periods=("2027-01-31",),
    ),
    Worked(
        rule="the charge next month day is one between two prorata days",
        working="15 November to 15 December: 5 of 30 days, behind the 20th: 31.00 x 5 / 30 = 5.1667, 5.17; and 31.00",
        request=_of(1, pid=10), today="2026-12-10", first=("36.17",), recurring=("31.00",), total="36.17",
        periods=("2027-01-14",),
    ),
    Worked(
        rule="other cycles are billed in full",
        working="300.00",
        request=_of(1, pid=3, billingcycle="annually"), first=("300.00",), recurring=("300.00",), total="300.00",
        periods=("2027-11-22",),
    ),
    Worked(
        rule="a prorata addon goes with its parent: price x n first, one rounding, setup exempt",
        working=(
            "12 of 31 days: 3 x 9.00 x 12 / 31 = 10.4516, 10.45 (each by itself: 3 x 3.48 = 10.44); "
            "and 27.00 for January, setup 3.00"
        ),
        request=_of(1, pid=3, addons="2", addonsqty="3"), today="2026-12-20", first=("41.61", "40.45"),
        recurring=("30.00", "27.00"), total="82.06", periods=("2027-01-31", "2027-01-31"),
        needs=frozenset({Amended.ADDONS_PRORATA}),
    ),
    Worked(
        rule="so does one for a service that exists",
        working="8 of 30 days: 9.00 x 8 / 30 = 2.40; 9.00 for December, setup 3.00",
        request=_of(1, addonid=2, serviceid=4), first=("14.40",), recurring=("9.00",), total="14.40",
        periods=("2026-12-31",), needs=frozenset({Amended.ADDONS_PRORATA}),
    ),
    Worked(
        rule="not where its parent is not monthly",
        working="300.00; 9.00 + 3.00",
        request=_of(1, pid=3, billingcycle="annually", addons="2"), first=("300.00", "12.00"),
        recurring=("300.00", "9.00"), total="312.00", periods=("2027-11-22", "2026-12-22"),
    ),
)  # fmt: skip

PROMOTIONS = (
    Worked(
        rule="a percentage is of the line with its setup fee",
        working="10 % of 15.00",
        request=_of(1, pid=1, promocode="ten"), first=("13.50",), recurring=("10.00",), total="13.50", discount="1.50",
        promotion="TEN",
    ),
    Worked(
        rule="a half goes up",
        working="10 % of 14.95 = 1.495, rounded to 1.50",
        request=_of(1, **_domain("a.com"), promocode="TEN"), first=("13.45",), recurring=("15.95",), total="13.45",
        discount="1.50",
    ),
    Worked(
        rule="no line becomes negative",
        working="15.00 - 5.00; 2.00 - 2.00",
        request=_of(1, pid=1, addons="1", promocode="FIVE"), first=("10.00", "0.00"), recurring=("10.00", "2.00"),
        total="10.00", discount="7.00",
    ),
    Worked(
        rule="a price override replaces the price, and options and setup fees stay",
        working="32.00, of which 20.00 become 8.00; then 23.00 - 12.00",
        request=_of(1, pid=8, promocode="EIGHT"), first=("20.00",), recurring=("11.00",), total="20.00",
        discount="12.00",
    ),
    Worked(
        rule="a price override is prorated as the price is",
        working="38.00; 8.00 x 8 / 30 = 2.1333, 2.13, and 8.00: 38.00 - 10.13 = 27.87",
        request=_of(1, pid=3, promocode="EIGHT"), first=("10.13",), recurring=("8.00",), total="10.13",
        discount="27.87",
    ),
    Worked(
        rule="a price override is a unit's",
        working="3 x 5.00 + 20.00, and 8.00 is more than 5.00: nothing is taken off",
        request=_of(1, pid=6, qty=3, promocode="EIGHT"), first=("35.00",), recurring=("15.00",), total="35.00",
        promotion="", warnings=("promocode: fits no item",),
    ),
    Worked(
        rule="free setup takes all setup fees of a line away",
        working="43.00, of which 5.00 + 7.00 + 4.00 are setup",
        request=_of(1, pid=8, configoptions={"81": 812, "82": 4}, promocode="NOSETUP"), first=("27.00",),
        recurring=("27.00",), total="27.00", discount="16.00",
    ),
    Worked(
        rule="once per order is on the first line",
        working="10.00 - 3.00; 10.00",
        request=_of(1, pid=7, qty=2, promocode="ONCE"), first=("7.00", "10.00"), recurring=("4.00", "4.00"),
        total="17.00", discount="3.00",
    ),
    Worked(
        rule="a recurring code lowers what recurs, for ever",
        working="20 % of 15.00 = 3.00; then 10.00 - 2.00",
        request=_of(1, pid=1, promocode="FOREVER20"), first=("12.00",), recurring=("8.00",), total="12.00",
        full=("None None",),
    ),
    Worked(
        rule="or for so many further payments, and then the full amount stands beside it",
        working="50 % of 15.00 = 7.50; then 5.00 twice, then 10.00",
        request=_of(1, pid=1, promocode="HALF2"), first=("7.50",), recurring=("5.00",), total="7.50",
        full=("10.00 2",), needs=frozenset({Amended.RECUR_FOR}),
    ),
    Worked(
        rule="a plain value is the default currency's",
        working="9.00 euros",
        request=_of(9, pid=1, promocode="FIVE"), first=("9.00",), recurring=("9.00",), total="9.00", promotion="",
        warnings=("promocode: no value in this currency",),
    ),
    Worked(
        rule="a value of the client's currency counts",
        working="9.00 - 4.00 euros",
        request=_of(9, pid=1, promocode="FIVEALL"), first=("5.00",), recurring=("9.00",), total="5.00",
        discount="4.00",
    ),
    Worked(
        rule="a product that is owned is enough",
        working="10 % of 4.00 + 6.00; client 1 owns product 1",
        request=_of(1, pid=7, promocode="WITHONE"), first=("9.00",), recurring=("4.00",), total="9.00",
    ),
    Worked(
        rule="but for a code that wants it in the order",
        working="4.00 + 6.00",
        request=_of(1, pid=7, promocode="WITHONENOW"), first=("10.00",), recurring=("4.00",), total="10.00",
        promotion="", warnings=("promocode: requires a product",), needs=frozenset({Amended.REQUIRES_EXISTING}),
    ),
    Worked(
        rule="an override of the code lets every line qualify",
        working="15.00 - 1.50, though the code is for yearly cycles",
        request=_of(1, pid=1, promocode="YEARLY", promooverride=True), first=("13.50",), recurring=("10.00",),
        total="13.50", discount="1.50",
    ),
)  # fmt: skip

_BETTER = frozenset({Amended.BETTER_OF})

GROUPS = (
    Worked(
        rule="a group's discount is of each line, rounded",
        working="10 % of 14.95 = 1.495, rounded to 1.50; 10 % of 15.00",
        request=_of(5, pid=1, **_domain("a.com")), first=("13.50", "13.45"), recurring=("10.00", "15.95"),
        total="26.95", discount="3.00",
    ),
    Worked(
        rule="equal: the group, and the code is not used",
        working="10 % are 10 %: 15.00 - 1.50",
        request=_of(5, pid=1, promocode="TEN"), first=("13.50",), recurring=("10.00",), total="13.50",
        group_lines=("0.00", "1.50"), promotion="", warnings=("promocode: no more than the group",), needs=_BETTER,
    ),
    Worked(
        rule="the better one is taken alone",
        working="20 % of 15.00 = 3.00, and not 1.50 as well; then 8.00",
        request=_of(5, pid=1, promocode="FOREVER20"), first=("12.00",), recurring=("8.00",), total="12.00",
        discount="3.00", group_lines=("0.00", "0.00"), promotion="FOREVER20", needs=_BETTER,
    ),
    Worked(
        rule="each line gets the better one",
        working="100.00: the group's 10.00 beats 5.00; 15.00: 5.00 beats 1.50",
        request=_of(5, pid=[2, 1], promocode="FIVE"), first=("90.00", "10.00"), recurring=("100.00", "10.00"),
        total="100.00", discount="15.00", group_lines=("10.00", "0.00"), promotion="FIVE", needs=_BETTER,
    ),
    Worked(
        rule="where the group wins, what recurs stays full",
        working="100.00: 10 % of the group and 8.00 in place of 100.00: 92.00 off; 2.00: 8.00 is more: 0.20",
        request=_of(5, pid=2, addons="1", promocode="EIGHT"), first=("8.00", "1.80"), recurring=("8.00", "2.00"),
        total="9.80", discount="92.20", promotion="EIGHT", needs=_BETTER,
    ),
    Worked(
        rule="once per order is on the first line where the code beats the group",
        working="100.00: 10.00 beats 3.00; 15.00: 3.00 beats 1.50; 10.00: 1.00, for the code was used",
        request=_of(5, pid=[2, 1, 7], promocode="ONCE"), first=("90.00", "12.00", "9.00"),
        recurring=("100.00", "10.00", "4.00"), total="111.00", discount="14.00", promotion="ONCE", needs=_BETTER,
    ),
    Worked(
        rule="a renewal that a code lowers gets no group discount",
        working="5.00 as it is; 10.00 - 1.00",
        request=_of(5, servicerenewals=[3, 7]), first=("5.00", "9.00"), recurring=(NEVER, NEVER), total="14.00",
        discount="1.00", needs=frozenset({Amended.RECUR_FOR}),
    ),
    Worked(
        rule="one line of the group is for what is taxed and one for what is not",
        working="10 % of 100.00 and of 15.00; 20 % of 90.00; 115.00 - 11.50 + 18.00",
        request=_of(10, pid=[2, 1]), first=("90.00", "13.50"), recurring=("100.00", "10.00"), total="121.50",
        discount="11.50", group_lines=("10.00", "1.50"), taxes=("VAT 20 of 90.00: 18.00",),
    ),
)  # fmt: skip

TAXES = (
    Worked(
        rule="tax comes on top",
        working="20 % of 100.00",
        request=_of(2, pid=2), first=("100.00",), recurring=("100.00",), total="120.00",
        taxes=("VAT 20 of 100.00: 20.00",),
    ),
    Worked(
        rule="a tax_id alone exempts nobody",
        working="20 % of 100.00",
        request=_of(12, pid=2), first=("100.00",), recurring=("100.00",), total="120.00",
    ),
    Worked(
        rule="a state is found without case, accents and blanks, and level 2 is compound",
        working="5 % of 100.00; 9.975 % of 105.00 = 10.47375, 10.47",
        request=_of(3, pid=2), first=("100.00",), recurring=("100.00",), total="115.47",
        taxes=("GST 5 of 100.00: 5.00", "QST 9.975 of 105.00: 10.47"), needs=frozenset({Amended.STATES}),
    ),
    Worked(
        rule="a state is found under its alias",
        working="as above",
        request=_of(11, pid=2), first=("100.00",), recurring=("100.00",), total="115.47",
        needs=frozenset({Amended.STATES}),
    ),
    Worked(
        rule="two levels that are not compound are of the same sum",
        working="5 % and 7 % of 100.00",
        request=_of(4, pid=2), first=("100.00",), recurring=("100.00",), total="112.00",
        taxes=("GST 5 of 100.00: 5.00", "PST 7 of 100.00: 7.00"),
    ),
    Worked(
        rule="an amount has its currency's digits",
        working="10 % of 1985 = 198.5, 199",
        request=_of(7, pid=2), first=("1985",), recurring=("1985",), total="2184",
        taxes=("Consumption tax 10 of 1985: 199",),
    ),
    Worked(
        rule="an inclusive tax is contained",
        working="100.00 x 20 / 120 = 16.6667, 16.67",
        request=_of(2, pid=2), settings=INCLUSIVE, first=("100.00",), recurring=("100.00",), total="100.00",
        taxes=("VAT 20 of 83.33: 16.67",), tax_inclusive=True,
    ),
    Worked(
        rule="a compound one is contained in the whole, and the one below it in what is left",
        working="100.00 x 9.975 / 109.975 = 9.0702, 9.07; 90.93 x 5 / 105 = 4.33",
        request=_of(3, pid=2), settings=INCLUSIVE, first=("100.00",), recurring=("100.00",), total="100.00",
        taxes=("GST 5 of 86.60: 4.33", "QST 9.975 of 90.93: 9.07"), tax_inclusive=True,
        needs=frozenset({Amended.STATES}),
    ),
    Worked(
        rule="two beside each other are contained in the whole",
        working="100.00 x 5 / 112 = 4.4643, 4.46; 100.00 x 7 / 112 = 6.25",
        request=_of(4, pid=2), settings=INCLUSIVE, first=("100.00",), recurring=("100.00",), total="100.00",
        taxes=("GST 5 of 89.29: 4.46", "PST 7 of 89.29: 6.25"), tax_inclusive=True,
    ),
    Worked(
        rule="who is exempt pays the same in an inclusive shop that keeps",
        working="100.00",
        request=_of(6, pid=2), settings=INCLUSIVE, first=("100.00",), recurring=("100.00",), total="100.00", taxes=(),
        tax_inclusive=True,
    ),
    Worked(
        rule="where it deducts, the contained tax is taken out of the price, and what recurs stays the catalogue's",
        working="100.00 / 1.2 = 83.3333, 83.33",
        request=_of(6, pid=2), settings=DEDUCT, first=("83.33",), recurring=("100.00",), total="83.33", taxes=(),
        needs=frozenset({Amended.TAX_EXEMPT}),
    ),
    Worked(
        rule="compound as in inclusive",
        working="1.05 x 1.09975 = 1.1547375; 100.00 / 1.1547375 = 86.5997, 86.60",
        request=_of(8, pid=2), settings=DEDUCT, first=("86.60",), recurring=("100.00",), total="86.60",
        needs=frozenset({Amended.TAX_EXEMPT}),
    ),
    Worked(
        rule="price, setup, options and discount are divided and rounded one by one",
        working=(
            "20.00 / 1.2 = 16.67; 3.00 / 1.2 = 2.50; 12.00 / 1.2 = 10.00; 10 % of 35.00 = 3.50, / 1.2 = 2.92; "
            "29.17 - 2.92"
        ),
        request=_of(6, pid=12, configoptions={"121": 1}, promocode="TEN"), settings=DEDUCT, first=("26.25",),
        recurring=("23.00",), total="26.25", discount="2.92", needs=frozenset({Amended.TAX_EXEMPT}),
    ),
    Worked(
        rule="a late fee is taxed as its domain, and divided as its price is",
        working="15.95 / 1.2 = 13.2917, 13.29; 5.00 / 1.2 = 4.1667, 4.17",
        request=_of(6, domainrenewals={"exempt.com": 1}), settings=DEDUCT, first=("17.46",), recurring=(NEVER,),
        total="17.46", late_fees=("4.17",), needs=frozenset({Amended.TAX_EXEMPT, Amended.LATE_DOMAINS}),
    ),
    Worked(
        rule="what is not taxed stays",
        working="10.00 + 5.00",
        request=_of(6, pid=1), settings=DEDUCT, first=("15.00",), recurring=("10.00",), total="15.00",
        needs=frozenset({Amended.TAX_EXEMPT}),
    ),
)  # fmt: skip

_NUMBERS = frozenset({Amended.INVOICE_NUMBERS})

INVOICES = (
    Worked(
        rule="an invoice of 0.00 is born paid with the number that the shop goes on with",
        working="0.00 in place of 10.00 + 5.00",
        request=_of(1, **ALL_OFF), settings=NUMBERED, first=("0.00",), recurring=("0.00",), total="0.00",
        number="2026-00017", needs=_NUMBERS,
    ),
    Worked(
        rule="an invoice that is to be paid has no number yet, and takes none from the next one",
        working="17 is given to the second, which is paid first",
        request=_of(1, **ALL_OFF), settings=NUMBERED, before=(_of(1, pid=1),), first=("0.00",), recurring=("0.00",),
        total="0.00", number="2026-00017", needs=_NUMBERS,
    ),
    Worked(
        rule="numbers have no gaps",
        working="17 is paid, 18 is this one's",
        request=_of(1, **ALL_OFF), settings=NUMBERED, before=(_of(1, pid=1), "pay"), first=("0.00",),
        recurring=("0.00",), total="0.00", number="2026-00018", needs=_NUMBERS,
    ),
    Worked(
        rule="a discount of all of it makes it paid, too",
        working="100 % of 15.00",
        request=_of(1, pid=1, promocode="ALL"), settings=NUMBERED, first=("0.00",), recurring=("10.00",), total="0.00",
        discount="15.00", number="2026-00017", needs=_NUMBERS,
    ),
    Worked(
        rule="no invoice is made where none is wanted, and what is owed is worked out all the same",
        working="100.00 + 20.00",
        request=_of(2, pid=2, noinvoice=True), first=("100.00",), recurring=("100.00",), total="120.00",
        is_invoiced=False,
    ),
)  # fmt: skip

WORKED = (*PRODUCTS, *DOMAINS, *RENEWALS, *PRORATA, *PROMOTIONS, *GROUPS, *TAXES, *INVOICES)
