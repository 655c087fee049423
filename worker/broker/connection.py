"""Connections to RabbitMQ, and the way from its messages to ours and back."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    AuthenticationError,
    ChannelInvalidStateError,
    ProbableAuthenticationError,
)
from aiormq.exceptions import ChannelAccessRefused
from pamqp import encode

from worker.broker import mends
from worker.broker.addresses import nodes_of
from worker.messages import Delivery, Properties

CONNECT_SECONDS_MAX = 10
CLOSE_SECONDS_MAX = 5


class Untrusted(ConnectionError):
    """TLS did not come about; the text says why, and the mend."""


# The broker knows us and says no, or we do not know it: waiting mends nothing.
REFUSALS = (ChannelAccessRefused, AuthenticationError, ProbableAuthenticationError, Untrusted)

# The broker is away, or cut the connection: nothing is known of what was on its way.
BROKER_FAULTS = (AMQPError, ChannelInvalidStateError, ConnectionError, OSError, TimeoutError)


class BrokerRefused(Exception):
    """The broker does not let this user do what it must; the text says what, and the mend."""


@asynccontextmanager
async def connect(url: str, name: str) -> AsyncIterator[AbstractConnection]:
    """Open a connection that shows in the broker's tools as `name`, to the first node that answers.

    It does not reconnect by itself: whoever holds deliveries must know when their channel is gone.
    """
    connection = await _connect_to_first(nodes_of(url), name)
    try:
        yield connection
    finally:
        with contextlib.suppress(*BROKER_FAULTS):
            await asyncio.wait_for(connection.close(), CLOSE_SECONDS_MAX)


async def _connect_to_first(urls: Sequence[str], name: str) -> AbstractConnection:
    *others, last = urls
    for url in others:
        with contextlib.suppress(*BROKER_FAULTS):
            return await _connect(url, name)
    return await _connect(last, name)


async def _connect(url: str, name: str) -> AbstractConnection:
    try:
        return await aio_pika.connect(
            url,
            timeout=CONNECT_SECONDS_MAX,
            heartbeat=mends.HEARTBEAT_SECONDS,
            client_properties={"connection_name": name},
        )
    except OSError as error:
        if told := _told(error, url):
            raise told from error
        raise


def _told(error: OSError, url: str) -> OSError | None:
    """Tell in words why a connection did not come about, where that can be told better; None: it cannot."""
    if isinstance(error, TimeoutError):
        return AMQPConnectionError(f"no answer in {CONNECT_SECONDS_MAX} seconds")
    match error.__cause__:
        case ssl.SSLCertVerificationError() as fault:
            mend = "let cafile in the URL name its authority, and the URL the host that it is for"
            return Untrusted(f"its certificate is not accepted: {fault.verify_message}; mend: {mend}")
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            return Untrusted("this port does not speak TLS; mend: its TLS port, or a URL that begins with amqp://")
        case ConnectionResetError() | asyncio.IncompleteReadError() if url.startswith("amqp://"):
            return AMQPConnectionError(f"{error}; if this port speaks TLS, the URL must begin with amqps://")
    if isinstance(error, ssl.SSLError):
        return Untrusted(f"cafile, certfile or keyfile is not what it should be: {error}")
    return None


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
