"""A broker behind aio-pika's connection, that does with each message as it was told: for what waits, and how long."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Any, cast

import aiormq
from aio_pika.exceptions import AMQPConnectionError, DeliveryError, PublishError
from aiormq.abc import ChannelFrame, DeliveredMessage
from pamqp import frame
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from worker.broker.messages import Outgoing, Properties


class Does(Enum):
    """What becomes of a message."""

    CONFIRM = auto()
    NOTHING = auto()  # until the broker is told to `catch_up`
    REFUSE = auto()
    RETURN = auto()
    CUT = auto()  # the connection that it came by


class Broker:
    """Confirms everything, but what goes to `queues`."""

    def __init__(self) -> None:
        self.queues: dict[str, Does] = {}
        self.is_away = False
        self.connections: list[Connection] = []
        self.published: list[str] = []  # routing keys

    async def connect(self, _url: str, *, client_properties: Mapping[str, str], **_options: object) -> "Connection":
        if self.is_away:
            raise ConnectionRefusedError
        self.connections.append(Connection(self, client_properties["connection_name"]))
        return self.connections[-1]

    @property
    def opened(self) -> Counter[str]:
        """Count the connections that were opened, by their names."""
        return Counter(connection.name for connection in self.connections)

    def catch_up(self, does: Does = Does.CONFIRM) -> None:
        """Do something about what nothing was done about yet."""
        for connection in self.connections:
            for channel in connection.channels:
                channel.below.catch_up(does)


class Connection:
    transport = None

    def __init__(self, broker: Broker, name: str) -> None:
        self.broker = broker
        self.name = name
        self.channels: list[Channel] = []

    async def channel(self, **_options: object) -> "Channel":
        await asyncio.sleep(0)  # as one that asks a server
        self.channels.append(Channel(self))
        return self.channels[-1]

    async def close(self) -> None:
        self.end()

    def end(self) -> None:
        for channel in self.channels:
            channel.end()


class Channel:
    def __init__(self, connection: Connection) -> None:
        self.is_closed = False
        self.below = Below(connection)

    async def get_underlay_channel(self) -> "Below":
        return self.below

    async def close(self) -> None:
        self.end()

    def end(self) -> None:
        self.is_closed = True
        self.below.end()


class Below(aiormq.Channel):
    """What batch.py uses of aiormq's channel. Nothing of aiormq runs: no reader, no socket."""

    def __init__(self, connection: Connection) -> None:  # not aiormq's
        self.number = 1
        self.max_content_size = 1_000
        self.delivery_tag = 0
        self.confirmations = OrderedDict()
        self.message_id_delivery_tag = {}
        self.write_queue = cast("Any", self)
        self.is_busy = asyncio.Lock()
        self._connection = connection
        self._futures: list[asyncio.Future[Any]] = []

    @property
    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        async with self.is_busy:
            yield

    def create_future(self, weak: bool = False) -> "asyncio.Future[Any]":  # noqa: ARG002, FBT001, FBT002  # aiormq's own
        self._futures.append(asyncio.get_running_loop().create_future())
        return self._futures[-1]

    async def put(self, written: ChannelFrame) -> None:
        """Take what is written: the broker reads it as soon as who wrote waits for something."""
        payload, tag = written.payload, self.delivery_tag
        while payload:
            size, _, read = frame.unmarshal(payload)
            payload = payload[size:]
            if isinstance(read, Basic.Publish):
                tag += 1
                asyncio.get_running_loop().call_soon(self._take, tag, read.routing_key)

    def _take(self, tag: int, routing_key: str) -> None:
        if tag not in self.confirmations:
            return  # the connection was cut before
        broker = self._connection.broker
        broker.published.append(routing_key)
        self._settle(tag, broker.queues.get(routing_key, Does.CONFIRM))

    def _settle(self, tag: int, does: Does) -> None:
        if does is Does.NOTHING:
            return
        if does is Does.CUT:
            self._connection.end()
            return
        confirm = self.confirmations.pop(tag)
        if does is Does.CONFIRM:
            confirm.set_result(Basic.Ack(tag))
        elif does is Does.REFUSE:
            confirm.set_exception(DeliveryError(None, cast("Any", Basic.Nack(tag))))
        else:
            returned = DeliveredMessage(Basic.Return(), ContentHeader(), b"", cast("Any", self))
            confirm.set_exception(PublishError(returned, cast("Any", None)))

    def catch_up(self, does: Does) -> None:
        for tag in list(self.confirmations):
            self._settle(tag, does)

    def end(self) -> None:
        self.confirmations.clear()
        for future in self._futures:
            if not future.done():
                future.set_exception(AMQPConnectionError("the connection was cut"))


def outgoing(routing_key: str, message_id: str | None = None, exchange: str = "") -> Outgoing:
    properties = Properties(message_id=message_id)
    return Outgoing(exchange=exchange, routing_key=routing_key, body=b"{}", properties=properties, mandatory=True)
