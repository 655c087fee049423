"""What is wrong with a setting or an address is said in a sentence, all of it at once, by commands and by workers."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.integration.test_commands import orders, run
from tests.shop import Shop


def elsewhere(url: str, **parts: str) -> str:
    return urlsplit(url)._replace(**parts).geturl()


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port


async def test_a_virtual_host_that_is_not_there_is_named_and_ends_a_worker(shop: Shop) -> None:
    wrong = elsewhere(shop.environment["ORDERS_AMQP_URL"], path="/nonsense")

    ended = await orders(shop, "topology", "check", ORDERS_AMQP_URL=wrong)
    findings = await orders(shop, "doctor", ORDERS_AMQP_URL=wrong)
    worker = await shop.spawn_worker(ORDERS_AMQP_URL=elsewhere(shop.logins.worker, path="/nonsense"))
    await shop.until(lambda: worker.process.poll() is not None)

    words = "vhost nonsense not found; fix: the virtual host is the path of the URL"
    assert f"error: RabbitMQ at ORDERS_AMQP_URL does not answer or refuses ({words}" in ended.stderr
    assert words in findings.stdout
    assert (worker.process.returncode, words in worker.words) == (1, True)


async def test_what_is_no_postgres_is_told_as_that(shop: Shop) -> None:
    port = port_of(shop.environment["ORDERS_AMQP_URL"])

    plain = await orders(shop, "credentials", "list", ORDERS_POSTGRES_URL=f"postgresql://u:p@127.0.0.1:{port}/x")

    assert "what answers there is no Postgres" in plain.stderr
    assert "TLS" not in plain.stderr


@pytest.mark.parametrize("scheme", ["amqp", "amqps"])
async def test_what_is_no_rabbitmq_is_told_as_that(shop: Shop, scheme: str) -> None:
    port = port_of(shop.environment["ORDERS_POSTGRES_URL"])

    ended = await orders(shop, "topology", "check", ORDERS_AMQP_URL=f"{scheme}://u:p@127.0.0.1:{port}/")

    assert "no RabbitMQ" in ended.stderr
    assert ": )" not in ended.stderr


async def test_a_server_that_does_not_answer_is_told_with_words() -> None:
    writers: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        broker, database = await asyncio.gather(
            asyncio.to_thread(run, "topology", "check", ORDERS_AMQP_URL=f"amqp://127.0.0.1:{port}/"),
            asyncio.to_thread(run, "credentials", "list", ORDERS_POSTGRES_URL=f"postgresql://127.0.0.1:{port}/x"),
        )
        for writer in writers:
            writer.close()

    assert "no answer in 10 seconds" in broker.stderr
    assert "TimeoutError: no answer in time" in database.stderr


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("worker", ("AMQP_URL", "POSTGRES_URL", "SECRET_KEYS")),
        ("dead discard m --why x", ("AMQP_URL", "POSTGRES_URL")),
        ("secrets rotate", ("POSTGRES_URL", "SECRET_KEYS")),
        ("dead replay m --price", ("AMQP_URL", "POSTGRES_URL")),
    ],
)
def test_all_settings_that_are_missing_are_named_at_once(command: str, missing: tuple[str, ...]) -> None:
    ended = run(*command.split())

    assert ended.returncode == 2
    assert [name for name in missing if f"ORDERS_{name} is not set" not in ended.stderr] == []


async def test_a_log_file_has_no_colours(shop: Shop) -> None:
    worker = await shop.spawn_worker(ORDERS_LOG_FORMAT="console")
    await shop.until(lambda: "worker.consuming" in worker.words)

    assert "\x1b" not in worker.words
