"""The shop of the worked examples: one entry for each thing that a rule is about."""

from collections.abc import Mapping
from copy import deepcopy
from itertools import count
from typing import Any

from tests.reference.amended import Amended

Made = dict[str, Any]
_NUMBERS = count(1)


def _prices(currency: str = "USD", **cycles: str | tuple[str, str]) -> Made:
    pairs = {cycle: price if isinstance(price, tuple) else (price, "0.00") for cycle, price in cycles.items()}
    return {currency: {cycle: {"price": price, "setup": setup} for cycle, (price, setup) in pairs.items()}}


def _product(number: int, pricing: Made, **changes: Any) -> Made:
    return {
        "id": number, "name": f"Product {number}", "type": "hosting", "paytype": "recurring", "tax": False,
        "retired": False, "allowqty": "no", "stock_control": False, "stock_quantity": 0, "prorata": None,
        "free_domain": None, "pricing": pricing, "config_options": [], **changes,
    }  # fmt: skip


def _option(number: int, kind: str, *choices: Made, **limits: int) -> Made:
    return {"id": number, "name": f"Option {number}", "type": kind, "choices": list(choices), **limits}


def _choice(number: int, price: str, setup: str = "0.00") -> Made:
    return {"id": number, "name": f"Choice {number}", "pricing": _prices(monthly=(price, setup))}


def _addon(number: int, pricing: Made, **changes: Any) -> Made:
    return {
        "id": number, "name": f"Addon {number}", "tax": False, "products": "all", "pricing": pricing, **changes,
    }  # fmt: skip


def _tld(tld: str, register: Made, renew: Made, **changes: Any) -> Made:
    rows = {"register": register, "transfer": {"1": "14.95"}} | ({"renew": renew} if renew else {})
    return {"tld": tld, "tax": False, "epp_required": False, "pricing": {"USD": rows}, "extras": {}, **changes}


def _code(number: int, code: str, kind: str, value: str, **changes: Any) -> Made:
    return {
        "id": number, "code": code, "type": kind, "value": value, "recurring": False, "recur_for": 0, "max_uses": 0,
        "uses": 0, "once_per_client": False, "new_signups_only": False, "existing_clients_only": False,
        "requires_products": [], "cycles": [], "applies_to": {"products": "all", "addons": "all", "tlds": "all"},
        "apply_once": False, **changes,
    }  # fmt: skip


def _client(number: int, country: str, state: str = "", **changes: Any) -> Made:
    return {
        "id": number, "firstname": "F", "lastname": f"L{number}", "companyname": "", "language": "english",
        "email": f"client{number}@example.com", "address1": "", "city": "", "postcode": "", "state": state,
        "country": country, "currency": "USD", "tax_exempt": False, "group": None, "credit": "0.00",
        "status": "Active", **changes,
    }  # fmt: skip


def _service(number: int, client: int, product: int, recurring: str, **changes: Any) -> Made:
    return {
        "id": number, "client": client, "product": product, "qty": 1, "cycle": "monthly", "recurring": recurring,
        "domain": None, "status": "Active", "next_due": "2026-12-10", "renewable": True, **changes,
    }  # fmt: skip


def _domain(number: int, client: int, name: str, expires: str, status: str = "Active", **changes: Any) -> Made:
    return {
        "id": number, "client": client, "name": name, "years": 1, "recurring": "15.95", "status": status,
        "expires": expires, **changes,
    }  # fmt: skip


def _tax(level: int, name: str, country: str, state: str | None, rate: str, **changes: Any) -> Made:
    return {
        "id": next(_NUMBERS), "level": level, "name": name, "country": country, "state": state, "rate": rate,
        "compound": False, **changes,
    }  # fmt: skip


_PAID_MONTHLY: Made = {"addon": 1, "cycle": "monthly", "recurring": "2.00", "status": "Active", "renewable": True}

