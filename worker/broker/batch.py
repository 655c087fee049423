"""Publishing a batch in one piece, on the channel below aio-pika.

aio-pika spends about 150 µs on a message and aiormq about 80, nearly all of it on locks, futures and tasks for each;
a batch of a hundred orders has three hundred messages. Here a batch has one lock, one write and one future. For that
it shares what aiormq keeps of a channel: the next delivery tag, and who waits for which confirm.
"""

import asyncio
import struct
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

import aiormq
from aiormq.abc import ChannelFrame
from aiormq.exceptions import AMQPError, ChannelInvalidStateError
from pamqp import commands, encode, frame
from pamqp.constants import FRAME_BODY, FRAME_END_CHAR, FRAME_HEADER
from pamqp.header import ContentHeader

from worker.broker.messages import Outgoing, Properties

PERSISTENT = 2
CLASS_BASIC = 60  # AMQP's number for what publishes and delivers
ROUTES_REMEMBERED_MAX = 256  # reply queues are many

Nacked = tuple[Outgoing, AMQPError]  # PublishError: it came back, for there is no queue; DeliveryError: a queue said no
Late = Callable[[Outgoing, AMQPError | None], None]  # told what became of a message that was given up; None: confirmed


async def publish(channel: aiormq.abc.AbstractChannel, messages: Sequence[Outgoing]) -> list[Nacked]:
    """Publish all of them, and wait until the broker has confirmed, returned or refused each.

    Messages that are in flight together must differ in their message_id: what comes back is told by it. One without is
    given one.

    Returns:
        Those that came back or were refused.

    Raises:
        AMQPError: the channel or the connection is gone. What was sent may have arrived all the same.
    """
    if not messages:
        return []
    batch = await send(channel, messages)
    await batch.wait()
    return batch.refused


async def send(channel: aiormq.abc.AbstractChannel, messages: Sequence[Outgoing]) -> "Batch":
    """Send all of them in one piece, and wait for nothing."""
    assert isinstance(channel, aiormq.Channel)
    named = [(outgoing, outgoing.properties.message_id or uuid.uuid4().hex) for outgoing in messages]
    payload = b"".join(frames(*one, channel.number, channel.max_content_size) for one in named)
    async with channel.lock:
        await channel.write_queue.put(ChannelFrame(payload=payload, should_close=False))
        # Nothing is awaited from here on, so that no confirm can come before somebody waits for it.
        batch = Batch(channel)
        for outgoing, message_id in named:
            batch.await_confirm(outgoing, message_id)
    return batch


class Batch:
    """What is on its way together. `is_over` is set when nothing of it is, and fails with the channel."""

    def __init__(self, channel: aiormq.Channel) -> None:
        self.is_over = channel.create_future()
        self.is_over.add_done_callback(_heard)
        self.refused: list[Nacked] = []
        self._channel = channel
        self._on_the_way: dict[int, Outgoing] = {}  # by delivery tag
        self._late: Late | None = None

    @property
    def left(self) -> int:
        return len(self._on_the_way)

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until each message is confirmed, returned or refused, or the time is over.

        Raises:
            AMQPError: the channel or the connection is gone. What was sent may have arrived all the same.
        """
        # Not for the future itself: aiormq may put a cancellation into it that is nobody's.
        await asyncio.wait([self.is_over], timeout=seconds)
        if self.is_over.done() and (error := self.is_over.exception()):
            raise (
                error if isinstance(error, AMQPError) else ChannelInvalidStateError(f"the channel is closed: {error!r}")
            )

    def give_up(self, late: Late) -> list[Outgoing]:
        """Stop waiting. Returns what is still on its way; `late` is told when something becomes of one of them."""
        self._late = late
        return list(self._on_the_way.values())

    def await_confirm(self, outgoing: Outgoing, message_id: str) -> None:
        channel = self._channel
        channel.delivery_tag = tag = channel.delivery_tag + 1
        self._on_the_way[tag] = outgoing
        channel.confirmations[tag] = Confirm(self, message_id, tag)  # type: ignore[assignment]  # it acts as a future
        channel.message_id_delivery_tag[message_id] = tag

    def settle(self, message_id: str, tag: int, error: AMQPError | None) -> None:
        if self._channel.message_id_delivery_tag.get(message_id) == tag:
            del self._channel.message_id_delivery_tag[message_id]
        outgoing = self._on_the_way.pop(tag)
        if self._late:
            self._late(outgoing, error)
        elif error:
            self.refused.append((outgoing, error))
        if not self._on_the_way and not self.is_over.done():
            self.is_over.set_result(None)


def _heard(over: "asyncio.Future[None]") -> None:
    """Hear of a channel's end, though nobody waits any more."""
    if not over.cancelled():
        over.exception()


