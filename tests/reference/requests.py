"""Random requests for a shop, of what is there to be asked for: mostly such that can be placed."""

import random
from collections.abc import Iterable, Mapping
from typing import Any

from tests.reference.amended import Amended
from tests.reference.amounts import Entry
from tests.reference.books import LIVE, Books, Service
from tests.reference.days import CYCLES
from tests.reference.shops import DIGITS, EXTRAS, TLDS, Rules

Made = dict[str, Any]
WRONG = 0.25  # of the values of a request that is to be refused
LIVING = ("Active", "Suspended", "Expired", "Grace", "Redemption")
NOT_AGAIN = ("free", "onetime")


class RequestMaker:
    def __init__(self, chance: random.Random, shop: Entry, rules: Rules) -> None:
        self._chance = chance
        self._shop = shop
        self._rules = rules
        self._number = 0
        self._wrong = 0.0

    def make(self, books: Books, *, is_wrong: bool) -> Made:
        """Ask for something; `books` tell what is owned by now. With `is_wrong` something of it may be."""
        self._number += 1
        self._wrong = WRONG if is_wrong else 0.0
        client = self._chance.choice(
            self._shop["clients"][:8] if self._chance.random() > self._wrong else self._shop["clients"]
        )
        made: Made = {"clientid": client["id"], "paymentmethod": "paypal"}
        if self._maybe(self._wrong / 2):
            made["clientid"] = 77
        if self._maybe(self._wrong / 2):
            made["paymentmethod"] = self._chance.choice(("closed", "barter"))
        if self._maybe(self._wrong):
            made["contactid"] = self._chance.choice((1, 2))
        items = [self._item(client, place) for place in range(self._chance.choice((0, 1, 1, 1, 2, 3)))]
        made |= self._as_parameters(items)
        if self._maybe(0.25):
            made |= self._addon_lines(books, client)
        if (not items and not self._maybe(self._wrong)) or self._maybe(0.45):
            made |= self._renewals(books, client)
        self._add_code(made, client, books)
        if self._maybe(0.12):
            made["noinvoice"] = True
        return made

    def _maybe(self, probability: float) -> bool:
        return self._chance.random() < probability

    # ------------------------------------------------------------ items

    def _item(self, client: Entry, place: int) -> Made:
        kind = self._chance.choice(("service", "service", "domain", "both", "both"))
        item: Made = {}
        if kind != "domain":
            item |= self._product(client)
        if kind != "service":
            item |= self._domain(client, place)
        if kind == "both" and Amended.FREE_WITH_RENEW_OVERRIDE not in self._rules:
            item.pop("domainrenewoverride", None)
        return item

    def _product(self, client: Entry) -> Made:
        product = self._chance.choice(self._shop["products"])
        item: Made = {"pid": 77 if self._maybe(self._wrong / 2) else product["id"]}
        offered = [
            cycle for cycle in CYCLES
            if product["pricing"].get(client["currency"], {}).get(cycle, {}).get("price", "-1.00") != "-1.00"
        ]  # fmt: skip
        if self._maybe(0.6):
            item["billingcycle"] = self._chance.choice(CYCLES if self._maybe(self._wrong) or not offered else offered)
        if product["allowqty"] != "no" or self._maybe(self._wrong):
            item["qty"] = self._chance.choice((1, 2, 3))
        if self._maybe(0.15):
            item["priceoverride"] = self._amount(client)
        if options := self._options(product):
            item["configoptions"] = options
        if self._maybe(0.4):
            addons = self._chance.choices(range(1, 6), k=self._chance.choice((1, 1, 2)))
            item["addons"] = ",".join(map(str, addons + ([77] if self._maybe(self._wrong) else [])))
            if self._maybe(0.4):
                item["addonsqty"] = ",".join(str(self._chance.choice((1, 2, 5))) for _ in addons)
        return item

    def _options(self, product: Entry) -> Made:
        chosen: Made = {}
        for option in product["config_options"]:
            choice = self._chance.choice(option["choices"])["id"]
            many = self._chance.randrange(option.get("min") or 0, (option.get("max") or 1) + 1)
            if self._maybe(self._wrong):
                choice, many = 77, 77
            value: object = choice if option["type"] in ("dropdown", "radio") else many
            if option["type"] == "quantity" and self._maybe(0.3):
                value = {"optionid": choice, "qty": many}
            if self._maybe(0.7):
                chosen[str(option["id"])] = value
        if self._maybe(self._wrong / 2):
            chosen["7777"] = 1
        return chosen

    def _domain(self, client: Entry, place: int) -> Made:
        name = f"new{self._number}-{place}" if not self._maybe(3 * self._wrong) else "same"
        item: Made = {
            "domain": name + (".test" if self._maybe(self._wrong / 2) else self._chance.choice(TLDS)),
            "domaintype": self._chance.choice(("register", "register", "transfer")),
        }
        if not self._maybe(3 * self._wrong):
            item["eppcode"] = "secret"
        if self._maybe(0.5):
            item["regperiod"] = self._chance.choice((0, 1, 1, 1, 2, 2, 5))
        for extra in EXTRAS:
            if self._maybe(0.12):
                item[extra] = True
        for override in ("domainpriceoverride", "domainrenewoverride"):
            if self._maybe(0.18):
                item[override] = self._amount(client)
        return item

    def _amount(self, client: Entry) -> str:
        digits = DIGITS[client["currency"]]
        units = self._chance.choice((0, self._chance.randrange(100 * 10**digits), self._chance.randrange(100)))
        whole, part = divmod(units, 10**digits)
        return f"{whole}.{part:0{digits}}" if digits else str(whole)

    def _as_parameters(self, items: list[Made]) -> Made:
        """Write one item plainly or by its number, several by their numbers, some of which are left out."""
        if len(items) == 1 and self._maybe(0.5):
            return dict(items[0])
        numbers = sorted(self._chance.sample(range(len(items) + 2), len(items)))
        made: Made = {}
        for number, item in zip(numbers, items, strict=True):
            for name, value in item.items():
                made.setdefault(name, {})[str(number)] = value
        return made

    # ------------------------------------------------------------ what exists

    def _addon_lines(self, books: Books, client: Entry) -> Made:
        dead = (
            () if Amended.SERVICES_NOT_EXTENDABLE in self._rules else ("Terminated", "Cancelled", "Fraud", "Completed")
        )
        own = [one for one in books.services.values() if one.client == client["id"] and one.status not in dead]
        anyone = [one for one in books.services.values() if one.status not in dead]
        services = own if own and not self._maybe(self._wrong) else anyone
        if self._maybe(0.5):
            made: Made = {"addonid": self._chance.randrange(1, 6), "serviceid": self._chance.choice(services).id}
            return made | ({"addonidqty": 2} if self._maybe(0.3) else {})
        count = self._chance.choice((1, 2))
        return {
            "addonids": [77 if self._maybe(self._wrong / 2) else self._chance.randrange(1, 6) for _ in range(count)],
            "serviceids": [self._chance.choice(services).id for _ in range(count)],
            "addonidsqty": {"0": self._chance.choice((1, 3))},
        }

    def _renewals(self, books: Books, client: Entry) -> Made:
        made: Made = {}
        is_wrong = self._maybe(3 * self._wrong)
        busy = set() if Amended.RENEWED_AGAIN in self._rules else {
            one.thing for order in books.orders.values() for one in order.renewals
        }  # fmt: skip
        busy_names = {books.domains[one].name for kind, one in busy if kind == "domain_renewal"}
        services = [
            one.id
            for one in self._own(books.services, client, is_wrong=is_wrong)
            if ("service_renewal", one.id) not in busy
        ]
        addons = [
            one.id
            for one in self._own(books.addons, client, is_wrong=is_wrong)
            if ("addon_renewal", one.id) not in busy and self._may_be_renewed_with(books.services[one.service])
        ]
        names = sorted({one.name for one in self._own(books.domains, client, is_wrong=is_wrong)} - busy_names)
        if names and self._maybe(0.7):
            years = (1, 1, 1, 2, 3, 9, 10) if Amended.TEN_YEARS in self._rules else (1, 1, 1, 2, 3)
            made["domainrenewals"] = {
                name: self._chance.choice(years) for name in self._chance.sample(names, min(len(names), 2))
            }
        free_with = [
            one.free_with
            for one in books.domains.values()
            if one.name in made.get("domainrenewals", {}) and one.free_with
        ]
        if services and self._maybe(0.6):
            made["servicerenewals"] = self._chance.sample(services, min(len(services), self._chance.choice((1, 1, 2))))
        if free_with and self._maybe(0.5):
            made["servicerenewals"] = sorted({*made.get("servicerenewals", ()), free_with[0]})
        if addons and self._maybe(0.5):
            made["addonrenewals"] = self._chance.sample(addons, 1)
        return made

    def _may_be_renewed_with(self, service: Service) -> bool:
        return Amended.RENEWABLE in self._rules or (service.status in LIVE and service.renewable)

    def _own(self, rows: Mapping[int, Any], client: Entry, *, is_wrong: bool) -> Iterable[Any]:
        """List what can be renewed. With `is_wrong` what the client owns in any state, or even what anybody owns."""
        if is_wrong:
            anybodys = self._maybe(0.4)
            return [one for one in rows.values() if anybodys or one.client == client["id"]]
        return [
            one
            for one in rows.values()
            if one.client == client["id"] and one.status in LIVING and getattr(one, "cycle", "") not in NOT_AGAIN
        ]

    # ------------------------------------------------------------ the code

    def _add_code(self, made: Made, client: Entry, books: Books) -> None:
        if not self._maybe(0.75) or (client["group"] and Amended.BETTER_OF not in self._rules):
            return
        used = {order.promotion for order in books.orders_of(client["id"])}
        again = [one for one in self._shop["promotions"] if one["id"] in used and one["once_per_client"]]
        promotion = self._chance.choice(again if again and self._maybe(0.5) else self._shop["promotions"])
        depends = promotion["new_signups_only"] or promotion["existing_clients_only"]
        orders = [order.status for order in books.orders_of(client["id"])]
        if depends and Amended.ACTIVE_ORDERS not in self._rules and orders and "Active" not in orders:
            return
        pending = {
            one.product for one in books.services.values() if one.client == client["id"] and one.status not in LIVE
        }
        if pending & set(promotion["requires_products"]) and Amended.PRODUCTS_OWNED not in self._rules:
            return
        made["promocode"] = "nothing" if self._maybe(0.05) else promotion["code"].upper()
        if self._maybe(0.15):
            made["promooverride"] = "on"
