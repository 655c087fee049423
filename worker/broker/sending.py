"""Publish messages of which each is confirmed, or it is told why not: none that cannot be sent stops the others."""

import asyncio
from collections.abc import Iterator, Sequence

import aiormq
from aiormq.exceptions import AMQPConnectionError, AMQPError, PublishError

from worker.broker import batch
from worker.broker.messages import Outgoing

CONFIRM_SECONDS_MAX = 30


async def send(channel: aiormq.abc.AbstractChannel, messages: Sequence[Outgoing]) -> list[str | None]:
    """Publish all of them.

    Returns:
        For each, in order, None once the broker has confirmed it, else why it was not sent.

    Raises:
        AMQPError: the channel is gone, or no confirm came in time. What was sent may have arrived all the same.
    """
    whys = [_why_not(channel, message) for message in messages]
    for turn in _turns(messages, whys):
        refused = await _confirmed(channel, [messages[n] for n in turn])
        for n in turn:
            whys[n] = next((_words(error) for message, error in refused if message is messages[n]), None)
    return whys


async def _confirmed(channel: aiormq.abc.AbstractChannel, messages: Sequence[Outgoing]) -> list[batch.Nacked]:
    try:
        async with asyncio.timeout(CONFIRM_SECONDS_MAX):
            return await batch.publish(channel, messages)
    except TimeoutError:
        raise AMQPConnectionError(f"no confirm in {CONFIRM_SECONDS_MAX} seconds") from None


def _turns(messages: Sequence[Outgoing], whys: Sequence[str | None]) -> Iterator[list[int]]:
    """Let those that share a message_id go one after the other: what comes back is told by it."""
    left = [n for n, why in enumerate(whys) if why is None]
    while left:
        first = {messages[n].properties.message_id or n: n for n in reversed(left)}
        yield sorted(first.values())
        left = sorted(set(left) - set(first.values()))


def _why_not(channel: aiormq.abc.AbstractChannel, message: Outgoing) -> str | None:
    """Say why a message cannot be sent over this connection; None: it can."""
    assert isinstance(channel, aiormq.Channel)
    try:
        needed = batch.header_size(message)
        batch.frames(message, message.properties.message_id or "", channel.number, channel.max_content_size)
    except Exception as error:  # noqa: BLE001  # a foreign encoder's many kinds
        return f"it cannot be written as AMQP ({error})"
    if needed > channel.max_content_size:
        room = channel.max_content_size
        return f"its headers take {needed:,} bytes, and a frame of this broker has {room:,} (frame_max)"
    return None


def _words(error: AMQPError) -> str:
    return (
        "it came back: no queue takes it"
        if isinstance(error, PublishError)
        else "a queue refused it: it is full, or has no leader"
    )