@dataclass(slots=True)
class Confirm:
    """Stands where aiormq has a future for each message, and acts as one."""

    batch: Batch
    message_id: str
    tag: int
    _is_done: bool = False

    def done(self) -> bool:
        return self._is_done

    def cancelled(self) -> bool:
        return False

    def set_result(self, _confirm: object) -> None:
        self._is_done = True
        self.batch.settle(self.message_id, self.tag, None)

    def set_exception(self, error: AMQPError) -> None:
        self._is_done = True
        self.batch.settle(self.message_id, self.tag, error)


# ---------------------------------------------------------------- frames

_FRAME = struct.Struct(">BHI")  # kind, channel, length of what follows up to its end
_HEADER = struct.Struct(">HHQH")  # class, weight, length of the body, which properties follow
_PLAIN = 0x8000 | 0x1000 | 0x0080  # content_type, delivery_mode, message_id
_OTHERS = attrgetter(
    *("content_encoding", "reply_to", "correlation_id", "user_id", "app_id", "type", "priority", "timestamp", "headers")
)


def frames(outgoing: Outgoing, message_id: str, channel: int, bytes_max: int) -> bytes:
    """Write a message as it goes out: its method, its properties, and its body in pieces of `bytes_max` at most."""
    body = outgoing.body
    pieces = [body[start : start + bytes_max] for start in range(0, len(body), bytes_max)]
    return b"".join(
        (
            _publish_frame(outgoing.exchange, outgoing.routing_key, outgoing.mandatory, channel),
            _frame(FRAME_HEADER, _header(outgoing.properties, message_id, len(body)), channel),
            *(_frame(FRAME_BODY, piece, channel) for piece in pieces),
        )
    )


def header_size(outgoing: Outgoing) -> int:
    """Measure what must fit into one frame: the properties with all headers, in bytes."""
    return len(_header(outgoing.properties, outgoing.properties.message_id or "", len(outgoing.body)))


def _frame(kind: int, payload: bytes, channel: int) -> bytes:
    return b"".join((_FRAME.pack(kind, channel, len(payload)), payload, FRAME_END_CHAR))


@lru_cache(ROUTES_REMEMBERED_MAX)
def _publish_frame(exchange: str, routing_key: str, mandatory: bool, channel: int) -> bytes:  # noqa: FBT001  # a key
    return frame.marshal(
        commands.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=mandatory), channel
    )


def _header(properties: Properties, message_id: str, body_size: int) -> bytes:
    """Write down the properties. Of events, three an order, by hand: pamqp takes five times as long for it."""
    if properties.content_type is None or any(_OTHERS(properties)):
        return ContentHeader(properties=_properties(properties, message_id), body_size=body_size).marshal()
    head = _HEADER.pack(CLASS_BASIC, 0, body_size, _PLAIN)
    kind, name = encode.short_string(properties.content_type), encode.short_string(message_id)
    return b"".join((head, kind, bytes((PERSISTENT,)), name))


def _properties(properties: Properties, message_id: str) -> commands.Basic.Properties:
    return commands.Basic.Properties(
        message_id=message_id,
        content_type=properties.content_type,
        content_encoding=properties.content_encoding,
        reply_to=properties.reply_to,
        correlation_id=properties.correlation_id,
        user_id=properties.user_id,
        app_id=properties.app_id,
        message_type=properties.type,
        priority=properties.priority,
        timestamp=properties.timestamp,
        headers={name: value for name, value in properties.headers.items() if _can_be_sent(name, value)} or None,
        delivery_mode=PERSISTENT,
    )


def _can_be_sent(name: str, value: Any) -> bool:
    """Whether pamqp can write what it has read; not everything that AMQP allows can make the way back."""
    try:
        encode.field_table({name: value})
    except Exception:  # noqa: BLE001  # a foreign encoder's many kinds
        return False
    return True
