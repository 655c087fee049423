"""A server that goes away pauses the worker; nothing is dead-lettered, no attempt is counted (messages.md, paused)."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aio_pika.abc import AbstractChannel

from deploy.local import start_postgres, start_rabbitmq
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from repository import catalog as catalogue
from repository import migrate, scratch
from repository.database import Database
from schemas import catalog_file
from tests.shop import Asked, Shop, Worker, make_vhost
from worker.broker import topology
from worker.broker.connection import connect

SAMPLE = Path("deploy/sample/catalog.json")
ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = start_postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    server = start_rabbitmq(tmp_path_factory.mktemp("rabbitmq"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def vhost_url(rabbitmq: RabbitMQ) -> str:
    url = make_vhost(rabbitmq.url, rabbitmq.import_definitions)
    # On 3.10 a quorum queue that is killed in its first seconds comes back without a leader: let it be written first.
    rabbitmq.stop()
    rabbitmq.start()
    return url


@pytest.fixture
async def own_shop(postgres: Postgres, vhost_url: str) -> AsyncIterator[Shop]:
    """A shop on servers of its own, which the test may stop and kill."""
    url = await scratch.recreate(postgres.url, "orders_outage")
    await migrate.migrate(url)
    async with Database(url) as database, database.transaction() as connection:
        await catalogue.load(connection, catalog_file.parse(SAMPLE.read_bytes()))
    async with Shop.open(url, vhost_url) as shop:
        yield shop


def paused(worker: Worker) -> bool:
    return any(line["event"] == "worker.paused" for line in worker.log)


async def all_placed(shop: Shop, asked: list[Asked]) -> None:
    for one in asked:
        assert json.loads(await shop.reply(one))["result"] == "success"
    assert await shop.orders_placed() == len(asked)
    for queue in ("orders.dead", *topology.RETRY_DELAYS):
        assert await shop.waiting(queue) == 0


async def test_without_postgres_the_worker_pauses_and_goes_on_by_itself(own_shop: Shop, postgres: Postgres) -> None:
    worker = await own_shop.start_worker()
    await asyncio.to_thread(postgres.kill)
    asked = [await own_shop.publish(ORDER) for _ in range(20)]
    await own_shop.until(lambda: paused(worker))
    assert await own_shop.waiting() == 20

    await asyncio.to_thread(postgres.start)

    await all_placed(own_shop, asked)
    assert worker.process.poll() is None


async def test_postgres_killed_under_load_leaves_no_half_order_and_no_second_one(
    own_shop: Shop, postgres: Postgres
) -> None:
    asked = [await own_shop.publish(ORDER) for _ in range(300)]
    await own_shop.start_worker()
    await own_shop.reply(asked[0])

    await asyncio.to_thread(postgres.kill)
    await asyncio.to_thread(postgres.start)

    await all_placed(own_shop, asked)
    assert await own_shop.count("invoices") == 300


async def test_a_worker_that_starts_before_its_servers_waits_for_them(own_shop: Shop, postgres: Postgres) -> None:
    await own_shop.start_worker()  # so that its session is not the first thing that fails
    await asyncio.to_thread(postgres.kill)
    asked = await own_shop.publish(ORDER)
    late = await own_shop.spawn_worker()
    await own_shop.until(lambda: paused(late))

    await asyncio.to_thread(postgres.start)

    assert json.loads(await own_shop.reply(asked))["result"] == "success"
    await own_shop.until(lambda: any(line["event"] == "worker.consuming" for line in late.log))


async def test_connections_cut_in_the_middle_of_transactions_are_tried_again(own_shop: Shop) -> None:
    asked = [await own_shop.publish(ORDER) for _ in range(300)]
    await own_shop.start_worker()

    async def cut() -> None:
        while True:
            await own_shop.database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orders'"
            )
            await asyncio.sleep(0.3)  # long enough to get some work done in between

    cutting = asyncio.create_task(cut())
    await own_shop.reply(asked[100])
    cutting.cancel()

    await all_placed(own_shop, asked)


async def test_rabbitmq_killed_under_load_loses_nothing_that_was_confirmed(own_shop: Shop, rabbitmq: RabbitMQ) -> None:
    for _ in range(200):
        await own_shop.publish(ORDER, reply_to=None)
    worker = await own_shop.start_worker()

    await asyncio.to_thread(rabbitmq.kill)
    await own_shop.until(lambda: paused(worker))
    await asyncio.to_thread(rabbitmq.start)

    async with asyncio.timeout(60):
        while await own_shop.orders_placed() < 200:
            await asyncio.sleep(0.05)
    assert worker.process.poll() is None
    async with connect(own_shop.logins.administrator, "orders tests") as broker, broker.channel() as channel:
        async with asyncio.timeout(60):
            while await ready(channel, "orders.email.invoice-created") < 200:
                await asyncio.sleep(0.05)
        assert await ready(channel, topology.DEAD) == 0


async def ready(channel: AbstractChannel, queue: str) -> int:
    declared = await channel.declare_queue(queue, passive=True)
    return declared.declaration_result.message_count or 0
