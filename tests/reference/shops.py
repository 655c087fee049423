"""Random shops, as catalogue files that `orders catalog load` takes: small, and full of what rules are about."""

import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from tests.reference import amounts
from tests.reference.amended import Amended
from tests.reference.days import CYCLES, MONTHS

Made = dict[str, Any]
Rules = frozenset[Amended]

DIGITS = {"USD": 2, "EUR": 2, "JPY": 0, "TND": 1}  # amounts have two at most: what numeric(16,2) holds
PAID_AGAIN = tuple(cycle for cycle in CYCLES if MONTHS[cycle])
STATES = {"US": ("New York", "Texas", ""), "CA": ("Québec", "Ontario"), "DE": ("Berlin",), "BR": ("São Paulo", "")}
TLDS = (".com", ".uk", ".co.uk", ".eu")
EXTRAS = ("dnsmanagement", "emailforwarding", "idprotection")
RATES = ("20.000", "5.000", "9.975", "7.000", "8.875", "19.000", "0.000", "33.333")
ITEM_STATES = ("Active",) * 6 + ("Suspended", "Suspended", "Pending", "Terminated", "Cancelled", "Fraud", "Completed")
DOMAIN_STATES = ("Active",) * 5 + (
    "Expired", "Expired", "Grace", "Redemption", "Pending", "Pending Transfer", "Cancelled", "Transferred Away",
    "Fraud",
)  # fmt: skip


