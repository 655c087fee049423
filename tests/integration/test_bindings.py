"""Do the bindings hold? Tried with sealed probes, and read where the management plugin is there (messages.md)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aio_pika import Message

from schemas import topology
from tests.integration.test_operator_commands import NO_DATABASE, administrator, level_of, orders, says_of, told
from tests.shop import KEYS, POLL_SECONDS, SECONDS_MAX, Event, Shop
from worker.broker.dead_letters import DeadLetter
from worker.broker.messages import Outgoing
from worker.broker.probes import probe
from worker.key_ring import KeyRing

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}


@asynccontextmanager
async def unbound(shop: Shop) -> AsyncIterator[None]:
    """Let nobody take what comes under order.add, as a slip of an administrator's would."""
    async with administrator(shop) as channel:
        requests = await channel.get_queue(topology.REQUESTS, ensure=False)
        await requests.unbind(topology.COMMANDS, topology.ADD_ORDER)
        try:
            yield
        finally:
            await requests.bind(topology.COMMANDS, topology.ADD_ORDER)


async def test_doctor_and_check_name_a_key_that_no_queue_takes_and_the_fix(shop: Shop) -> None:
    await shop.start_worker()

    async with unbound(shop):
        checked = await orders(shop, "topology", "check")
        found = await told(shop, "doctor")

    assert checked.returncode == 1
    assert "orders.requests is not bound to orders under order.add" in checked.stderr
    assert "orders topology apply" in checked.stderr
    assert level_of(found, "bindings") == {"wrong"}
    assert "orders.requests is not bound to orders under order.add" in says_of(found, "bindings")
    assert await shop.waiting(topology.UNROUTED) == 0


async def processed(shop: Shop) -> tuple[int, list[DeadLetter], list[Event]]:
    return await shop.orders_placed(), await shop.dead_letters(0), shop.events


async def test_a_probe_is_answered_and_leaves_nothing_behind(shop: Shop) -> None:
    worker = await shop.start_worker()

    found = await told(shop, "doctor")
    checked = await orders(shop, "topology", "check")

    assert level_of(found, "bindings") == {"ok"}
    assert "what comes under order.add arrives: a worker has answered" in says_of(found, "bindings")
    assert (checked.returncode, checked.stderr.splitlines()) == (
        0,
        [
            "topology: every exchange and queue exists",
            "bindings: what comes under order.add arrives: a worker has answered",
        ],
    )
    assert await processed(shop) == (0, [], [])
    assert [await shop.waiting(queue.name) for queue in topology.QUEUES] == [0] * len(topology.QUEUES)
    assert not [line for line in worker.log if line["event"].startswith(("order.", "reply."))]


async def publish(shop: Shop, outgoing: Outgoing, exchange: str = topology.COMMANDS, routing_key: str = "") -> None:
    """Publish a probe as whoever may, as it is or somewhere else."""
    properties = outgoing.properties
    message = Message(
        outgoing.body,
        message_id=properties.message_id,
        type=properties.type,
        headers=dict(properties.headers),
    )
    async with administrator(shop) as channel:
        target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        await target.publish(message, routing_key or outgoing.routing_key)


async def test_what_only_looks_like_a_probe_is_an_ordinary_request_and_is_refused(shop: Shop) -> None:
    await shop.start_worker()
    forged = probe("order.add", "operator", KeyRing([b"a-key-of-somebody-else-of-32-characters"]))

    await publish(shop, forged)
    [letter] = await shop.dead_letters(1)
    listed = await orders(shop, "dead", "list", "--json")

    assert letter.message_id == forged.properties.message_id
    assert (letter.reason, letter.code) == ("rejected", "authentication_failed")
    assert [json.loads(line)["message_id"] for line in listed.stdout.splitlines()] == [letter.message_id]


async def test_no_probe_is_sent_where_somebody_who_runs_does_not_know_it(shop: Shop) -> None:
    await shop.database.execute(
        """
        INSERT INTO processes (run_id, kind, host, pid, version, settings_hash, knows)
        VALUES ('old', 'worker', 'elsewhere', 7, '0.0.9', 'abc', '{}')
        """
    )

    found = await told(shop, "doctor")

    says = "not tried with a probe: a worker that runs does not know probes: old on elsewhere, version 0.0.9"
    assert (level_of(found, "bindings"), says_of(found, "bindings")) == ({"warning"}, says)
    assert await shop.waiting(topology.REQUESTS) == 0


async def test_no_probe_is_sent_where_the_broker_has_a_consumer_that_the_database_does_not_know(shop: Shop) -> None:
    async with administrator(shop) as channel:
        requests = await channel.get_queue(topology.REQUESTS, ensure=False)
        taken = asyncio.Queue[Any]()
        await requests.consume(taken.put, no_ack=True)

        found = await told(shop, "doctor")
        checked = await orders(shop, "topology", "check")

    says = says_of(found, "bindings")
    assert says.startswith("not tried with a probe: orders.requests has 1 consumers, and of 0 is known what they are")
    assert f"note: bindings: {says}" in checked.stderr.splitlines()
    assert checked.returncode == 0
    assert taken.empty()


