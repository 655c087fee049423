"""Probes: sealed messages that only ask whether their routing key is bound (messages.md, "Probes").

Whoever takes one acknowledges it and answers, no more. One that no queue of commands takes lies in orders.unrouted.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

from aio_pika.abc import AbstractConnection
from aiormq.abc import DeliveredMessage

from schemas import topology
from worker.broker import sending
from worker.broker.dead_letters import opened
from worker.broker.headers import PROBES, sealed
from worker.broker.messages import Delivery, Outgoing, Properties
from worker.broker.replier import DIRECT_REPLY, Reply
from worker.key_ring import KeyRing

PONG_SECONDS_MAX = 2.0  # then it waits behind others, or nobody consumes
LOCK_WAIT_SECONDS_MAX = 5.0  # for somebody else's look into orders.unrouted to end


@dataclass(frozen=True, slots=True)
class Probed:
    """What became of the probes, by routing key. `refused` says why the broker took one from nobody."""

    answered: list[str]
    unrouted: list[str]
    waiting: list[str]  # neither: behind others, or nobody consumes
    refused: Mapping[str, str]


def probe(routing_key: str, user: str, keys: KeyRing) -> Outgoing:
    """Ask whether a key is bound. `user` is who publishes."""
    properties = Properties(
        message_id=str(uuid.uuid4()),
        type=topology.PROBE,
        reply_to=DIRECT_REPLY,
        user_id=user,
        headers={PROBES: routing_key},
    )
    return Outgoing(
        exchange=topology.COMMANDS,
        routing_key=routing_key,
        body=b"",
        properties=replace(properties, headers=sealed(properties, b"", keys)),
        mandatory=True,
    )


def pong(delivery: Delivery) -> Reply | None:
    """Answer a probe, where it asks from a direct reply-to: the address is not under the seal."""
    properties = delivery.properties
    address = properties.reply_to or ""
    if not address.startswith(DIRECT_REPLY):
        return None
    answer = Outgoing(
        exchange="",
        routing_key=address,
        body=topology.PONG,
        properties=Properties(message_id=str(uuid.uuid4()), type=topology.PROBE, correlation_id=properties.message_id),
        mandatory=False,
        may_be_lost=True,
    )
    return answer, properties.user_id or ""


async def ask(connection: AbstractConnection, user: str, keys: KeyRing) -> Probed:
    """Publish a probe under each key of a command, and see what becomes of it. None is left in orders.unrouted.

    Raises:
        AnotherOperator: somebody works on orders.unrouted, where the probes may have to be found.
        AccessRefused: this user may not look there, or may not publish.
    """
    asked = {key: probe(key, user, keys) for key in sorted(topology.COMMAND_KEYS)}
    ids = {str(one.properties.message_id): key for key, one in asked.items()}
    heard = set[str]()
    is_all_heard = asyncio.Event()

    async def hear(message: DeliveredMessage) -> None:
        if key := ids.get(str(message.header.properties.correlation_id)):
            heard.add(key)
        if heard == asked.keys():
            is_all_heard.set()

    async with (
        opened(connection, topology.UNROUTED, wait_seconds=LOCK_WAIT_SECONDS_MAX) as unrouted,
        connection.channel(publisher_confirms=True, on_return_raises=True) as channel,
    ):
        below = await channel.get_underlay_channel()
        await below.basic_consume(DIRECT_REPLY, hear, no_ack=True)
        whys = dict(zip(asked, await sending.send(below, list(asked.values())), strict=True))
        refused = {key: why for key, why in whys.items() if why is not None}
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_all_heard.wait(), PONG_SECONDS_MAX)
        unheard = asked.keys() - refused.keys() - heard
        found = await unrouted.take_out_probes() if unheard else set()
    lost = {ids[one] for one in found if one in ids}
    return Probed(sorted(heard), sorted(lost), sorted(unheard - lost), refused)
