"""Connections to RabbitMQ, and the way from its messages to ours and back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, AuthenticationError, ChannelInvalidStateError, ProbableAuthenticationError
from aiormq.exceptions import ChannelAccessRefused
from pamqp import encode
from pamqp.commands import Basic

from worker.messages import UNREADABLE, Delivery, Properties

CONNECT_SECONDS_MAX = 10
CLOSE_SECONDS_MAX = 5
HEARTBEAT_SECONDS = 10

# The broker knows us and says no: waiting mends nothing.
REFUSALS = (ChannelAccessRefused, AuthenticationError, ProbableAuthenticationError)

# The broker is away, or cut the connection: nothing is known of what was on its way.
BROKER_FAULTS = (AMQPError, ChannelInvalidStateError, ConnectionError, OSError, TimeoutError)


class BrokerRefused(Exception):
    """The broker does not let this user do what it must; the text says what, and the mend."""


_unmarshal = Basic.Properties.unmarshal


def _unmarshal_what_can_be_read(self: Basic.Properties, flags: int, data: bytes) -> None:
    """Decode a message's properties as far as they make sense.

    pamqp raises on a time beyond the year 9999, on text that is not UTF-8 and on tables nested without end; aiormq then
    drops the connection, and the broker hands the same message to the next worker. Here it becomes a message like any
    other, which is rejected and set aside.
    """
    try:
        _unmarshal(self, flags, data)
    except Exception:  # noqa: BLE001  # a foreign decoder's many kinds
        self.headers = {UNREADABLE: True}


Basic.Properties.unmarshal = _unmarshal_what_can_be_read  # type: ignore[method-assign,assignment]  # see there


_encode_table_value = encode.encode_table_value


def _encode_exactly(value: Any) -> bytes:
    """Write a header's value. pamqp writes floats in single precision, and a copy would say something else."""
    return b"d" + encode.double(value) if isinstance(value, float) else _encode_table_value(value)


encode.encode_table_value = _encode_exactly


@asynccontextmanager
async def connect(url: str, name: str) -> AsyncIterator[AbstractConnection]:
    """Open a connection that shows in the broker's tools as `name`.

    It does not reconnect by itself: whoever holds deliveries must know when their channel is gone.
    """
    connection = await aio_pika.connect(
        url,
        timeout=CONNECT_SECONDS_MAX,
        heartbeat=HEARTBEAT_SECONDS,
        client_properties={"connection_name": name},
    )
    try:
        yield connection
    finally:
        with contextlib.suppress(*BROKER_FAULTS):
            await asyncio.wait_for(connection.close(), CLOSE_SECONDS_MAX)


def delivery_of(message: AbstractIncomingMessage) -> Delivery:
    """Take over what the broker handed us."""
    assert message.delivery_tag is not None, "a delivery has a tag"
    return Delivery(
        body=message.body,
        properties=Properties(
            message_id=message.message_id,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            reply_to=message.reply_to,
            correlation_id=message.correlation_id,
            user_id=message.user_id,
            app_id=message.app_id,
            type=message.type,
            priority=message.priority or None,
            timestamp=message.timestamp,
            headers=message.headers or {},
        ),
        routing_key=message.routing_key or "",
        redelivered=bool(message.redelivered),
        tag=message.delivery_tag,
    )


def message_of(body: bytes, properties: Properties) -> aio_pika.Message:
    """Make a persistent message."""
    return aio_pika.Message(
        body,
        message_id=properties.message_id,
        content_type=properties.content_type,
        content_encoding=properties.content_encoding,
        reply_to=properties.reply_to,
        correlation_id=properties.correlation_id,
        user_id=properties.user_id,
        app_id=properties.app_id,
        type=properties.type,
        priority=properties.priority,
        timestamp=properties.timestamp,
        headers={name: value for name, value in properties.headers.items() if _can_be_sent(name, value)},
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


def _can_be_sent(name: str, value: Any) -> bool:
    """Whether pamqp can write what it has read; not everything that AMQP allows can make the way back."""
    try:
        encode.field_table({name: value})
    except Exception:  # noqa: BLE001  # a foreign encoder's many kinds
        return False
    return True
