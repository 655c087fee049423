"""Connections to RabbitMQ, and the way from its messages to ours and back."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    AuthenticationError,
    ChannelInvalidStateError,
    ProbableAuthenticationError,
)
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelAccessRefused, ConnectionNotAllowed
from pamqp.commands import Basic

from repository.database import MENDS_OF_TIMES
from worker.broker import workarounds
from worker.broker.addresses import nodes_of
from worker.broker.headers import DELIVERY_COUNT, trail_of
from worker.broker.messages import NO_TRAIL, Delivery, Properties, counted
from worker.key_ring import KeyRing

TakesNothing = workarounds.TakesNothing
BrokerConnection = AbstractConnection  # by this name outside of the room, which alone knows the library

AccessRefused = ChannelAccessRefused  # likewise: this user may not

# What RabbitMQ says of a virtual host that is not there, and of one that is not for this user. Of one that has too many
# connections it says NOT_ALLOWED too, and that passes.
NO_SUCH_HOST = ("not found", "refused for user")

CONNECT_SECONDS_MAX = 10
CLOSE_SECONDS_MAX = 5


class Untrusted(ConnectionError):
    """TLS did not come about; the text says why, and the mend."""


class Unwelcome(ConnectionError):
    """The broker knows us, and has not what the URL asks for, or not for us; the text says what, and the fix."""


# The broker knows us and says no, or we do not know it: waiting mends nothing.
BROKER_ACCESS_FAULTS = (ChannelAccessRefused, AuthenticationError, ProbableAuthenticationError, Untrusted, Unwelcome)

# The broker is away, or cut the connection: nothing is known of what was on its way.
BROKER_FAULTS = (AMQPError, ChannelInvalidStateError, ConnectionError, OSError, TimeoutError)


class BrokerUnusable(Exception):
    """The broker does not let this user do what it must; the text says what, and the mend."""


@asynccontextmanager
async def connect(url: str, name: str, *, gives_up_on_alarms: bool = False) -> AsyncIterator[AbstractConnection]:
    """Open a connection that shows in the broker's tools as `name`, to the first node that answers.

    It does not reconnect by itself: whoever holds deliveries must know when their channel is gone. One that gives up
    on alarms fails with `TakesNothing` when the broker takes nothing that is published on it.
    """
    connection = await _connect_to_first(nodes_of(url), name)
    if gives_up_on_alarms and connection.transport is not None:
        workarounds.give_up_on_alarms(connection.transport.connection)
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
            heartbeat=workarounds.HEARTBEAT_SECONDS,
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
    if isinstance(error, ConnectionNotAllowed) and any(words in str(error) for words in NO_SUCH_HOST):
        said = str(error).partition("NOT_ALLOWED - ")[2].strip("')]}") or str(error)
        return Unwelcome(f"{said}; fix: the virtual host is the path of the URL, in which %2F is /")
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return _told_of_tls(error)
    if isinstance(error.__cause__, ConnectionResetError | asyncio.IncompleteReadError) and url.startswith("amqp://"):
        hint = "if this port speaks TLS, the URL must begin with amqps://; or it is no RabbitMQ's"
        return AMQPConnectionError(f"{error}; {hint}")
    if not str(error):
        return AMQPConnectionError(
            "it closes the connection at once: perhaps this is no RabbitMQ, or it has no TLS here"
        )
    return None


def _told_of_tls(error: OSError) -> OSError | None:
    match error.__cause__:
        case ssl.SSLCertVerificationError() as fault:
            mend = MENDS_OF_TIMES.get(fault.verify_code) or (
                "let cafile in the URL name its authority, and the URL the host that it is for"
            )
            return Untrusted(f"its certificate is not accepted: {fault.verify_message}; fix: {mend}")
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            return Untrusted("this port does not speak TLS; fix: its TLS port, or a URL that begins with amqp://")
    if isinstance(error, ssl.SSLError):
        return Untrusted(f"cafile, certfile or keyfile is not what it should be: {error}")
    return None


def delivery_of(message: DeliveredMessage, keys: KeyRing | None = None) -> Delivery:
    """Take over what the broker handed us. Only with keys can be told which of our headers are ours."""
    delivered, written = message.delivery, message.header.properties
    assert isinstance(delivered, Basic.Deliver | Basic.GetOk)
    assert delivered.delivery_tag is not None, "a delivery has a tag"
    properties = Properties(
        message_id=written.message_id,
        content_type=written.content_type,
        content_encoding=written.content_encoding,
        reply_to=written.reply_to,
        correlation_id=written.correlation_id,
        user_id=written.user_id,
        app_id=written.app_id,
        type=written.message_type,
        priority=written.priority or None,
        timestamp=written.timestamp,
        headers=written.headers or {},
    )
    redelivered = bool(delivered.redelivered)
    return Delivery(
        body=message.body,
        properties=properties,
        routing_key=delivered.routing_key or "",
        redelivered=redelivered,
        tag=delivered.delivery_tag,
        trail=trail_of(properties, message.body, keys) if keys else NO_TRAIL,
        # A publisher may write this header too; of a delivery that is none of the first, it is the broker's.
        deliveries_before=counted(properties.headers.get(DELIVERY_COUNT)) if redelivered else 0,
    )
