"""Whose broker this is, and which orders were placed, as the broker keeps it: two streams (messages.md, "Topology")."""

from collections.abc import AsyncIterator, Sequence

from aio_pika.abc import AbstractConnection

from schemas import topology, wire
from schemas.notes import Note, NotedOrder, note_body, owner_body, read_note, read_owner
from worker.broker import sending, streams
from worker.broker.connection import BrokerUnusable
from worker.broker.messages import Outgoing, Properties
from worker.broker.queues import look_at

OWNERS_MAX = 10  # that are looked at: the last one counts
NOTES_MAX = 200  # that a session looks at: more than what workers can have in hand together


class AnotherShop(BrokerUnusable):
    """The broker is one shop's, and the database another's. No waiting mends that."""

    def __init__(self, theirs: str, ours: str) -> None:
        super().__init__(
            f"RabbitMQ at ORDERS_AMQP_URL is of the shop {theirs}, and the database at ORDERS_POSTGRES_URL of the shop "
            f"{ours}; fix: let both URLs name servers of one shop; or, if this broker is to be the database's from "
            "now on, run `orders topology adopt`"
        )


async def has_streams(connection: AbstractConnection) -> bool:
    """Whether there is what would say it. In a topology of a version before there is not."""
    return not any([(await look_at(connection, stream.name)).trouble for stream in topology.STREAMS])


async def owner(connection: AbstractConnection) -> str | None:
    """Tell whose broker this is; None: nobody has said."""
    written = [read_owner(body) for body in await streams.tail(connection, topology.SHOP, OWNERS_MAX)]
    return next((one.shop for one in reversed(written) if one is not None), None)


async def own(connection: AbstractConnection, shop_id: str) -> None:
    """Write down whose broker this is. What was said before counts no more."""
    message = Outgoing(
        exchange=topology.SHOP,
        routing_key="",
        body=owner_body(shop_id),
        properties=Properties(content_type=wire.JSON, message_id=shop_id),
        mandatory=True,
    )
    async with connection.channel(publisher_confirms=True, on_return_raises=True) as channel:
        [why] = await sending.send(await channel.get_underlay_channel(), [message])
    if why is not None:
        raise BrokerUnusable(f"{topology.SHOP}: {why}")


def note_message(shop_id: str, highest: int, orders: Sequence[NotedOrder]) -> Outgoing:
    return Outgoing(
        exchange="",
        routing_key=topology.PLACED,
        body=note_body(shop_id, highest, orders),
        properties=Properties(content_type=wire.JSON),
        mandatory=False,
    )


async def latest_orders(connection: AbstractConnection, shop_id: str) -> list[int]:
    """Return ids of the orders of a shop that were noted last."""
    notes = map(read_note, await streams.tail(connection, topology.PLACED, NOTES_MAX))
    return [one.order_id for note in notes if note is not None and note.shop == shop_id for one in note.orders]


async def notes(connection: AbstractConnection, shop_id: str) -> AsyncIterator[Note]:
    """Read all that was noted of a shop's orders and is still kept, oldest first."""
    async for body in streams.everything(connection, topology.PLACED):
        note = read_note(body)
        if note is not None and note.shop == shop_id:
            yield note
