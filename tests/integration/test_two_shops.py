"""A broker is one shop's: a worker of another one ends, and only an operator moves it (reliability.md, 31)."""

import asyncio

import pytest

from repository import migrate
from repository.database import Database
from repository.shop import shop_id
from tests.faults.proxy import Proxy
from tests.integration.test_operator_commands import administrator, level_of, orders, says_of, told
from tests.integration.test_topology import (
    as_administrator,
    said_beside_the_log,
    shop_id_of,
    words_of_a_worker_that_ends,
)
from tests.shop import Shop

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}


@pytest.fixture
async def others_url(database_url: str) -> str:
    """The database of another shop."""
    await migrate.migrate(database_url)
    return database_url


async def id_in(url: str) -> str:
    async with Database(url) as database, database.connection() as connection:
        return await shop_id(connection)


@pytest.fixture
async def owned(shop: Shop) -> str:
    """The id of the shop whose the broker is."""
    applied = await orders(shop, "topology", "apply", **as_administrator(shop))
    assert applied.returncode == 0, applied.stderr
    return await shop_id_of(shop)


async def test_a_worker_of_another_shop_ends_and_names_both(shop: Shop, owned: str, others_url: str) -> None:
    words = await words_of_a_worker_that_ends(shop, ORDERS_POSTGRES_URL=others_url)

    [line] = said_beside_the_log(words)
    assert line == (
        f"error: RabbitMQ at ORDERS_AMQP_URL is of the shop {owned}, and the database at ORDERS_POSTGRES_URL of the "
        f"shop {await id_in(others_url)}; fix: let both URLs name servers of one shop; or, if this broker is to be the "
        "database's from now on, run `orders topology adopt`"
    )
    assert "worker.consuming" not in words


async def test_a_worker_of_another_shop_that_may_declare_ends_too(shop: Shop, owned: str, others_url: str) -> None:
    settings = as_administrator(shop, ORDERS_POSTGRES_URL=others_url, ORDERS_TOPOLOGY="apply")
    words = await words_of_a_worker_that_ends(shop, **settings)

    assert f"is of the shop {owned}" in said_beside_the_log(words)[0]


async def test_workers_of_the_shop_read_whose_it_is_side_by_side(shop: Shop, owned: str) -> None:
    workers = await asyncio.gather(*(shop.start_worker() for _ in range(3)))

    assert owned
    assert not any(line["event"] == "shop.unknown" for worker in workers for line in worker.log)
    assert (await shop.ask(ORDER))["result"] == "success"


@pytest.mark.usefixtures("nobodys")
async def test_where_nobody_has_said_whose_it_is_a_worker_says_so_and_goes_on(shop: Shop) -> None:
    worker = await shop.start_worker()

    [line] = [line for line in worker.log if line["event"] == "shop.unknown"]
    assert (line["level"], line["shop"]) == ("warning", await shop_id_of(shop))
    assert (await shop.ask(ORDER))["result"] == "success"


@pytest.mark.usefixtures("nobodys")
async def test_the_first_worker_that_may_declare_says_whose_it_is(shop: Shop, others_url: str) -> None:
    settings = as_administrator(shop, ORDERS_TOPOLOGY="apply")
    worker = await shop.start_worker(**settings)
    words = await words_of_a_worker_that_ends(shop, ORDERS_POSTGRES_URL=others_url)

    assert not any(line["event"] == "shop.unknown" for line in worker.log)
    assert f"is of the shop {await shop_id_of(shop)}" in words


async def test_applying_to_another_shops_broker_is_refused_and_declares_nothing(
    shop: Shop, owned: str, others_url: str
) -> None:
    async with administrator(shop) as channel:
        await channel.queue_delete("orders.retry.5s")
    refused = await orders(shop, "topology", "apply", **as_administrator(shop, ORDERS_POSTGRES_URL=others_url))
    missing = await orders(shop, "topology", "check", **as_administrator(shop))
    again = await orders(shop, "topology", "apply", **as_administrator(shop))

    assert refused.returncode == 1
    assert f"is of the shop {owned}, and the database" in refused.stderr
    assert "orders.retry.5s: does not exist" in missing.stderr
    assert again.returncode == 0


@pytest.mark.usefixtures("nobodys")
async def test_without_a_database_applying_says_that_nobody_knows_whose_it_is(shop: Shop) -> None:
    applied = await orders(shop, "topology", "apply", without="ORDERS_POSTGRES_URL", **as_administrator(shop))

    assert applied.returncode == 0
    assert "note: whose broker this is was not looked at: ORDERS_POSTGRES_URL is not set" in applied.stderr


async def test_adopting_says_whose_it_was_asks_and_moves_it(shop: Shop, owned: str, others_url: str) -> None:
    theirs = await id_in(others_url)
    asked = await orders(shop, "topology", "adopt", stdin="n\n", ORDERS_POSTGRES_URL=others_url)
    before = await told(shop, "doctor")
    moved = await orders(shop, "topology", "adopt", "--yes", ORDERS_POSTGRES_URL=others_url)
    words = await words_of_a_worker_that_ends(shop)
    again = await orders(shop, "topology", "adopt", ORDERS_POSTGRES_URL=others_url)
    written = await orders(shop, "audit", ORDERS_POSTGRES_URL=others_url)

    assert (asked.returncode, moved.returncode, again.returncode) == (1, 0, 0)
    assert f"this is the broker of the shop {owned}; ORDERS_POSTGRES_URL names the database of the shop" in asked.stderr
    assert level_of(before, "shop") == {"ok"}
    assert moved.stderr.splitlines()[-1] == f"this is the broker of the shop {theirs} now"
    assert f"is of the shop {theirs}, and the database" in words
    assert again.stderr.splitlines() == [f"this is the broker of the shop {theirs} already"]
    assert f"it was the shop {owned}'s" in " ".join(written.stdout.split())


@pytest.mark.usefixtures("nobodys")
async def test_a_broker_that_is_nobodys_is_adopted_without_a_question(shop: Shop) -> None:
    adopted = await orders(shop, "topology", "adopt")

    assert adopted.returncode == 0
    assert adopted.stderr.splitlines() == [f"this is the broker of the shop {await shop_id_of(shop)} now"]


async def test_the_doctor_of_each_shop_tells_whose_it_is(shop: Shop, owned: str, others_url: str) -> None:
    ours = await told(shop, "doctor")
    theirs = await told(shop, "doctor", ORDERS_POSTGRES_URL=others_url)

    assert (level_of(ours, "shop"), says_of(ours, "shop")) == ({"ok"}, f"database and broker are of the shop {owned}")
    assert level_of(theirs, "shop") == {"wrong"}
    assert f"is of the shop {owned}, and the database" in says_of(theirs, "shop")


@pytest.mark.usefixtures("nobodys")
async def test_the_doctor_warns_where_nobody_has_said_whose_it_is(shop: Shop) -> None:
    assert level_of(await told(shop, "doctor"), "shop") == {"warning"}


async def test_a_session_that_begins_anew_looks_again(shop: Shop, owned: str, others_url: str) -> None:
    async with Proxy.to(shop.logins.worker) as proxy:
        worker = await shop.start_worker(ORDERS_AMQP_URL=proxy.url(shop.logins.worker))
        await orders(shop, "topology", "adopt", "--yes", ORDERS_POSTGRES_URL=others_url)

        proxy.reset()
        await shop.until(lambda: worker.process.poll() is not None)

    assert worker.process.returncode == 1
    assert f"is of the shop {await id_in(others_url)}, and the database" in said_beside_the_log(worker.words)[-1]
    assert owned != await id_in(others_url)