class ShopMaker:
    """Makes one shop; `today` is the day on which it sells."""

    def __init__(self, chance: random.Random, today: date, rules: Rules) -> None:
        self._chance = chance
        self._today = today
        self._rules = rules
        self._currencies = chance.sample(list(DIGITS), 3)

    def make(self) -> Made:
        shop: Made = {
            "settings": self._settings(),
            "currencies": [
                {"code": code, "prefix": "", "suffix": f" {code}", "digits": DIGITS[code], "default": number == 0}
                for number, code in enumerate(self._currencies)
            ],
            "payment_methods": [
                {"name": name, "display_name": name, "active": name != "closed", "order": number}
                for number, name in enumerate(("paypal", "mailin", "closed"))
            ],
            "client_groups": [
                {"id": number, "name": f"Group {number}", "discount_percent": percent}
                for number, percent in enumerate(
                    self._chance.sample(["10.00", "7.50", "33.33", "100.00", "0.00"], 2), 1
                )
            ],
            "tax_rules": list(self._tax_rules()),
            "products": [self._product(number) for number in range(1, 11)],
        }
        shop["addons"] = [self._addon(number) for number in range(1, 6)]
        shop["tlds"] = [self._tld(tld) for tld in TLDS]
        shop["promotions"] = [self._promotion(number) for number in range(1, 15)]
        shop["clients"] = [self._client(number) for number in range(1, 10)]
        shop["contacts"] = [
            {"id": 1, "client": 1, "firstname": "C", "lastname": "C", "companyname": "", "email": "c@example.com"}
        ]
        shop["orders"] = list(self._orders())
        shop["services"] = [self._service(number, shop) for number in range(1, 21)]
        shop["service_addons"] = [self._service_addon(number, shop) for number in range(1, 13)]
        shop["domains"] = [self._domain(number, shop) for number in range(1, 19)]
        return shop

    # ------------------------------------------------------------ small chances

    def _has(self, rule: Amended, probability: float) -> bool:
        """Throw the dice whatever the rules are: the rest of a shop is the same with a rule and without."""
        return self._chance.random() < probability and rule in self._rules

    def _maybe(self, probability: float) -> bool:
        return self._chance.random() < probability

    def _some(self, of_them: Iterable[Any], probability: float = 0.5) -> list[Any]:
        return [one for one in of_them if self._maybe(probability)]

    def _amount(self, code: str, most: int = 200) -> str:
        digits = DIGITS[code]
        units = self._chance.choice(
            (
                self._chance.randrange(most * 10**digits),
                self._chance.randrange(1, most) * 10**digits,
                max(1, self._chance.randrange(1, most) * 10**digits - self._chance.choice((1, 5))),
                self._chance.choice((0, 1, 5, 10**digits)),
            )
        )
        return amounts.text(Fraction(units, 10**digits), digits)

    # ------------------------------------------------------------ the shop

    def _settings(self) -> Made:
        settings: Made = {
            "tax": self._chance.choice(("exclusive", "inclusive")),
            "invoice_grace_days": self._chance.choice((0, 0, 7, 14)),
            "timezone": self._chance.choice(("UTC", "Europe/Berlin", "Pacific/Auckland", "America/Los_Angeles")),
        }
        if self._has(Amended.TAX_EXEMPT, 0.6):
            settings["tax_exempt"] = "deduct"
        if self._has(Amended.INVOICE_NUMBERS, 0.6):
            settings["invoice_number"] = self._chance.choice(
                ("{year}-{number:05}", "R{number}", "{year}{month}/{number}")
            )
            settings["invoice_next"] = self._chance.choice((1, 17))
        return settings

    def _tax_rules(self) -> Iterable[Made]:
        places: list[tuple[str | None, str | None]] = [(None, None)]
        for land, states in STATES.items():
            places += [(land, None), *((land, state) for state in states if state)]
        number = 0
        for level in (1, 2):
            for country, state in places:
                wanted, compound, alias = self._maybe(0.55), self._maybe(0.5), self._has(Amended.STATES, 0.5)
                rate = self._chance.choice(RATES)
                if wanted:
                    number += 1
                    aliases = {"state_aliases": [state[:2].upper()]} if alias and state else {}
                    yield {
                        "id": number, "level": level, "name": f"Tax {number}", "country": country, "state": state,
                        "rate": rate, "compound": compound, **aliases,
                    }  # fmt: skip

    def _cycle_prices(self, code: str, cycles: Sequence[str], *, keep_first: bool = False) -> Made:
        rows = {}
        for number, cycle in enumerate(cycles):
            price = "-1.00" if self._maybe(0.08) and not (keep_first and number == 0) else self._amount(code)
            rows[cycle] = {"price": price, "setup": self._amount(code, 40) if self._maybe(0.4) else "0"}
        return rows

    def _pricing(self, cycles: Sequence[str], *, everywhere: float = 0.93) -> Made:
        """Price in most currencies; the first cycle is nearly always sold."""
        return {
            code: self._cycle_prices(code, cycles, keep_first=self._maybe(0.9))
            for code in self._currencies
            if self._maybe(everywhere)
        }

    def _cycles(self) -> list[str]:
        return ["monthly", *self._some(PAID_AGAIN[1:], 0.4)] if self._maybe(0.8) else self._some(PAID_AGAIN, 0.5)

    # ------------------------------------------------------------ what is sold

    def _product(self, number: int) -> Made:
        pay_type = "free" if number == 1 else "onetime" if number == 2 else "recurring"
        cycles = {"free": [], "onetime": ["onetime"], "recurring": self._cycles()}[pay_type]
        offer: Made = {
            "cycles": self._some(("free", "onetime", *PAID_AGAIN), 0.6),
            "tlds": self._some(TLDS, 0.7),
        }
        if self._has(Amended.FREE_WHILE_RENEWED, 0.6):
            offer["kind"] = "while_renewed"
        prorata = {
            "day": self._chance.choice((1, 1, 15, 28)),
            "charge_next_month": self._chance.choice((None, 20, 10, 31)),
        }
        return {
            "id": number, "name": f"Product {number}", "type": "hosting", "paytype": pay_type, "tax": self._maybe(0.7),
            "retired": self._maybe(0.05), "allowqty": self._chance.choice(("no", "no", "multiple", "scaling")),
            "stock_control": self._maybe(0.25), "stock_quantity": self._chance.choice((0, 3, 10)),
            "prorata": prorata if self._maybe(0.4) else None, "free_domain": offer if self._maybe(0.5) else None,
            "pricing": self._pricing(cycles),
            "config_options": [] if pay_type == "free" else self._options(number, cycles),
        }  # fmt: skip

    def _options(self, product: int, cycles: Sequence[str]) -> list[Made]:
        made = []
        kinds = self._some(("dropdown", "radio", "yesno", "quantity"), 0.35)
        for place, kind in enumerate(kinds, 1):
            option: Made = {"id": product * 10 + place, "name": kind, "type": kind}
            if kind == "quantity":
                option |= {"min": self._chance.choice((0, 0, 1, 2)), "max": self._chance.choice((5, 10))}
            count = 3 if kind in ("dropdown", "radio") else 1
            option["choices"] = [
                {
                    "id": option["id"] * 10 + choice,
                    "name": str(choice),
                    "pricing": self._pricing(cycles, everywhere=0.9),
                }
                for choice in range(1, count + 1)
            ]
            made.append(option)
        return made

    def _addon(self, number: int) -> Made:
        flags = {
            "retired": self._has(Amended.ADDONS_RETIRED, 0.1),
            "prorata": self._has(Amended.ADDONS_PRORATA, 0.5),
        }
        return {
            "id": number, "name": f"Addon {number}", "tax": self._maybe(0.6),
            "products": "all" if self._maybe(0.8) else self._some(range(1, 11), 0.8),
            "pricing": self._pricing(["onetime"] if self._maybe(0.15) else self._cycles()),
            **{name: True for name, is_so in flags.items() if is_so},
        }  # fmt: skip

    def _tld(self, tld: str) -> Made:
        made: Made = {
            "tld": tld,
            "tax": self._maybe(0.6),
            "epp_required": self._maybe(0.3),
            "pricing": {},
            "extras": {},
        }
        for code in self._currencies:
            rows = {}
            for kind in ("register", "transfer", "renew"):
                years = [1, *self._some((2, 3, 5, 10), 0.4)] if self._maybe(0.8) else [2]
                rows[kind] = {str(year): self._amount(code) for year in years}
            if self._has(Amended.NO_RENEWAL_PRICE, 0.1):
                del rows["renew"]
            if self._maybe(0.95):
                made["pricing"][code] = rows
            made["extras"][code] = {extra: self._amount(code, 20) for extra in self._some(EXTRAS, 0.85)}
        for late in ("grace", "redemption"):
            days, fees = self._chance.choice((0, 10, 30, 45)), self._fees()
            if self._has(Amended.LATE_DOMAINS, 0.75):
                made[late] = {"days": days, "fee": fees}
        return made

    def _fees(self) -> Made:
        return {code: self._amount(code, 100) for code in self._some(self._currencies, 0.8)} if self._maybe(0.8) else {}

    def _promotion(self, number: int) -> Made:
        kind = ("percentage", "fixed_amount", "price_override", "free_setup")[number % 4]
        default = self._currencies[0]
        percent = self._chance.choice(("10.00", "33.33", "50.00", "100.00", "12.50", "0.00"))
        made: Made = {
            "id": number, "code": f"Code{number}", "type": kind,
            "value": percent if kind == "percentage" else self._amount(default, 60),
            "recurring": self._maybe(0.5), "recur_for": self._payments(),
            "max_uses": self._chance.choice((1, 3)) if self._maybe(0.25) else 0, "uses": self._chance.choice((0, 0, 1)),
            "once_per_client": self._maybe(0.3), "new_signups_only": False, "existing_clients_only": False,
            "requires_products": self._some(range(1, 11), 0.4) if self._maybe(0.15) else [],
            "cycles": self._some(CYCLES, 0.5) if self._maybe(0.25) else [],
            "applies_to": {
                "products": "all" if self._maybe(0.7) else self._some(range(1, 11)),
                "addons": "all" if self._maybe(0.7) else self._some(range(1, 6)),
                "tlds": "all" if self._maybe(0.7) else self._some(TLDS),
            },
            "apply_once": self._maybe(0.35),
        }  # fmt: skip
        if kind in ("fixed_amount", "price_override"):
            made["values"] = {code: self._amount(code, 60) for code in self._some(self._currencies, 0.7)}
        if self._maybe(0.2):
            made[self._chance.choice(("new_signups_only", "existing_clients_only"))] = True
        if self._maybe(0.3):
            days = sorted(self._chance.choices((-30, -1, 0, 1, 30), k=2))
            made |= dict(
                zip(("start_date", "end_date"), (str(self._today + timedelta(days=n)) for n in days), strict=True)
            )
        if self._has(Amended.REQUIRES_EXISTING, 0.5):
            made["requires_existing"] = False
        return made

    def _payments(self) -> int:
        payments = self._chance.choice((1, 2))
        return payments if self._has(Amended.RECUR_FOR, 0.5) else 0

    # ------------------------------------------------------------ whom it is sold to

    def _client(self, number: int) -> Made:
        country = self._chance.choice((*STATES, "FR"))
        state = self._chance.choice(STATES.get(country, ("Paris",)))
        written = self._chance.choice(
            (state, state.upper(), f" {state} ", state.replace("é", "e").replace("ã", "a"), state[:2].upper())
        )
        return {
            "id": number, "firstname": "F", "lastname": f"L{number}", "companyname": "",
            "email": f"c{number}@example.com", "language": "english", "address1": "", "city": "", "postcode": "",
            "state": written if self._has(Amended.STATES, 0.7) else state, "country": country,
            "currency": self._chance.choice(self._currencies), "tax_exempt": self._maybe(0.2),
            "group": self._chance.choice((1, 2)) if self._maybe(0.45) else None, "credit": "0.00",
            "status": "Closed" if number == 9 else self._chance.choice(("Active", "Active", "Inactive")),
        }  # fmt: skip

    def _orders(self) -> Iterable[Made]:
        states = ("Active", "Pending", "Cancelled", "Fraud") if Amended.ACTIVE_ORDERS in self._rules else ("Active",)
        for number in range(1, 7):
            status, client = self._chance.choice(states), self._chance.randrange(1, 9)
            code = f"Code{self._chance.randrange(1, 15)}" if self._maybe(0.5) else None
            yield {
                "id": number, "ordernum": f"{1_000_000_000 + number}", "client": client, "date": str(self._today),
                "status": status, "promotion": code,
            }  # fmt: skip

    def _paid_again(self, code: str) -> Made:
        entry: Made = {
            "recurring": self._amount(code), "status": self._chance.choice(ITEM_STATES), "renewable": self._maybe(0.93),
        }  # fmt: skip
        full, left = self._amount(code), self._chance.choice((0, 1, 2))
        if self._has(Amended.RECUR_FOR, 0.35):
            lower, higher = sorted((entry["recurring"], full), key=Fraction)
            entry |= {"recurring": lower, "recurring_full": higher, "discounts_left": left}
        return entry

    def _service(self, number: int, shop: Made) -> Made:
        client = self._chance.choice(shop["clients"][:8])
        product = self._chance.choice(shop["products"])
        cycle = {"free": "free", "onetime": "onetime"}.get(product["paytype"]) or self._chance.choice(
            ("monthly", "monthly", *PAID_AGAIN)
        )
        return {
            "id": number, "client": client["id"], "product": product["id"], "qty": 1, "cycle": cycle,
            "domain": None, "next_due": str(self._today + timedelta(days=self._chance.randrange(-20, 60))),
            **self._paid_again(client["currency"]),
        }  # fmt: skip

    def _service_addon(self, number: int, shop: Made) -> Made:
        service = self._chance.choice(shop["services"])
        client = shop["clients"][service["client"] - 1]
        return {
            "id": number, "service": service["id"], "addon": self._chance.randrange(1, 6),
            "cycle": self._chance.choice(("onetime", "monthly", "monthly", *PAID_AGAIN)),
            **self._paid_again(client["currency"]),
        }  # fmt: skip

    @staticmethod
    def _offers_while_renewed(offer: Made | None, name: str) -> bool:
        """Tell whether a domain may have become free with an offer: it is of one of its TLDs."""
        return bool(offer and offer.get("kind") == "while_renewed" and name[name.index(".") :] in offer["tlds"])

    def _domain(self, number: int, shop: Made) -> Made:
        client = self._chance.choice(shop["clients"][:8])
        status = self._chance.choice(DOMAIN_STATES)
        late_days = self._chance.choice((-400, -60, -1, 0, 0, 1, 10, 30, 31, 40, 75, 120))
        if Amended.LATE_DOMAINS not in self._rules:
            late_days = min(late_days, 0)
            status = "Grace" if status == "Redemption" else status
        # Some names have several records.
        name = f"own{client['id']}-{self._chance.randrange(1, 3)}{self._chance.choice(TLDS[:2])}"
        made = {
            "id": number, "client": client["id"], "name": name,
            "years": 1, "recurring": self._amount(client["currency"]), "status": status,
            "expires": str(self._today - timedelta(days=late_days)),
        }  # fmt: skip
        offers = {one["id"]: one["free_domain"] for one in shop["products"] if one["free_domain"]}
        services = [
            one
            for one in shop["services"]
            if one["client"] == client["id"] and self._offers_while_renewed(offers.get(one["product"]), name)
        ]
        if self._has(Amended.FREE_WHILE_RENEWED, 0.7) and services:
            made["free_with"] = self._chance.choice(services)["id"]
        if self._has(Amended.PERIOD_ENDS, 0.3):
            made["period_end"] = str(self._today + timedelta(days=self._chance.randrange(-30, 400)))
        return made
