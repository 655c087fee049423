"""AMQP with as little Python as can be: ready-made frames go out in one write, and what comes in is counted.

What is measured shares two cores with who measures it, so that filling a queue, feeding it and the floor of "broker
and database alone" must cost next to nothing beside a worker.
"""

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self, cast
from urllib.parse import unquote, urlsplit

from pamqp import base, body, commands, frame, header
from pamqp.constants import FRAME_END_CHAR

CHANNEL = 1
FRAME_BYTES_MAX = 128 * 1024
SECONDS_MAX = 60.0  # for any answer of the broker's
PIECE = 500  # messages written at once: more would only wait in our own buffer

_HEAD = struct.Struct(">BHI")
_METHOD, _HEADER, _BODY = 1, 2, 3
_DELIVER, _ACK, _NACK, _RETURN = (60 << 16) + 60, (60 << 16) + 80, (60 << 16) + 120, (60 << 16) + 50


@dataclass(slots=True)
class Pending:
    """A run of messages that were published together, until all are confirmed."""

    last: int
    left: set[int]
    done: "asyncio.Future[None]"


@dataclass(frozen=True, slots=True)
class Delivered:
    tag: int
    body: bytes


def message(
    exchange: str, routing_key: str, content: bytes, properties: Mapping[str, Any], *, mandatory: bool = False
) -> bytes:
    """Write a persistent message as the frames that publish it on our channel."""
    publish = commands.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=mandatory)
    told = commands.Basic.Properties(delivery_mode=2, **properties)
    frames = [
        frame.marshal(publish, CHANNEL),
        frame.marshal(header.ContentHeader(body_size=len(content), properties=told), CHANNEL),
    ]
    room = FRAME_BYTES_MAX - _HEAD.size - 1
    frames += [
        frame.marshal(body.ContentBody(content[start : start + room]), CHANNEL)
        for start in range(0, len(content), room)
    ]
    return b"".join(frames)


