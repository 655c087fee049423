"""The mixed set of orders (performance.md): the same ones in every round, for whoever carries them out.

Of every hundred messages two are rejected and one is a repeat of an earlier request under the same id. The others are
the five seed requests in turn, as a trusted publisher sends them, each for a client of its own: one client alone would
be a hot row that no shop has. One thing is as hot as in a real shop: every fifth order takes stock of one product.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from schemas import topology
from tests.benchmarks import link

PUBLISHER = "storefront"

CLIENTS = 2_000
FIRST_CLIENT = 10_001
UNKNOWN_CLIENT = 999_999_999
FIRST_SERVICE = 10_001  # one of each client's: to have addons
FIRST_DOMAIN = 20_001  # two of each client's: to be renewed

EVERY = 100  # messages, of which these are special, by their place
REJECTED = (17, 67)
REPEATED = 83
REPEATED_BEFORE = 31  # so many messages: not in the same batch, and never a special one

# Clients as the sample catalogue's first, each with a service and two domains, and stock enough for any round.
MORE_CLIENTS = f"""
INSERT INTO clients SELECT {FIRST_CLIENT} + number, first_name, last_name, company_name, email, language, address1,
    city, postcode, state, country, currency, tax_exempt, group_id, credit, status
FROM clients, generate_series(0, {CLIENTS - 1}) AS number WHERE id = 1;
INSERT INTO services (id, client_id, product_id, domain, cycle, quantity, first_payment, recurring, next_due, status)
SELECT {FIRST_SERVICE} + number, {FIRST_CLIENT} + number, 1, 'client' || number || '.com', 'monthly', 1, 9.95, 9.95,
    current_date + 20, 'Active'
FROM generate_series(0, {CLIENTS - 1}) AS number;
INSERT INTO domains (id, client_id, name, name_unicode, years, first_payment, recurring, next_due, expires, status)
SELECT {FIRST_DOMAIN} + 2 * number + half, {FIRST_CLIENT} + number, name, name, 1, 14.95, 14.95, current_date + 60,
    current_date + 60, 'Active'
FROM generate_series(0, {CLIENTS - 1}) AS number, generate_series(0, 1) AS half,
    LATERAL (SELECT 'client' || number || '-' || half || '.com' AS name) AS named;
SELECT setval('services_id_seq', {FIRST_SERVICE + CLIENTS}), setval('domains_id_seq', {FIRST_DOMAIN + 2 * CLIENTS});
UPDATE product_stock SET quantity = 1000000000 WHERE product_id = 5;
"""

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """A request. `follow_ups` is how many messages for mails it causes."""

    message_id: str
    body: Body
    follow_ups: int
    kind: str

    @property
    def message(self) -> bytes:
        """The frames that publish it."""
        return request(self.message_id, self.body)


def request(message_id: str, body: Body) -> bytes:
    properties = {"message_id": message_id, "content_type": "application/json", "user_id": PUBLISHER}
    return link.message(topology.COMMANDS, topology.ADD_ORDER, json.dumps(body).encode(), properties, mandatory=True)


def _product(number: int) -> Body:
    return {
        "pid": 1,
        "domain": f"shop-{number}.com",
        "billingcycle": "monthly",
        "addons": "1,3,9",
        "customfields": {"1": "Google"},
        "configoptions": {"1": 999, "2": 1, "3": 2},
        "domaintype": "register",
        "regperiod": 1,
        "paymentmethod": "mailin",
    }


def _three_products(number: int) -> Body:
    return {
        "pid": [1, 1, 5],
        "domain": [f"one-{number}.com", f"two-{number}.com", f"three-{number}.com"],
        "billingcycle": ["monthly", "monthly", "annually"],
        "noemail": True,
        "paymentmethod": "authorize",
    }


def _domains(number: int) -> Body:
    return {
        "domaintype": ["register", "register"],
        "domain": [f"name-{number}.com", f"name-{number}.co.uk"],
        "regperiod": [1, 2],
        "dnsmanagement": ["on"],
        "idprotection": ["on"],
        "nameserver1": "ns1.demo.com",
        "nameserver2": "ns2.demo.com",
        "nameserver3": "ns3.demo.com",
        "nameserver4": "ns4.demo.com",
        "promocode": "demopromo",
        "paymentmethod": "quantumgateway",
    }


def _addon(number: int) -> Body:
    return {"addonid": 5, "serviceid": FIRST_SERVICE + number % CLIENTS, "paymentmethod": "paypal"}


def _renewal(number: int) -> Body:
    client = number % CLIENTS
    return {"domainrenewals": {f"client{client}-0.com": 1, f"client{client}-1.com": 2}, "paymentmethod": "paypal"}


# With the number of messages for mails: the three products come with `noemail`, which still lets the invoice be mailed.
KINDS: Mapping[str, tuple[Callable[[int], Body], int]] = {
    "product": (_product, 2),
    "three products": (_three_products, 1),
    "domains": (_domains, 2),
    "addon": (_addon, 2),
    "renewal": (_renewal, 2),
}


def mixed() -> Iterator[Order]:
    """Make up orders without end."""
    made: dict[int, Order] = {}
    kinds = itertools.cycle(KINDS.items())
    for number in itertools.count():
        place = number % EVERY
        if place == REPEATED:
            # A repeat may be answered together with its first: then its events are said once.
            order = replace(made.pop(number - REPEATED_BEFORE), follow_ups=0)
        else:
            kind, (body_of, follow_ups) = next(kinds)
            body = {"adminuser": "admin", "clientid": FIRST_CLIENT + number % CLIENTS, **body_of(number)}
            if place in REJECTED:
                body["clientid"], follow_ups, kind = UNKNOWN_CLIENT, 0, "rejected"
            order = Order(f"bench-{number}", body, follow_ups, kind)
            if place == REPEATED - REPEATED_BEFORE:
                made[number] = order
        yield order


def of_items(items: int) -> Iterator[Order]:
    """Make up orders of so many services each, without end."""
    for number in itertools.count():
        body = {
            "adminuser": "admin",
            "clientid": FIRST_CLIENT + number % CLIENTS,
            "pid": [7] * items,
            "paymentmethod": "paypal",
        }
        yield Order(f"bench-{number}", body, 2, f"{items} items")
