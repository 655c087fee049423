"""The users of the broker: each may do what its work takes, and nothing else (reliability.md, "Security")."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from schemas import topology
from worker.broker.dead_letters import OPERATORS_LOCK

NOTHING = "^$"
NOTHING_TO_BIND: Mapping[str, str] = MappingProxyType({})
DEFAULT_EXCHANGE = "amq.default"  # as rights call the exchange whose name is empty
OWN_QUEUES = "amq.gen-*"  # named by the broker, exclusive to a connection

EVENT_KEYS = r"^(order|email|invoice|client|contact|command)\."
# Under which whoever listens may bind a queue: all, or a kind with a star or a type. Patterns of many # in a row cost
# the broker seconds for each event, and so everybody.
EVENT_BINDINGS = r"^(#|(order|email|invoice|client|contact|command)\.(\*|[a-z-]+))$"

# Lets a user publish what carries another user's user_id, as a copy and a replay do.
IMPERSONATOR = "impersonator"
# Lets a user look at the broker's management pages: all of them, or what concerns the virtual hosts that it may use.
MONITORING = "monitoring"
MANAGEMENT = "management"

SALT_BYTES = 4  # RabbitMQ's, in front of the hash


@dataclass(frozen=True, slots=True)
class User:
    """Patterns of what a user may declare and delete, publish to, and consume.

    `routing_keys` narrows what it may publish to a topic exchange, `binding_keys` what it may bind to one. To see that
    a queue exists, and how many messages wait in it, takes no right.
    """

    name: str
    configure: str
    write: str
    read: str
    routing_keys: Mapping[str, str]
    tags: tuple[str, ...] = ()
    binding_keys: Mapping[str, str] = field(default_factory=lambda: NOTHING_TO_BIND)


def _only(*names: str) -> str:
    """Write RabbitMQ's pattern for these names; a star stands for any end."""
    patterns = (name.replace(".", r"\.").replace("*", ".*") for name in names)
    return f"^({'|'.join(patterns)})$"


USERS = (
    # Hears its replies at amq.rabbitmq.reply-to, which takes no right.
    User(
        "storefront",
        configure=NOTHING,
        write=_only(topology.COMMANDS),
        read=NOTHING,
        routing_keys={topology.COMMANDS: _only(topology.ADD_ORDER)},
    ),
    # Declares nothing: ORDERS_TOPOLOGY=apply is for a developer's broker and its administrator.
    User(
        "worker",
        configure=NOTHING,
        write=_only(topology.EVENTS, topology.DEAD, *topology.RETRY_DELAYS, DEFAULT_EXCHANGE),
        read=_only(topology.REQUESTS, topology.SUSPECTS, topology.SHOP, topology.PLACED),
        routing_keys={topology.EVENTS: EVENT_KEYS},
        tags=(IMPERSONATOR, MANAGEMENT),  # the second one to see that the bindings hold
    ),
    # Looks into what needs a person, sends it back or puts it back, and follows events.
    User(
        "operator",
        configure=_only(OPERATORS_LOCK, OWN_QUEUES),
        write=_only(topology.COMMANDS, topology.DEAD, topology.UNROUTED, topology.SHOP, OWN_QUEUES),
        read=_only(topology.DEAD, topology.UNROUTED, topology.EVENTS, topology.SHOP, topology.PLACED, OWN_QUEUES),
        routing_keys={topology.COMMANDS: _only(*sorted(topology.COMMAND_KEYS))},
        tags=(IMPERSONATOR, MONITORING),
        binding_keys={topology.EVENTS: EVENT_BINDINGS},
    ),
)

NO_PASSWORDS: Mapping[str, str] = MappingProxyType({})


def definitions(vhost: str = "/", passwords: Mapping[str, str] = NO_PASSWORDS) -> dict[str, Any]:
    """Topology and users as RabbitMQ's definitions.json. A user without a password exists, and cannot log in."""
    return {
        "users": [
            {
                "name": user.name,
                "password_hash": password_hash(passwords[user.name]) if user.name in passwords else "",
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": list(user.tags),
            }
            for user in USERS
        ],
        "permissions": [
            {"user": user.name, "vhost": vhost, "configure": user.configure, "write": user.write, "read": user.read}
            for user in USERS
        ],
        "topic_permissions": [
            {
                "user": user.name,
                "vhost": vhost,
                "exchange": exchange,
                "write": user.routing_keys.get(exchange, NOTHING),
                "read": user.binding_keys.get(exchange, NOTHING),
            }
            for user in USERS
            for exchange in (*user.routing_keys, *user.binding_keys)
        ],
        **topology.definitions(vhost),
    }


def password_hash(password: str, salt: bytes = b"") -> str:
    """Hash a password as `rabbit_password_hashing_sha256` does, with a new salt unless one is given."""
    salt = salt or secrets.token_bytes(SALT_BYTES)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
