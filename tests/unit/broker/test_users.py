"""The rights of the three users, and how their passwords are hashed."""

import base64
import hashlib
import re

import pytest

from schemas import topology
from worker.broker.users import EVENT_BINDINGS, definitions, password_hash


def test_only_who_copies_messages_may_keep_their_user_id_and_only_who_looks_at_the_broker_sees_its_pages() -> None:
    tags = {user["name"]: user["tags"] for user in definitions()["users"]}

    assert tags == {
        "storefront": [],
        "worker": ["impersonator", "management"],
        "operator": ["impersonator", "monitoring"],
    }


@pytest.mark.parametrize(
    ("user", "right", "names"),
    [
        ("storefront", "configure", []),
        ("storefront", "write", ["orders"]),
        ("storefront", "read", []),
        ("worker", "configure", []),
        (
            "worker",
            "write",
            ["orders.dead", "orders.events", "orders.retry.5s", "orders.retry.1m", "orders.retry.10m", "amq.default"],
        ),
        ("worker", "read", ["orders.requests", "orders.suspects", "orders.shop", "orders.placed"]),
        ("operator", "configure", ["orders.operators-lock", "amq.gen-1"]),
        ("operator", "write", ["orders", "orders.dead", "orders.unrouted", "orders.shop", "amq.gen-1"]),
        (
            "operator",
            "read",
            ["orders.dead", "orders.unrouted", "orders.events", "orders.shop", "orders.placed", "amq.gen-1"],
        ),
    ],
)
def test_a_right_covers_these_names_and_no_other(user: str, right: str, names: list[str]) -> None:
    [permission] = [entry for entry in definitions()["permissions"] if entry["user"] == user]
    pattern = permission[right]

    everything = {
        *(exchange.name for exchange in topology.EXCHANGES),
        *(queue.name for queue in topology.DECLARED),
        *("amq.default", "amq.gen-1", "amq.topic", "orders.operators-lock"),
        *("myorders", "orders.more", "ordersXdead", "orders.dead.more", "xamq.default", "invoices"),
    }
    assert {name for name in everything if re.search(pattern, name)} == set(names)


@pytest.mark.parametrize(
    ("user", "exchange", "keys"),
    [
        ("storefront", "orders", ["order.add"]),
        ("operator", "orders", ["order.add"]),
        ("worker", "orders.events", ["order.add", "order.accept", "email.invoice-created", "invoice.pay"]),
    ],
)
def test_a_routing_key_is_of_the_users_kind(user: str, exchange: str, keys: list[str]) -> None:
    rights = {(entry["user"], entry["exchange"]): entry["write"] for entry in definitions()["topic_permissions"]}

    everything = ["order.add", "order.accept", "email.invoice-created", "invoice.pay", "orders", "my.order.add", ""]
    assert [key for key in everything if re.search(rights[user, exchange], key)] == keys


def test_who_listens_binds_all_a_kind_or_a_type_and_no_pattern_that_costs_the_broker_seconds() -> None:
    everything = [
        "#",
        "order.*",
        "email.invoice-created",
        "client.added",
        "#.#",
        "*.*",
        "order.#",
        "*",
        "order.added.#",
        "",
    ]

    assert [key for key in everything if re.search(EVENT_BINDINGS, key)] == [
        "#", "order.*", "email.invoice-created", "client.added",
    ]  # fmt: skip


def test_a_password_is_hashed_as_rabbitmq_does_it() -> None:
    """The example of RabbitMQ's own documentation, then with a salt of our own."""
    assert password_hash("test12", bytes.fromhex("908DC60A")) == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"

    salt, digest = (raw := base64.b64decode(password_hash("test12")))[:4], raw[4:]
    assert digest == hashlib.sha256(salt + b"test12").digest()
    assert password_hash("test12") != password_hash("test12")