async def test_without_secret_keys_or_who_runs_it_is_said_that_nothing_was_tried_and_why(shop: Shop) -> None:
    without_keys = await told(shop, "doctor", ORDERS_SECRET_KEYS="")
    without_postgres = await told(shop, "doctor", ORDERS_POSTGRES_URL=NO_DATABASE)
    as_worker = await told(shop, "doctor", ORDERS_AMQP_URL=shop.logins.worker)
    as_storefront = await told(shop, "doctor", ORDERS_AMQP_URL=shop.logins.storefront)

    assert says_of(without_keys, "bindings").endswith("ORDERS_SECRET_KEYS is not set, and a probe must be sealed")
    assert "who would take it is not known: Postgres at ORDERS_POSTGRES_URL" in says_of(without_postgres, "bindings")
    assert says_of(as_worker, "bindings").endswith("a worker may not publish to orders; an operator may")
    assert level_of(as_storefront, "bindings") == set()


async def test_a_probe_that_nobody_answers_is_no_fault_of_a_binding_and_is_taken_by_the_next_worker(shop: Shop) -> None:
    found = await told(shop, "doctor")
    waited = await shop.waiting(topology.REQUESTS)

    await shop.start_worker()
    await shop.ask(ORDER)
    async with asyncio.timeout(SECONDS_MAX):
        while await shop.waiting(topology.REQUESTS):
            await asyncio.sleep(POLL_SECONDS)

    assert level_of(found, "bindings") == {"warning"}
    assert "it waits behind others, or nobody consumes" in says_of(found, "bindings")
    assert waited == 1
    assert (await shop.orders_placed(), await shop.dead_letters(0)) == (1, [])


async def test_a_probe_among_suspects_is_answered_too(shop: Shop) -> None:
    await publish(shop, probe("order.add", "operator", KEYS), "", topology.SUSPECTS)

    await shop.start_worker()
    async with asyncio.timeout(SECONDS_MAX):
        while await shop.waiting(topology.SUSPECTS):
            await asyncio.sleep(POLL_SECONDS)

    assert await processed(shop) == (0, [], [])


async def test_no_tool_shows_counts_or_sends_a_probe_that_lies_somewhere(shop: Shop, tmp_path: Path) -> None:
    await publish(shop, probe("order.add", "operator", KEYS), topology.DEAD)
    await publish(shop, lying := probe("order.add", "operator", KEYS), topology.UNROUTED)
    file = tmp_path / "letters.jsonl"

    for queue in ("dead", "unrouted"):
        options = ("--queue", queue)
        listed = await orders(shop, "dead", "list", *options)
        counted = await orders(shop, "dead", "groups", "--json", *options)
        replayed = await orders(shop, "dead", "replay", "--all", "--no-dry-run", "--why", "all of it", *options)
        exported = await orders(shop, "dead", "export", str(file), "--all", *options)
        assert listed.stdout.startswith("no ")
        assert counted.stdout == ""
        assert "0 sent" in replayed.stderr or "no " in replayed.stderr
        assert not file.exists() or file.read_text() == "", exported.stderr
        file.unlink(missing_ok=True)
    shown = await orders(shop, "show", str(lying.properties.message_id))

    assert shown.returncode == 1
    assert await shop.waiting(topology.REQUESTS) == 0
    assert [await shop.waiting(queue) for queue in (topology.DEAD, topology.UNROUTED)] == [1, 1]


async def test_a_key_that_nobody_at_all_takes_is_named_too(shop: Shop) -> None:
    async with unbound(shop), administrator(shop) as channel:
        unrouted = await channel.get_queue(topology.UNROUTED, ensure=False)
        await unrouted.unbind(topology.UNROUTED, "")
        found = await told(shop, "doctor")
        await unrouted.bind(topology.UNROUTED, "")

    assert level_of(found, "bindings") == {"wrong"}
    assert says_of(found, "bindings") == "a probe under order.add was taken by nobody: it came back: no queue takes it"


async def test_a_request_under_a_known_key_that_lies_unrouted_is_named_with_the_way_back(shop: Shop) -> None:
    await shop.start_worker()
    async with unbound(shop):
        asked = await shop.publish(ORDER)
    assert await shop.waiting(topology.UNROUTED) == 1

    found = await told(shop, "doctor")

    [finding] = [one for one in found["checks"] if one["check"] == "unrouted"]
    assert finding["level"] == "wrong"
    assert finding["says"] == "messages under order.add lie in orders.unrouted: 1; nobody took them when they came"
    assert "`orders topology apply`" in finding["fix"]
    assert "`orders dead replay --queue unrouted --all`" in finding["fix"]
    replayed = await orders(
        shop, "dead", "replay", "--queue", "unrouted", "--all", "--no-dry-run", "--why", "bound again"
    )
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(await shop.reply(asked))["result"] == "success"