SHOP: Made = {
    "settings": {"tax": "exclusive", "invoice_grace_days": 7, "timezone": "UTC"},
    "currencies": [
        {"code": "USD", "prefix": "$", "suffix": " USD", "digits": 2, "default": True},
        {"code": "EUR", "prefix": "", "suffix": " EUR", "digits": 2, "default": False},
        {"code": "JPY", "prefix": "", "suffix": " JPY", "digits": 0, "default": False},
    ],
    "payment_methods": [{"name": "paypal", "display_name": "PayPal", "active": True, "order": 1}],
    "client_groups": [{"id": 1, "name": "Ten", "discount_percent": "10.00"}],
    "tax_rules": [
        _tax(1, "VAT", "GB", None, "20.000"),
        _tax(1, "GST", "CA", None, "5.000"),
        _tax(2, "QST", "CA", "Québec", "9.975", compound=True),
        _tax(2, "PST", "CA", "British Columbia", "7.000"),
        _tax(1, "Consumption tax", "JP", None, "10.000"),
    ],
    "products": [
        _product(1, _prices(monthly=("10.00", "5.00"), annually="100.00") | _prices("EUR", monthly="9.00")),
        _product(2, _prices(monthly="100.00") | _prices("JPY", monthly="1985"), tax=True),
        _product(3, _prices(monthly="30.00", annually="300.00"), prorata={"day": 1, "charge_next_month": 20}),
        _product(4, _prices(onetime=("150.00", "25.00")), paytype="onetime"),
        _product(5, {}, paytype="free"),
        _product(6, _prices(monthly=("5.00", "20.00")), allowqty="scaling"),
        _product(7, _prices(monthly=("4.00", "6.00")), allowqty="multiple"),
        _product(
            8, _prices(monthly=("20.00", "5.00")),
            config_options=[
                _option(81, "dropdown", _choice(811, "1.00"), _choice(812, "3.00", "7.00")),
                _option(82, "quantity", _choice(821, "1.00", "4.00"), min=2, max=10),
            ],
        ),
        _product(
            9, _prices(annually="99.00"),
            free_domain={"cycles": ["annually"], "tlds": [".com"], "kind": "while_renewed"},
        ),
        _product(10, _prices(monthly="31.00"), prorata={"day": 15, "charge_next_month": 20}),
        _product(11, _prices(annually="99.00", monthly="9.95"), free_domain={"cycles": ["annually"], "tlds": [".com"]}),
        _product(
            12, _prices(monthly=("20.00", "5.00")), tax=True,
            config_options=[_option(121, "yesno", _choice(1211, "3.00", "7.00"))],
        ),
    ],
    "addons": [
        _addon(1, _prices(monthly="2.00", annually="20.00")),
        _addon(2, _prices(monthly=("9.00", "3.00")), prorata=True),
        _addon(3, _prices(annually="50.00")),
        _addon(4, _prices(monthly="1.00"), retired=True),
    ],
    "tlds": [
        _tld(
            ".com", {"1": "14.95", "2": "29.90"}, {"1": "15.95", "2": "31.90", "9": "143.55", "10": "159.50"},
            tax=True, extras={"USD": {"idprotection": "6.00"}},
            grace={"days": 30, "fee": {"USD": "5.00"}}, redemption={"days": 30, "fee": {"USD": "80.00"}},
        ),
        _tld(".uk", {"1": "8.00", "2": "16.00"}, {"1": "9.00"}, extras={"USD": {"idprotection": "2.00"}}),
        _tld(".eu", {"1": "7.00"}, {}),
        _tld(".net", {"1": "9.00"}, {"1": "10.00"}, grace={"days": 30, "fee": {"EUR": "4.00"}}),
    ],
    "promotions": [
        _code(1, "TEN", "percentage", "10.00"),
        _code(2, "FIVE", "fixed_amount", "5.00"),
        _code(3, "FIVEALL", "fixed_amount", "5.00", values={"EUR": "4.00"}),
        _code(4, "EIGHT", "price_override", "8.00", recurring=True),
        _code(5, "NOSETUP", "free_setup", "0.00"),
        _code(6, "ONCE", "fixed_amount", "3.00", apply_once=True),
        _code(7, "FOREVER20", "percentage", "20.00", recurring=True),
        _code(8, "HALF2", "percentage", "50.00", recurring=True, recur_for=2),
        _code(9, "WITHONE", "percentage", "10.00", requires_products=[1]),
        _code(10, "WITHONENOW", "percentage", "10.00", requires_products=[1], requires_existing=False),
        _code(11, "YEARLY", "percentage", "10.00", cycles=["annually"]),
        _code(12, "ALL", "percentage", "100.00"),
    ],
    "clients": [
        _client(1, "US", "Texas"),
        _client(2, "GB"),
        _client(3, "CA", " quebec "),
        _client(4, "CA", "British Columbia"),
        _client(5, "US", "Texas", group=1),
        _client(6, "GB", tax_exempt=True, tax_id="GB999"),
        _client(7, "JP", currency="JPY"),
        _client(8, "CA", "Québec", tax_exempt=True),
        _client(9, "US", currency="EUR"),
        _client(10, "GB", group=1),
        _client(11, "CA", "QC"),
        _client(12, "GB", tax_id="GB998"),
    ],
    "contacts": [],
    "orders": [],
    "services": [
        _service(1, 1, 1, "10.00"),
        _service(2, 1, 1, "5.00", recurring_full="10.00", discounts_left=1),
        _service(3, 5, 1, "5.00", recurring_full="10.00", discounts_left=2),
        _service(4, 1, 3, "30.00"),
        _service(5, 1, 9, "99.00", cycle="annually", next_due="2026-12-01"),
        _service(6, 1, 1, "10.00", status="Terminated"),
        _service(7, 5, 1, "10.00"),
        _service(8, 1, 1, "10.00", status="Suspended", renewable=False),
    ],
    "service_addons": [
        {"id": 1, "service": 1, **_PAID_MONTHLY},
        {"id": 2, "service": 8, **_PAID_MONTHLY},
    ],
    "domains": [
        _domain(1, 1, "own.com", "2027-01-15"),
        _domain(2, 1, "late.com", "2026-11-13"),
        _domain(3, 1, "later.com", "2026-10-14", "Expired"),
        _domain(4, 1, "gone.com", "2026-09-01"),
        _domain(5, 1, "redeemed.uk", "2026-10-14", "Redemption"),
        _domain(6, 1, "graceful.uk", "2026-11-13", "Grace"),
        _domain(7, 1, "late.net", "2026-11-13"),
        _domain(8, 1, "free.com", "2026-12-01", free_with=5),
        _domain(9, 5, "grouped.com", "2026-11-13"),
        _domain(10, 6, "exempt.com", "2026-11-13"),
        _domain(11, 1, "paid.com", "2026-12-01", period_end="2027-11-30"),
        _domain(12, 1, "today.com", "2026-11-23"),
    ],
}  # fmt: skip

