"""Streams are read by any number at once, and nothing is taken out."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aio_pika import Message
from aio_pika.abc import AbstractConnection

from schemas import topology
from tests.shop import Logins
from worker.broker import streams
from worker.broker.connection import BROKER_FAULTS, connect
from worker.broker.topology import begin_streams_anew

COUNT = 250
END_SECONDS_MAX = 10.0


@pytest.fixture
async def connection(amqp_url: str) -> AsyncIterator[AbstractConnection]:
    async with connect(amqp_url, "orders tests") as opened:
        await begin_streams_anew(opened)
        yield opened
        await begin_streams_anew(opened)


async def fill(connection: AbstractConnection, first: int, end: int) -> None:
    async with connection.channel() as channel:
        for number in range(first, end):
            await channel.default_exchange.publish(Message(str(number).encode()), topology.PLACED)


async def test_nothing_is_in_a_stream_that_is_new(connection: AbstractConnection) -> None:
    assert await streams.tail(connection, topology.PLACED, 10) == []


async def test_the_tail_ends_with_what_was_written_last(connection: AbstractConnection) -> None:
    await fill(connection, 0, 1)
    first = await streams.tail(connection, topology.PLACED, 10)
    await fill(connection, 1, COUNT)
    last = await streams.tail(connection, topology.PLACED, 10)

    assert first == [b"0"]
    assert last[-10:] == [str(number).encode() for number in range(COUNT - 10, COUNT)]
    assert len(last) < COUNT


async def test_workers_and_operators_read_all_of_it_side_by_side(connection: AbstractConnection, amqp_url: str) -> None:
    await fill(connection, 0, COUNT)
    logins = Logins.of(amqp_url)

    async def read(url: str) -> list[bytes]:
        async with connect(url, "orders tests") as reading:
            return [body async for body in streams.everything(reading, topology.PLACED)]

    found = await asyncio.gather(*(read(url) for url in (logins.worker, logins.worker, logins.operator)))

    assert found == [[str(number).encode() for number in range(COUNT)]] * 3


async def test_who_reads_when_the_connection_has_just_ended_hears_that_the_broker_is_away(amqp_url: str) -> None:
    async with connect(amqp_url, "orders tests") as connection:
        assert connection.transport is not None
        await connection.transport.connection.close()  # aiormq's own: aio-pika has not heard of it yet

        with pytest.raises(BROKER_FAULTS):
            await streams.tail(connection, topology.SHOP, 1)


async def test_the_tail_has_an_end_though_others_go_on_writing(connection: AbstractConnection) -> None:
    await fill(connection, 0, COUNT)

    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(fill(connection, COUNT, 1_000_000))
        async with asyncio.timeout(END_SECONDS_MAX):
            found = await streams.tail(connection, topology.PLACED, 10)
            everything = [body async for body in streams.everything(connection, topology.PLACED)]
        writing.cancel()

    numbers = list(map(int, found))
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[-1] >= COUNT - 1
    assert list(map(int, everything))[:COUNT] == list(range(COUNT))