class Link(asyncio.Protocol):
    """One connection with one channel, on which everything published is confirmed."""

    def __init__(self) -> None:
        self.delivered: deque[Delivered] = deque()  # what was consumed, in order; whoever reads takes it out
        self.arrived = asyncio.Event()
        self.on_delivered: Callable[[Delivered], None] = self._keep
        self._rest = b""
        self._answers: asyncio.Queue[base.Frame] = asyncio.Queue()
        self._published = 0
        self._pending: deque[Pending] = deque()
        self._tag = 0
        self._pieces: list[bytes] = []
        self._bytes_left = 0
        self._lost: Exception | None = None
        self._transport: asyncio.Transport
        self._room = asyncio.Event()
        self._room.set()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        address = urlsplit(url)
        user, password = unquote(address.username or "guest"), unquote(address.password or "guest")
        host, port = address.hostname or "localhost", address.port or 5672
        _, link = await asyncio.get_running_loop().create_connection(cls, host, port)
        try:
            await link.log_in(user, password, unquote(address.path[1:]) or "/")
            yield link
        finally:
            link.close()

    def close(self) -> None:
        self._transport.abort()  # the broker gives back what is not acknowledged, and nothing else is open

    async def log_in(self, user: str, password: str, vhost: str) -> None:
        self._transport.write(b"AMQP\x00\x00\x09\x01")
        await self._answer()
        login = commands.Connection.StartOk(
            mechanism="PLAIN",
            response=f"\0{user}\0{password}",
            client_properties={"connection_name": "orders benchmarks", "capabilities": {"basic.nack": True}},
        )
        self._transport.write(frame.marshal(login, 0))
        await self._answer()
        tuned = commands.Connection.TuneOk(channel_max=8, frame_max=FRAME_BYTES_MAX, heartbeat=0)
        opened = commands.Connection.Open(virtual_host=vhost)
        self._transport.write(frame.marshal(tuned, 0) + frame.marshal(opened, 0))
        await self._answer()
        await self.ask(commands.Channel.Open())
        await self.ask(commands.Confirm.Select())

    # ---------------------------------------------------------------- asking

    async def ask(self, method: base.Frame) -> Any:
        """Call a method of the channel that the broker answers."""
        self._transport.write(frame.marshal(method, CHANNEL))
        return await self._answer()

    async def _answer(self) -> base.Frame:
        # Not wait_for, here and below: on Python 3.11 it may swallow that we are cancelled.
        async with asyncio.timeout(SECONDS_MAX):
            answer = await self._answers.get()
        if isinstance(answer, commands.Channel.Close | commands.Connection.Close):
            raise ConnectionError(f"the broker closed: {answer.reply_text}")
        return answer

    async def waiting(self, queue: str) -> int:
        """Count the messages that are ready in a queue."""
        declared = await self.ask(commands.Queue.Declare(queue=queue, passive=True))
        return int(declared.message_count)

    async def publish(self, frames: Sequence[bytes]) -> None:
        """Publish ready-made messages and wait until the broker has confirmed every one."""
        if not frames:
            return
        await self._room.wait()
        first, self._published = self._published + 1, self._published + len(frames)
        tags = set(range(first, self._published + 1))
        pending = Pending(self._published, tags, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        self._transport.write(b"".join(frames))
        if self._lost:
            raise self._lost
        async with asyncio.timeout(SECONDS_MAX):
            await pending.done

    async def fill(self, frames: Sequence[bytes]) -> None:
        """Publish very many, some in flight all the time."""
        pieces = iter([frames[start : start + PIECE] for start in range(0, len(frames), PIECE)])

        async def go_on() -> None:
            for piece in pieces:
                await self.publish(piece)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(go_on())

    async def consume(self, queue: str, prefetch: int) -> None:
        if prefetch:
            await self.ask(commands.Basic.Qos(prefetch_count=prefetch))
        await self.ask(commands.Basic.Consume(queue=queue, no_ack=not prefetch))

    def acknowledge(self, tag: int) -> None:
        """Acknowledge everything up to this one."""
        self._transport.write(frame.marshal(commands.Basic.Ack(delivery_tag=tag, multiple=True), CHANNEL))

    def _keep(self, delivered: Delivered) -> None:
        self.delivered.append(delivered)
        self.arrived.set()

    # ---------------------------------------------------------------- hearing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by class

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = exc or ConnectionError("the broker closed the connection")
        for pending in self._pending:
            if not pending.done.done():
                pending.done.set_exception(self._lost)

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= _HEAD.size:
            kind, _channel, size = _HEAD.unpack_from(data, at)
            following = at + _HEAD.size + size + 1
            if following > end:
                break
            self._hear(kind, data, at + _HEAD.size, size)
            at = following
        self._rest = data[at:]

    def _hear(self, kind: int, data: bytes, at: int, size: int) -> None:
        if kind == _METHOD:
            self._hear_method(data, at, size)
        elif kind == _HEADER:
            self._bytes_left = int.from_bytes(data[at + 4 : at + 12])
            self._pieces = []
            if not self._bytes_left:
                self.on_delivered(Delivered(self._tag, b""))
        elif kind == _BODY:
            self._pieces.append(data[at : at + size])
            self._bytes_left -= size
            if not self._bytes_left:
                self.on_delivered(Delivered(self._tag, b"".join(self._pieces)))

    def _hear_method(self, data: bytes, at: int, size: int) -> None:
        method = int.from_bytes(data[at : at + 4])
        if method == _DELIVER:
            tag_at = at + 5 + data[at + 4]
            self._tag = int.from_bytes(data[tag_at : tag_at + 8])
        elif method == _ACK:
            self._confirm(int.from_bytes(data[at + 4 : at + 12]), multiple=bool(data[at + 12]))
        elif method in (_NACK, _RETURN):
            raise ConnectionError("the broker refused a message or has no queue for it")
        else:
            head = _HEAD.pack(_METHOD, CHANNEL, size)
            _, _, answer = frame.unmarshal(head + data[at : at + size] + FRAME_END_CHAR)
            self._answers.put_nowait(answer)  # type: ignore[arg-type]  # a method frame is one

    def _confirm(self, tag: int, *, multiple: bool) -> None:
        for pending in self._pending:
            if multiple:
                pending.left = {one for one in pending.left if one > tag} if tag < pending.last else set()
            elif tag <= pending.last:
                pending.left.discard(tag)
                break
        for pending in [pending for pending in self._pending if not pending.left]:
            self._pending.remove(pending)
            if not pending.done.done():
                pending.done.set_result(None)
