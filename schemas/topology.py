"""Every exchange, queue and binding there is, written down in this one place (messages.md, "Topology")."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

COMMANDS = "orders"
REQUESTS = "orders.requests"
SUSPECTS = "orders.suspects"
DEAD = "orders.dead"
UNROUTED = "orders.unrouted"
EVENTS = "orders.events"
SHOP = "orders.shop"  # whose broker this is
PLACED = "orders.placed"  # which orders were placed, as workers note it

# Routing keys under which commands come in. What is sent again goes under one of them, whatever it came under.
ADD_ORDER = "order.add"
ACTIONS = {ADD_ORDER: "addorder"}  # by their keys
COMMAND_KEYS = frozenset(ACTIONS)

# AMQP type of a sealed message that only asks whether its key is bound. Whoever takes it acknowledges and answers PONG.
PROBE = "orders.probe"
PONG = b"pong"


class Binding(NamedTuple):
    """What comes to an exchange under a routing key goes into a queue."""

    queue: str
    exchange: str
    routing_key: str

    def __str__(self) -> str:
        return f"{self.queue} to {self.where}"

    @property
    def where(self) -> str:
        """Name what it is bound to."""
        return f"{self.exchange} under {self.routing_key}" if self.routing_key else self.exchange


# Bindings that versions of before made. Whoever declares the topology takes them away.
FORMER_BINDINGS = (Binding(REQUESTS, COMMANDS, "order.*"),)

FOLLOW_UPS = ("email.invoice-created", "email.order-confirmation")

# Delay of each retry queue, in milliseconds. One queue a delay: mixed delays in one queue block each other.
RETRY_DELAYS = {"orders.retry.5s": 5_000, "orders.retry.1m": 60_000, "orders.retry.10m": 600_000}

# The broker's last net, far above our own attempts. RabbitMQ 3.10 has no default and 4.x drops at 20.
WORK_DELIVERY_LIMIT = 100
BROWSED_DELIVERY_LIMIT = 1_000_000  # queues that people look into: looking counts as a delivery


# Of what workers note, so much is kept: about a million orders. RabbitMQ drops whole segments.
NOTED_BYTES_MAX = 100_000_000
NOTED_SEGMENT_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    type: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue. `bindings` are pairs of exchange and routing key."""

    name: str
    delivery_limit: int
    bindings: tuple[tuple[str, str], ...] = ()
    more_arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> dict[str, Any]:
        return {"x-queue-type": "quorum", "x-delivery-limit": self.delivery_limit, **self.more_arguments}


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream: what is in it stays, and any number may read all of it at once. It cannot be purged."""

    name: str
    bindings: tuple[tuple[str, str], ...] = ()
    more_arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> dict[str, Any]:
        return {"x-queue-type": "stream", **self.more_arguments}


def _dead_lettering_to(exchange: str) -> dict[str, str]:
    # At least once: the broker gives a message up only when the target has confirmed it; that needs reject-publish.
    return {
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


EXCHANGES = (
    Exchange(UNROUTED, "fanout"),
    Exchange(COMMANDS, "topic", {"alternate-exchange": UNROUTED}),
    Exchange(DEAD, "fanout"),
    Exchange(EVENTS, "topic"),
    Exchange(SHOP, "fanout"),
    *(Exchange(name, "fanout") for name in RETRY_DELAYS),
)

QUEUES = (
    Queue(UNROUTED, BROWSED_DELIVERY_LIMIT, ((UNROUTED, ""),)),
    Queue(DEAD, BROWSED_DELIVERY_LIMIT, ((DEAD, ""),)),
    # Under each key exactly: one that nobody knows belongs into orders.unrouted, where it is seen.
    Queue(
        REQUESTS, WORK_DELIVERY_LIMIT, tuple((COMMANDS, key) for key in sorted(COMMAND_KEYS)), _dead_lettering_to(DEAD)
    ),
    Queue(SUSPECTS, WORK_DELIVERY_LIMIT, (), _dead_lettering_to(DEAD)),
    *(
        # Without a dead-letter routing key, so that the command's own survives the delay.
        Queue(name, BROWSED_DELIVERY_LIMIT, ((name, ""),), {**_dead_lettering_to(COMMANDS), "x-message-ttl": delay})
        for name, delay in RETRY_DELAYS.items()
    ),
    *(Queue(f"orders.{event}", BROWSED_DELIVERY_LIMIT, ((EVENTS, event),)) for event in FOLLOW_UPS),
)

STREAMS = (
    Stream(SHOP, ((SHOP, ""),)),
    # Without an exchange: workers alone write to it.
    Stream(
        PLACED,
        more_arguments={
            "x-max-length-bytes": NOTED_BYTES_MAX,
            "x-stream-max-segment-size-bytes": NOTED_SEGMENT_BYTES,
        },
    ),
)

DECLARED: tuple[Queue | Stream, ...] = (*QUEUES, *STREAMS)

BINDINGS = tuple(Binding(queue.name, exchange, key) for queue in DECLARED for exchange, key in queue.bindings)


def definitions(vhost: str = "/") -> dict[str, Any]:
    """The same facts as RabbitMQ's own definitions.json, for `rabbitmqctl import_definitions` or load_definitions."""
    return {
        "vhosts": [{"name": vhost}],
        "exchanges": [
            {
                "name": exchange.name,
                "vhost": vhost,
                "type": exchange.type,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": dict(exchange.arguments),
            }
            for exchange in EXCHANGES
        ],
        "queues": [
            {"name": queue.name, "vhost": vhost, "durable": True, "auto_delete": False, "arguments": queue.arguments}
            for queue in DECLARED
        ],
        "bindings": [
            {
                "source": exchange,
                "vhost": vhost,
                "destination": queue.name,
                "destination_type": "queue",
                "routing_key": routing_key,
                "arguments": {},
            }
            for queue in DECLARED
            for exchange, routing_key in queue.bindings
        ],
    }
