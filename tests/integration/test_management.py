"""What RabbitMQ's management plugin adds where it can be asked: readiness, and what status and doctor know."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deploy.local.host import free_port
from deploy.local.servers import Servers
from schemas import topology
from schemas.topology import Binding
from tests.conftest import administered
from tests.integration.test_bindings import unbound
from tests.integration.test_health import Endpoints
from tests.integration.test_operator_commands import administrator, level_of, orders, says_of, told
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop, vhost_of
from worker.broker.management import Management, Unmanaged

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
NO_MANAGEMENT = "http://orders:hunter2@127.0.0.1:1"
MISSING = "a binding is missing: orders.requests to orders under order.add; fix: orders topology apply\n"


@asynccontextmanager
async def without(shop: Shop, binding: Binding) -> AsyncIterator[None]:
    async with administrator(shop) as channel:
        queue = await channel.get_queue(binding.queue, ensure=False)
        await queue.unbind(binding.exchange, binding.routing_key)
        try:
            yield
        finally:
            await queue.bind(binding.exchange, binding.routing_key)


# ---------------------------------------------------------------- the plugin


async def test_the_bindings_that_it_tells_are_those_that_were_declared(shop: Shop, management_url: str) -> None:
    management = Management.of(management_url, shop.logins.administrator)

    there = await management.bindings()

    assert {one for one in there if one.queue.startswith("orders.")} == set(topology.BINDINGS)
    assert await management.missing_bindings() == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda url: url.replace("orders:orders@", "orders:hunter2@"), "it does not let this user look"),
        (lambda _: NO_MANAGEMENT, "ConnectionRefusedError"),
        (lambda url: url.replace("http://", "https://"), "SSLError"),
    ],
)
async def test_what_goes_wrong_with_it_is_said_without_the_password(
    shop: Shop, management_url: str, change: Any, why: str
) -> None:
    management = Management.of(change(management_url), shop.logins.administrator)

    with pytest.raises(Unmanaged) as error:
        await management.bindings()

    assert why in str(error.value)
    assert "hunter2" not in str(error.value)


async def test_a_server_that_is_none_or_says_nothing_is_told_in_time(shop: Shop) -> None:
    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(SECONDS_MAX)
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    silent = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    with pytest.raises(Unmanaged, match=r"no answer|TimeoutError"):
        await Management.of(silent, shop.logins.administrator).bindings()
    server.close()


# ---------------------------------------------------------------- readiness


async def test_a_worker_that_starts_while_a_binding_is_missing_is_not_ready_and_says_which(
    shop: Shop, management_url: str
) -> None:
    port = free_port(1)
    async with unbound(shop):
        worker = await shop.start_worker(ORDERS_HTTP_PORT=str(port), ORDERS_MANAGEMENT_URL=management_url)
        answer = Endpoints(port).get("/readyz")
        samples = Endpoints(port).samples()

    assert answer == (503, MISSING)
    assert samples["orders_binding_missing", "orders", "orders.requests", "order.add"] == 1
    await Endpoints(port).until_ready()
    told_of = [line["bindings"] for line in worker.log if line["event"] == "topology.bindings_missing"]
    assert told_of == [["orders.requests to orders under order.add"], []]


async def test_a_worker_that_runs_notices_a_binding_that_goes_and_goes_on_with_what_arrives(
    shop: Shop, management_url: str
) -> None:
    port = free_port(1)
    await shop.start_worker(
        "tests.faults.chatty_worker", ORDERS_HTTP_PORT=str(port), ORDERS_MANAGEMENT_URL=management_url
    )
    await Endpoints(port).until_ready()

    async with without(shop, Binding(topology.DEAD, topology.DEAD, "")):
        await Endpoints(port).until(lambda seen: seen.get("/readyz")[0] == 503)
        answer = Endpoints(port).get("/readyz")
        reply = await shop.ask(ORDER)

    assert answer == (503, "a binding is missing: orders.dead to orders.dead; fix: orders topology apply\n")
    assert reply["result"] == "success"


async def test_of_several_processes_none_is_ready_while_a_binding_is_missing(shop: Shop, management_url: str) -> None:
    port = free_port(1)
    async with unbound(shop):
        worker = await shop.start_worker(
            *("worker", "worker", "--processes", "2"),
            ORDERS_HTTP_PORT=str(port),
            ORDERS_MANAGEMENT_URL=management_url,
        )
        await Endpoints(port).until(lambda seen: seen.get("/readyz") == (503, MISSING))
    await Endpoints(port).until_ready()
    await asyncio.to_thread(worker.stop)


async def test_a_plugin_that_does_not_answer_keeps_nobody_from_being_ready(shop: Shop) -> None:
    port = free_port(1)
    worker = await shop.start_worker(
        "tests.faults.chatty_worker", ORDERS_HTTP_PORT=str(port), ORDERS_MANAGEMENT_URL=NO_MANAGEMENT
    )
    await Endpoints(port).until_ready()
    await shop.until(lambda: [line["event"] for line in worker.log].count("test.told") >= 5)

    [line] = [line for line in worker.log if line["event"] == "topology.bindings_unknown"]
    assert "ConnectionRefusedError" in line["why"]
    assert "hunter2" not in worker.words


# ---------------------------------------------------------------- what operators ask


async def test_status_shows_what_only_the_plugin_knows_and_says_what_is_not_known_without_it(
    shop: Shop, management_url: str
) -> None:
    with_it = await orders(shop, "status", ORDERS_MANAGEMENT_URL=management_url)
    found = await told(shop, "status", ORDERS_MANAGEMENT_URL=management_url)
    without_it = await orders(shop, "status")

    assert [word in with_it.stdout for word in ("unacked", "in/s", "out/s")] == [True] * 3
    assert with_it.stderr == ""
    [dead] = [one for one in found["rabbitmq"]["queues"] if one["name"] == topology.DEAD]
    assert dead["unacknowledged"] == 0
    assert "unacked" not in without_it.stdout
    assert without_it.stderr == ""
    assert "unacknowledged and rates are not known: ORDERS_MANAGEMENT_URL is not set" in without_it.stdout.splitlines()


async def test_doctor_and_check_name_every_binding_that_is_missing(shop: Shop, management_url: str) -> None:
    async with (
        without(shop, Binding(topology.DEAD, topology.DEAD, "")),
        without(shop, Binding("orders.email.invoice-created", topology.EVENTS, "email.invoice-created")),
    ):
        found = await told(shop, "doctor", ORDERS_MANAGEMENT_URL=management_url)
        checked = await orders(shop, "topology", "check", ORDERS_MANAGEMENT_URL=management_url)

    wrong = [one["says"] for one in found["checks"] if one["check"] == "bindings" and one["level"] == "wrong"]
    assert wrong == [
        "orders.dead is not bound to orders.dead",
        "orders.email.invoice-created is not bound to orders.events under email.invoice-created",
    ]
    assert checked.returncode == 1
    assert all(f"{sentence}. Run `orders topology apply`." in checked.stderr for sentence in wrong)


@pytest.fixture
def limited(servers: Servers, shop: Shop) -> Iterator[str]:
    """A policy and an operator policy over queues of ours; yields the virtual host."""
    broker, vhost = administered(servers.rabbitmq), vhost_of(shop.logins.administrator)
    assert broker is not None
    definition = json.dumps({"max-length": 1_000_000, "overflow": "reject-publish"})
    broker.control("set_policy", "-p", vhost, "tidy up", r"^orders\.email\.", definition, "--apply-to", "queues")
    ttl = json.dumps({"message-ttl": 86_400_000})
    broker.control("set_operator_policy", "-p", vhost, "day", r"^orders\.dead$", ttl, "--apply-to", "queues")
    yield vhost
    broker.control("clear_policy", "-p", vhost, "tidy up")
    broker.control("clear_operator_policy", "-p", vhost, "day")


async def test_doctor_names_a_policy_that_limits_a_queue_of_ours_and_the_fix(
    shop: Shop, management_url: str, limited: str
) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while True:  # the plugin is told of policies every five seconds
            found = await told(shop, "doctor", ORDERS_MANAGEMENT_URL=management_url)
            wrong = [one for one in found["checks"] if one["check"] == "policies" and one["level"] == "wrong"]
            if len(wrong) == 3:
                break
            await asyncio.sleep(POLL_SECONDS)
    status = await orders(shop, "status", ORDERS_MANAGEMENT_URL=management_url)

    assert wrong[0]["says"] == (
        "the operator policy day limits orders.dead (message-ttl=86400000): it may refuse or lose what it should keep"
    )
    assert wrong[0]["fix"].endswith(f"`rabbitmqctl clear_operator_policy -p {limited} day`.")
    assert "the policy tidy up limits orders.email.invoice-created (max-length=1000000, overflow" in wrong[1]["says"]
    assert wrong[1]["fix"].endswith(f"`rabbitmqctl clear_policy -p {limited} 'tidy up'`.")
    assert "limited by policy tidy up" in status.stdout


async def test_doctor_says_that_no_policy_limits_a_queue_of_ours(shop: Shop, management_url: str) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while level_of(found := await told(shop, "doctor", ORDERS_MANAGEMENT_URL=management_url), "policies") != {"ok"}:
            await asyncio.sleep(POLL_SECONDS)

    assert says_of(found, "policies") == "none limits a queue of ours"


# ---------------------------------------------------------------- who listens


async def test_doctor_names_who_listens_under_a_costly_key_and_who_could(
    shop: Shop, servers: Servers, management_url: str
) -> None:
    broker = administered(servers.rabbitmq)
    assert broker is not None
    vhost, user = vhost_of(shop.logins.administrator), "careless"
    broker.control("add_user", user, "of-the-tests")
    broker.control("set_permissions", "-p", vhost, user, ".*", ".*", ".*")
    try:
        async with administrator(shop) as channel:
            queue = await channel.declare_queue("tests.costly", exclusive=True)
            await queue.bind(topology.EVENTS, "#.#.#")
            found = await told(shop, "doctor", ORDERS_MANAGEMENT_URL=management_url)
    finally:
        broker.control("delete_user", user)

    warned = {one["says"]: one["fix"] for one in found["checks"] if one["check"] == "listeners"}
    careless = f"the user {user} may bind queues to orders.events under any key"
    assert any(says.startswith("tests.costly is bound to orders.events under #.#.#") for says in warned)
    [fix] = [fix for says, fix in warned.items() if says.startswith(careless)]
    narrowed = f"rabbitmqctl set_topic_permissions -p {vhost} {user} orders.events '^$'"
    assert fix.startswith(f"Narrow it, as README has it: `{narrowed}")
    assert len(warned) == 2  # our own users may not, and of administrators nobody expects otherwise