SHOP["tax_rules"][2]["state_aliases"] = ["QC"]

# What each amendment brought into the file: a product that has not got the rule refuses the key.
NEW_KEYS: Mapping[Amended, Mapping[str, tuple[str, ...]]] = {
    Amended.ADDONS_RETIRED: {"addons": ("retired",)},
    Amended.ADDONS_PRORATA: {"addons": ("prorata",)},
    Amended.LATE_DOMAINS: {"tlds": ("grace", "redemption")},
    Amended.FREE_WHILE_RENEWED: {"domains": ("free_with",)},
    Amended.PERIOD_ENDS: {"domains": ("period_end",)},
    Amended.REQUIRES_EXISTING: {"promotions": ("requires_existing",)},
    Amended.RECUR_FOR: {"services": ("recurring_full", "discounts_left")},
    Amended.STATES: {"tax_rules": ("state_aliases",)},
    Amended.TAX_EXEMPT: {"clients": ("tax_id",)},
}


def known_with(rules: frozenset[Amended]) -> Made:
    """Write the shop's file without what came with other amendments than these."""
    shop = deepcopy(SHOP)
    for amended, keys in NEW_KEYS.items():
        for section, names in keys.items() if amended not in rules else ():
            for entry in shop[section]:
                for name in names:
                    entry.pop(name, None)
    if Amended.FREE_WHILE_RENEWED not in rules:
        for product in shop["products"]:
            (product["free_domain"] or {}).pop("kind", None)
    return shop
