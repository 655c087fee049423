"""What an operator sees and does at the command line: show, status, doctor, dead letters and unrouted messages."""

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aio_pika import Message
from aio_pika.abc import AbstractChannel

from repository import migrate, revisions, unsent
from repository.unsent import Kind, Unsent
from schemas import topology, wire
from tests.shop import SECRET_KEY, Shop, form
from tests.terminal import at_terminal
from worker.broker.connection import connect
from worker.broker.topology import apply_topology
from worker.operations.checks import clock
from worker.operations.findings import Level

COLUMNS = 80
ONE_SERVICE = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
UNKNOWN_METHOD = {"clientid": 1, "pid": 7, "paymentmethod": "bitcoin"}
NOBODY = "amqp://127.0.0.1:1/"
NO_DATABASE = "postgresql://127.0.0.1:1/x"
SECRET = "hunter2-hunter2"

# Everything that an order can have, so that every table is shown.
EVERYTHING = {
    "clientid": 1,
    "paymentmethod": "quantumgateway",
    "pid": [1, 5],
    "domain": ["whmcs-with-a-rather-long-name.com", "whmcs3.com"],
    "billingcycle": ["monthly", "annually"],
    "domaintype": ["register"],
    "regperiod": [2],
    "dnsmanagement": ["on"],
    "addons": ["1,3,9"],
    "promocode": "demopromo",
    "domainrenewals": {"domain1.com": 1},
}

Ended = subprocess.CompletedProcess[str]


def run(*arguments: str, stdin: str = "", **environment: str) -> Ended:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    return subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        env={**inherited, **environment, "COLUMNS": str(COLUMNS)},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def orders(shop: Shop, *arguments: str, stdin: str = "", without: str = "", **settings: str) -> Ended:
    """Run a command as the operator, or with other settings; `without` names one that is not set."""
    environment = {name: value for name, value in {**shop.environment, **settings}.items() if name != without}
    ended = await asyncio.to_thread(run, *arguments, stdin=stdin, **environment)
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


async def at_80_columns(shop: Shop, *arguments: str, **settings: str) -> list[str]:
    """Run a command at a terminal as wide as most are, and return what is on it."""
    seen = await asyncio.to_thread(at_terminal, COLUMNS, *arguments, environment={**shop.environment, **settings})
    return seen.lines


async def told(shop: Shop, *arguments: str, **settings: str) -> Any:
    """Run a command with --json, and return the one object that it prints."""
    ended = await orders(shop, *arguments, "--json", **settings)
    return json.loads(ended.stdout)


def level_of(findings: Any, check: str) -> set[str]:
    return {finding["level"] for finding in findings["checks"] if finding["check"] == check}


def says_of(findings: Any, check: str) -> str:
    return "\n".join(finding["says"] for finding in findings["checks"] if finding["check"] == check)


@asynccontextmanager
async def administrator(shop: Shop) -> AsyncIterator[AbstractChannel]:
    async with connect(shop.logins.administrator, "orders tests") as connection, connection.channel() as channel:
        yield channel


async def put(
    shop: Shop,
    body: bytes | Mapping[str, Any],
    *,
    message_id: str | None = "m",
    exchange: str = topology.DEAD,
    routing_key: str = "order.add",
    content_type: str | None = wire.JSON,
    headers: Mapping[str, Any] | None = None,
) -> None:
    """Put a message where it waits for a person: among the dead letters, or under a key that nobody takes."""
    ours: dict[str, Any] = {"x-orders-reason": "rejected", "x-orders-code": "x", "x-orders-replays": 0}
    message = Message(
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        content_type=content_type,
        message_id=message_id,
        user_id=shop.user,
        headers={**(ours if exchange == topology.DEAD else {}), **(headers or {})},
    )
    if message_id is None:
        message.message_id = ""
    async with administrator(shop) as channel:
        await (await channel.get_exchange(exchange, ensure=False)).publish(message, routing_key)


@pytest.mark.parametrize("command", ["show", "status", "doctor", "dead show", "dead discard"])
def test_every_command_explains_itself(command: str) -> None:
    ended = run(*command.split(), "--help")

    assert (ended.returncode, "Usage: orders" in ended.stdout) == (0, True)


# ---------------------------------------------------------------- show


async def test_an_order_is_found_by_its_id_its_number_and_the_message_id_that_asked_for_it(shop: Shop) -> None:
    worker = await shop.start_worker()
    reply = await shop.ask(EVERYTHING, message_id="mine")
    worker.stop()  # it marks as published what it has published
    [order] = await shop.fetch("SELECT order_number FROM orders WHERE id = $1", reply["orderid"])

    by_message_id, by_id, by_number = [
        await told(shop, "show", reference) for reference in ("mine", str(reply["orderid"]), order["order_number"])
    ]

    assert by_message_id["requests"] == by_id["requests"] == by_number["requests"]
    [request] = by_id["requests"]
    assert (request["message_id"], request["caller"]) == ("mine", f"publisher:{shop.user}")
    assert (request["ending"], request["deliveries"], request["reply"]) == ("placed", 1, reply)
    assert [event["type"] for event in request["events"]] == [
        "order.added",
        "email.invoice-created",
        "email.order-confirmation",
    ]
    assert request["order"]["id"] == reply["orderid"]
    assert {table: len(rows) for table, rows in request["order"].items() if isinstance(rows, list)} == {
        "order": 1,
        "services": 2,
        "service_addons": 3,
        "domains": 1,
        "renewals": 1,
        "invoices": 1,
        "invoice_lines": len(request["order"]["invoice_lines"]),
    }
    assert request["order"]["invoices"][0]["total"] == request["order"]["order"][0]["amount"]


async def test_an_order_is_shown_whole_within_80_columns_and_an_event_on_one_line(shop: Shop) -> None:
    await shop.start_worker()
    reply = await shop.ask(EVERYTHING, message_id="mine")

    ended = await orders(shop, "show", "mine")

    lines = await at_80_columns(shop, "show", "mine")
    assert max(map(len, lines)) <= COLUMNS
    for heading in ("services", "addons", "domains", "renewals", "invoice", "invoice lines"):
        assert any(line.strip().startswith(heading) for line in lines), heading
    assert sum(" email.invoice-created " in line for line in lines) == 1
    assert f"placed {reply['orderid']}" not in ended.stdout
    assert f", order {reply['orderid']}" in ended.stdout
    assert ended.stderr == ""


async def test_options_and_custom_fields_are_shown_by_their_names_and_no_value_of_a_field(shop: Shop) -> None:
    await shop.start_worker()
    filled_in = base64.b64encode(f'a:1:{{i:1;s:{len(SECRET)}:"{SECRET}";}}'.encode()).decode()
    chosen = base64.b64encode(b"a:1:{i:1;i:999;}").decode()
    body = {**ONE_SERVICE, "pid": [1], "customfields": [filled_in], "configoptions": [chosen]}
    await shop.ask(body, message_id="mine")

    shown, found = await orders(shop, "show", "mine"), await told(shop, "show", "mine")

    [service] = found["requests"][0]["order"]["services"]
    assert service["custom_fields"] == ["How did you find us"]
    options = {option["name"]: (option["choice"], option["quantity"]) for option in service["options"]}
    assert options == {"Disk space": ("5 GB", 1), "Daily backup": (None, 0), "Extra mailboxes": ("Mailbox", 0)}
    assert "Disk space 5 GB; filled in: How did you find us" in shown.stdout
    assert SECRET not in shown.stdout + json.dumps(found)


async def test_a_message_id_of_two_callers_shows_both_requests(shop: Shop) -> None:
    await shop.start_worker()
    await shop.ask(ONE_SERVICE, message_id="mine")
    fields = {name: str(value) for name, value in ONE_SERVICE.items()}
    await shop.ask(form(fields), content_type=wire.FORM, message_id="mine")
    await shop.ask(ONE_SERVICE, message_id="mine")

    found = await told(shop, "show", "mine")

    assert [(one["caller"], one["credential"], one["deliveries"]) for one in found["requests"]] == [
        (f"publisher:{shop.user}", None, 2),
        ("credential:1", "IDENT", 1),
    ]


async def test_a_rejected_request_shows_why_and_its_dead_letter(shop: Shop) -> None:
    await shop.start_worker()
    await shop.ask(UNKNOWN_METHOD, message_id="mine")
    await shop.dead_letters()

    found, shown = await told(shop, "show", "mine"), await orders(shop, "show", "mine")

    [request], [letter] = found["requests"], found["dead_letters"]
    assert (request["ending"], request["reply"]["code"]) == ("rejected", "invalid_payment_method")
    assert request["order"] is None
    assert [event["type"] for event in request["events"]] == ["order.rejected"]
    assert (letter["reason"], letter["body"]["parameters"]["paymentmethod"]) == ("rejected", "bitcoin")
    assert "orders dead show mine" in shown.stdout


async def test_a_request_that_could_not_be_read_is_found_among_the_dead_letters_alone(shop: Shop) -> None:
    await shop.start_worker()
    await shop.ask(b"{", message_id="mine")
    await shop.dead_letters()

    found = await told(shop, "show", "mine")

    assert found["requests"] == []
    assert [letter["reason"] for letter in found["dead_letters"]] == ["malformed"]


async def test_a_command_under_an_unknown_routing_key_is_found_too(shop: Shop) -> None:
    await put(shop, ONE_SERVICE, exchange=topology.COMMANDS, routing_key="invoice.pay")

    found = await told(shop, "show", "m")

    assert [(letter["queue"], letter["routing_key"]) for letter in found["dead_letters"]] == [
        ("orders.unrouted", "invoice.pay")
    ]


async def test_that_events_are_not_confirmed_yet_is_said(shop: Shop) -> None:
    worker = await shop.start_worker()
    await shop.ask(ONE_SERVICE, message_id="mine")
    worker.stop()

    published = await told(shop, "show", "mine")
    await shop.database.execute("UPDATE answers SET published_at = NULL")
    unpublished = await orders(shop, "show", "mine")

    assert published["requests"][0]["published_at"] is not None
    assert "not confirmed by the broker yet" in unpublished.stdout


async def test_an_order_that_did_not_come_through_the_queue_is_shown(shop: Shop) -> None:
    ended = await orders(shop, "show", "1000000001")

    assert "this order did not come through the queue" in ended.stdout
    assert ended.returncode == 0


async def test_what_is_found_nowhere_is_said_in_a_sentence(shop: Shop) -> None:
    ended = await orders(shop, "show", "[red]no such id", "--json")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: no order, no request and no dead letter is called [red]no such id. ")
    assert len(ended.stderr.splitlines()) == 1


async def test_without_the_dead_letters_the_order_is_shown_all_the_same(shop: Shop) -> None:
    unset = await orders(shop, "show", "1", without="ORDERS_AMQP_URL")
    away = await orders(shop, "show", "1", ORDERS_AMQP_URL=NOBODY)
    async with shop.operating():
        locked = await orders(shop, "show", "1")

    assert [ended.returncode for ended in (unset, away, locked)] == [0, 0, 0]
    assert unset.stderr == "note: the dead letters were not looked into: ORDERS_AMQP_URL is not set\n"
    assert away.stderr.startswith("note: the dead letters were not looked into: RabbitMQ at ORDERS_AMQP_URL does not")
    assert "note: somebody works on the dead letters: what they have in hand is not shown" in locked.stderr


async def test_who_may_not_read_the_dead_letters_is_told_so(shop: Shop) -> None:
    _need_users(shop)

    ended = await orders(shop, "show", "1", **shop.storefront_environment)

    assert ended.returncode == 0
    assert "note: orders.dead was not looked into: this user may not read it\n" in ended.stderr


async def test_an_identifier_is_shown_only_where_it_is_a_credentials_in_force(shop: Shop) -> None:
    await shop.start_worker()
    for identifier in ("IDENT", SECRET):
        body = {"identifier": identifier, "secret": "no", **ONE_SERVICE}
        await shop.ask(body, message_id=f"of-{len(identifier)}")
    await shop.dead_letters(2)

    of_known, of_unknown = await orders(shop, "dead", "show", "of-5"), await orders(shop, "dead", "show", "of-15")
    traced = await told(shop, "show", "of-15")
    without = await orders(shop, "dead", "show", "of-5", without="ORDERS_POSTGRES_URL")

    assert re.search(r"identifier +IDENT\n", of_known.stdout)
    assert re.search(r"identifier +•••\n", of_unknown.stdout)
    assert re.search(r"identifier +•••\n", without.stdout)
    assert SECRET not in of_unknown.stdout + json.dumps(traced)


async def test_show_names_every_fault_of_a_dead_letter(shop: Shop) -> None:
    await shop.start_worker()
    faulty = {"clientid": 1, "pid": [7], "paymentmethod": "paypal", "billingcycle": ["often"], "regperiod": ["x"]}
    await shop.ask(faulty, message_id="faulty")
    await shop.dead_letters(1)

    shown, as_json = await orders(shop, "show", "faulty"), await told(shop, "show", "faulty")

    [letter] = as_json["dead_letters"]
    codes = [fault["code"] for fault in letter["faults"]]
    assert sorted(codes) == ["cycle_invalid", "number_invalid"]
    assert all(f"{code}: " in shown.stdout for code in codes)


async def test_a_list_as_json_is_no_longer_than_what_is_asked_for(shop: Shop) -> None:
    for number in range(3):
        await put(shop, ONE_SERVICE, message_id=f"m-{number}", headers={"x-orders-died-at": f"2026-01-0{number + 1}"})
    await shop.dead_letters(3)

    oldest, every = (
        await orders(shop, "dead", "list", "--json", "--limit", "1"),
        await orders(shop, "dead", "list", "--json"),
    )

    assert [json.loads(line)["message_id"] for line in oldest.stdout.splitlines()] == ["m-0"]
    assert len(every.stdout.splitlines()) == 3


# ---------------------------------------------------------------- status


async def test_status_counts_queues_consumers_unfinished_answers_and_orders(shop: Shop) -> None:
    worker = await shop.start_worker()
    reply = await shop.ask(ONE_SERVICE)
    await shop.ask(UNKNOWN_METHOD)
    await shop.dead_letters()
    while_working = await told(shop, "status")
    worker.stop()
    await shop.database.execute("UPDATE answers SET published_at = NULL, answered_at = now() - interval '90 seconds'")
    await shop.publish(ONE_SERVICE)

    state, shown = await told(shop, "status"), await orders(shop, "status")

    queues = {queue["name"]: queue for queue in state["rabbitmq"]["queues"]}
    assert list(queues) == [queue.name for queue in topology.QUEUES]
    assert (queues["orders.requests"]["ready"], queues["orders.dead"]["ready"]) == (1, 1)
    consumers = [one["consumers"] for one in while_working["rabbitmq"]["queues"] if one["name"] == "orders.requests"]
    assert (consumers, queues["orders.requests"]["consumers"]) == ([1], 0)
    postgres = state["postgres"]
    assert (postgres["unpublished"], postgres["orders_last_minute"], postgres["orders_last_hour"]) == (2, 1, 1)
    assert 90 <= postgres["oldest_unpublished_seconds"] < 120
    assert postgres["last_order"]["id"] == reply["orderid"]
    assert postgres["schema"] == revisions.REVISIONS[-1]
    assert postgres["catalogue_version"] >= 2
    assert max(map(len, await at_80_columns(shop, "status"))) <= COLUMNS
    assert "nobody: start a worker" in shown.stdout
    assert "2 answers not published yet, the oldest for " in shown.stdout


async def keep_unsent(shop: Shop) -> None:
    """Let the broker not have taken two events of a type and a dead letter."""
    kept = [Unsent(f"e-{n}", Kind.EVENT, "order.added", b"{}") for n in range(2)]
    async with shop.database.acquire() as connection:
        await unsent.keep(connection, [*kept, Unsent("l-1", Kind.LETTER, topology.DEAD, b"x")])
    await shop.database.execute("UPDATE unsent SET since = now() - interval '3 minutes', tried_at = now(), tries = 9")


async def test_status_names_what_the_broker_does_not_take_and_how_many(shop: Shop) -> None:
    await keep_unsent(shop)

    state, shown = await told(shop, "status"), await orders(shop, "status")

    kept = [(one["kind"], one["destination"], one["count"]) for one in state["postgres"]["unsent"]]
    assert kept == [("event", "order.added", 2), ("letter", "orders.dead", 1)]
    assert all(180 <= one["oldest_seconds"] < 240 for one in state["postgres"]["unsent"])
    assert "not taken   2 events order.added, the oldest for 3 min\n" in shown.stdout
    assert "            1 dead letter for orders.dead, the oldest for 3 min\n" in shown.stdout


async def test_the_doctor_names_what_the_broker_does_not_take_and_how_many(shop: Shop) -> None:
    takes = "is full, refuses or confirms nothing"
    well = await told(shop, "doctor")
    await keep_unsent(shop)

    findings = await told(shop, "doctor")

    assert level_of(well, "unsent") == {"ok"}
    assert level_of(findings, "unsent") == {"warning", "wrong"}
    assert says_of(findings, "unsent").splitlines() == [
        f"2 events order.added are kept, the oldest for 3 min: a queue that is bound to orders.events under it {takes}",
        f"1 dead letter for orders.dead is kept, the oldest for 3 min: the queue {takes}",
    ]


async def test_the_doctor_names_publishers_whose_replies_go_nowhere(shop: Shop) -> None:
    await shop.start_worker()
    for reply_to in ("answers.of.mine", "reply.mine"):
        asked = await shop.publish(UNKNOWN_METHOD, reply_to=reply_to)
        await shop.until_events(asked.message_id or "", "order.rejected")
    await shop.dead_letters(2)

    findings = await told(shop, "doctor", "--as", "operator")

    assert level_of(findings, "replies") == {"warning"}
    says = f"{shop.user} asks for replies to answers.of.mine, where ORDERS_REPLY_QUEUES lets none go: nobody hears them"
    assert says_of(findings, "replies") == says


async def test_status_of_a_shop_without_orders_has_no_last_one(shop: Shop) -> None:
    state, shown = await told(shop, "status"), await orders(shop, "status")

    assert (state["postgres"]["last_order"], state["postgres"]["orders_last_hour"]) == (None, 0)
    assert "none yet" in shown.stdout


async def test_status_with_one_server_away_shows_the_other_and_fails(shop: Shop) -> None:
    no_broker = await orders(shop, "status", ORDERS_AMQP_URL=NOBODY)
    no_database = await orders(shop, "status", ORDERS_POSTGRES_URL=NO_DATABASE)
    as_json = await orders(shop, "status", "--json", ORDERS_POSTGRES_URL=NO_DATABASE)

    assert [ended.returncode for ended in (no_broker, no_database, as_json)] == [1, 1, 1]
    assert ("catalogue" in no_broker.stdout, "orders.requests" in no_broker.stdout) == (True, False)
    assert no_broker.stderr.startswith("note: RabbitMQ at ORDERS_AMQP_URL does not answer or refuses")
    assert ("catalogue" in no_database.stdout, "orders.requests" in no_database.stdout) == (False, True)
    assert no_database.stderr.startswith("note: Postgres at ORDERS_POSTGRES_URL does not answer or refuses")
    assert "does not answer" in json.loads(as_json.stdout)["postgres"]["error"]


async def test_status_of_the_one_server_that_is_set_is_no_failure(shop: Shop) -> None:
    ended = await orders(shop, "status", without="ORDERS_POSTGRES_URL")

    assert (ended.returncode, ended.stderr) == (0, "note: ORDERS_POSTGRES_URL is not set\n")


async def test_status_of_a_database_without_tables_names_the_mend(shop: Shop, database_url: str) -> None:
    ended = await orders(shop, "status", ORDERS_POSTGRES_URL=database_url)

    assert (ended.returncode, "run `orders migrate`" in ended.stderr) == (1, True)


def test_status_without_any_server_is_wrong_use() -> None:
    assert run("status").returncode == 2


# ---------------------------------------------------------------- doctor


async def test_the_doctor_finds_nothing_wrong_and_leaves_no_trace(shop: Shop) -> None:
    await shop.start_worker()

    ended = await orders(shop, "doctor", "--as", "worker", **shop.worker_environment)
    findings = await told(shop, "doctor", "--as", "operator")

    assert ended.returncode == 0, ended.stdout
    assert max(map(len, await at_80_columns(shop, "doctor", "--as", "worker", **shop.worker_environment))) <= COLUMNS
    assert findings["ok"], findings
    assert {finding["check"] for finding in findings["checks"]} == {
        "settings", "publishers", "Postgres", "clock", "durability", "collation",
        "connections", "schema", "catalogue", "RabbitMQ",
        "topology", "rights", "consumers", "unsent", "bindings", "writes", "shop",
    }  # fmt: skip
    assert shop.events == []
    assert [await shop.waiting(queue.name) for queue in topology.QUEUES] == [0] * len(topology.QUEUES)


async def test_the_doctor_takes_the_role_from_the_name_of_the_user(shop: Shop) -> None:
    _need_users(shop)

    findings = await told(shop, "doctor", **shop.storefront_environment)

    assert says_of(findings, "rights") == "all that a storefront needs"


async def test_the_doctor_names_every_right_that_is_missing(shop: Shop) -> None:
    _need_users(shop)

    worker = await told(shop, "doctor", "--as", "worker", **shop.storefront_environment)
    operator = await told(shop, "doctor", "--as", "operator", **shop.storefront_environment)

    assert says_of(worker, "rights") == (
        "it may not publish to orders.dead, orders.events, orders.retry.5s, orders.retry.1m, orders.retry.10m, "
        "amq.default\n"
        "it may not read orders.requests, orders.suspects, orders.shop, orders.placed"
    )
    assert says_of(operator, "rights") == (
        "it may not publish to orders.unrouted, orders.dead, orders.shop\n"
        "it may not read orders.unrouted, orders.dead, orders.shop, orders.placed\n"
        "it lacks the tag `impersonator`: copies and replays keep the user_id of who published first\n"
        "it may not declare orders.operators-lock, by which operators keep out of each other's way"
    )


async def test_the_doctor_misses_workers(shop: Shop) -> None:
    await shop.publish(ONE_SERVICE)

    ended = await orders(shop, "doctor", "--as", "operator")

    assert ended.returncode == 1
    assert "wrong    consumers   nobody consumes orders.requests; 1 wait" in ended.stdout
    assert "Start one: `orders worker`." in ended.stdout


async def test_the_doctor_misses_tables_and_then_a_catalogue(shop: Shop, database_url: str) -> None:
    without_tables = await told(shop, "doctor", ORDERS_POSTGRES_URL=database_url)
    await migrate.migrate(database_url)
    without_catalogue = await told(shop, "doctor", ORDERS_POSTGRES_URL=database_url)

    assert "run `orders migrate`" in says_of(without_tables, "schema")
    assert level_of(without_tables, "catalogue") == set()
    assert level_of(without_catalogue, "schema") == {"ok"}
    assert says_of(without_catalogue, "catalogue") == "it has no currencies and no active payment methods"


async def test_the_doctor_names_a_variable_that_says_otherwise_than_the_shop(shop: Shop) -> None:
    await shop.database.execute("UPDATE catalogue SET tax = 'exclusive'")

    agreeing = await told(shop, "doctor", ORDERS_TAX="exclusive", ORDERS_INVOICE_GRACE_DAYS="14")
    findings = await told(shop, "doctor", ORDERS_TAX="inclusive")

    assert level_of(agreeing, "settings") <= {"ok", "warning"}
    assert (
        says_of(findings, "settings")
        .splitlines()[-1]
        .startswith("ORDERS_TAX is inclusive, and the shop's own setting `tax` is exclusive: ")
    )


async def test_the_doctor_notices_that_commits_are_not_durable(shop: Shop) -> None:
    database = await shop.database.fetchval("SELECT current_database()")
    await shop.database.execute(f'ALTER DATABASE "{database}" SET synchronous_commit = off')

    findings = await told(shop, "doctor")

    assert level_of(findings, "durability") == {"wrong"}
    assert "synchronous_commit=off: a power cut can lose orders" in says_of(findings, "durability")


async def test_the_doctor_notices_that_the_order_of_text_has_moved_under_the_indexes(shop: Shop) -> None:
    name = await shop.database.fetchval("SELECT current_database()")
    await shop.database.execute("UPDATE pg_database SET datcollversion = '0.9' WHERE datname = $1", name)

    findings = await told(shop, "doctor")

    [finding] = [one for one in findings["checks"] if one["check"] == "collation"]
    assert finding["level"] == "warning"
    assert f"the collation of database {name} is of release " in finding["says"]
    assert "built by 0.9" in finding["says"]
    fix = f"REINDEX DATABASE {name}; ALTER DATABASE {name} REFRESH COLLATION VERSION;"
    assert finding["fix"] == f"In psql, after `orders migrate`: {fix}"


async def test_the_doctor_names_a_queue_that_is_missing_and_one_that_differs(shop: Shop) -> None:
    administrators = {**shop.environment, "ORDERS_AMQP_URL": shop.logins.administrator}
    try:
        async with administrator(shop) as channel:
            await channel.queue_delete("orders.retry.5s")
            missing = await told(shop, "doctor", **administrators)
            await channel.declare_queue("orders.retry.5s", durable=True, arguments={"x-queue-type": "quorum"})
            differs = await told(shop, "doctor", **administrators)
    finally:
        async with connect(shop.logins.administrator, "orders tests") as connection:
            async with connection.channel() as channel:
                await channel.queue_delete("orders.retry.5s")
            await apply_topology(connection)

    assert "orders.retry.5s: does not exist" in says_of(missing, "topology")
    assert (level_of(differs, "topology"), differs["ok"]) == ({"wrong"}, False)
    assert "inequivalent arg 'x-" in says_of(differs, "topology")


async def test_the_doctor_goes_on_when_a_server_is_away(shop: Shop) -> None:
    no_broker = await told(shop, "doctor", ORDERS_AMQP_URL=NOBODY)
    no_database = await told(shop, "doctor", ORDERS_POSTGRES_URL=NO_DATABASE)

    assert (level_of(no_broker, "RabbitMQ"), level_of(no_broker, "schema")) == ({"wrong"}, {"ok"})
    assert (level_of(no_database, "Postgres"), level_of(no_database, "RabbitMQ")) == ({"wrong"}, {"ok"})


def test_the_doctor_names_settings_that_are_missing_or_misspelt_without_a_password() -> None:
    broken = f"amqp://orders:{SECRET}/x@host/"
    missing, misspelt = run("doctor", "--json"), run("doctor", ORDERS_AMQP_ULR="x")
    unreadable = run("doctor", ORDERS_AMQP_URL=broken, ORDERS_POSTGRES_URL=broken.replace("amqp", "postgresql"))

    assert [ended.returncode for ended in (missing, misspelt, unreadable)] == [1, 1, 1]
    assert "ORDERS_SECRET_KEYS is not set" in says_of(json.loads(missing.stdout), "settings")
    assert "ORDERS_AMQP_URL is not set" in says_of(json.loads(missing.stdout), "RabbitMQ")
    assert "did you mean ORDERS_AMQP_URL?" in " ".join(misspelt.stdout.split())
    assert "ORDERS_AMQP_URL: it cannot be read" in unreadable.stdout
    assert SECRET not in unreadable.stdout + unreadable.stderr


async def test_the_doctor_misses_a_key_under_which_something_is_encrypted_or_signed(shop: Shop) -> None:
    worker = await shop.start_worker()
    transfer = {"clientid": 1, "domain": "move.com", "domaintype": "transfer", "eppcode": SECRET}
    await shop.ask({**transfer, "paymentmethod": "paypal"})
    worker.stop()
    settings = {**shop.worker_environment, "ORDERS_SECRET_KEYS": "another-key-of-the-tests-which-is-no-secret"}
    both = {**settings, "ORDERS_SECRET_KEYS": f"{settings['ORDERS_SECRET_KEYS']},{SECRET_KEY}"}

    well = await told(shop, "doctor", "--as", "worker", **shop.worker_environment)
    lost = await told(shop, "doctor", "--as", "worker", **settings)
    rotated = await told(shop, "doctor", "--as", "worker", **both)
    await shop.database.execute("UPDATE domains SET epp_code_encrypted = NULL")
    unsigned = await told(shop, "doctor", "--as", "worker", **settings)

    assert says_of(well, "keys") == says_of(rotated, "keys") == "secrets that were tried, and can be opened: 1"
    assert (level_of(lost, "keys"), lost["ok"]) == ({"wrong"}, False)
    assert "of 1 secrets that were tried, 1 are under a key that ORDERS_SECRET_KEYS does not" in says_of(lost, "keys")
    assert "the newest request was signed with a key" in says_of(unsigned, "keys")


async def test_the_doctor_suspects_a_misspelt_publisher(shop: Shop) -> None:
    misspelt = {"ORDERS_TRUSTED_PUBLISHERS": f"{shop.user}s, somebody"}
    await shop.start_worker(**misspelt)
    await shop.ask(ONE_SERVICE)
    await shop.dead_letters()

    findings = await told(shop, "doctor", "--as", "operator", **misspelt)
    right = await told(shop, "doctor", "--as", "operator")

    assert level_of(findings, "trust") == {"warning"}
    says = f"requests of {shop.user} were refused; ORDERS_TRUSTED_PUBLISHERS names {shop.user}s: one is misspelt"
    assert says_of(findings, "trust") == says
    assert level_of(right, "trust") == set()


@pytest.mark.parametrize(("seconds", "level"), [(0, "ok"), (5, "ok"), (-5, "ok"), (6, "warning"), (-86_400, "warning")])
def test_clocks_more_than_five_seconds_apart_are_a_warning(seconds: int, level: str) -> None:
    assert clock(timedelta(seconds=seconds)).level is Level(level)


# ---------------------------------------------------------------- dead letters


async def test_a_dead_letter_is_shown_with_its_headers_in_words_and_its_body_readable(shop: Shop) -> None:
    await shop.start_worker()
    custom = base64.b64encode(b'a:1:{i:7;s:6:"Google";}').decode()
    body = {**UNKNOWN_METHOD, "pid": [7, 1], "customfields": [custom], "domain": ["secretgarden.com"]}
    await shop.ask(body, message_id="mine", headers={"mine": {"deep": 7}})
    await shop.dead_letters()

    shown, letter = await orders(shop, "dead", "show", "mine"), await told(shop, "dead", "show", "mine")

    assert letter["body"]["parameters"] == {
        "clientid": "1",
        "pid": {"0": "7", "1": "1"},
        "paymentmethod": "bitcoin",
        "customfields": {"0": {"7": "•••"}},
        "domain": {"0": "secretgarden.com"},
    }
    assert (letter["code"], letter["routing_key"], letter["publisher"]) == (
        "invalid_payment_method",
        "order.add",
        shop.user,
    )
    assert letter["headers"] == {"mine": {"deep": "•••"}}
    words = " ".join(shown.stdout.split())
    for part in (
        "reason rejected: the caller's fault; nothing was placed",
        "code invalid_payment_method",
        "message Invalid Payment Method. Valid options include paypal",
        "attempts none that failed",
        "replays none so far",
        "customfields[0][7] •••",
        "mine[deep] •••",
        "--unknown shows them",
    ):
        assert part in words, part
    asked_for = await orders(shop, "dead", "show", "mine", "--unknown")
    assert "mine[deep] 7" in " ".join(asked_for.stdout.split())
    assert (await told(shop, "dead", "show", "mine", "--unknown"))["headers"] == {"mine": {"deep": 7}}
    assert max(map(len, await at_80_columns(shop, "dead", "show", "mine"))) <= COLUMNS


async def test_the_same_dead_letter_twice_is_shown_once_and_another_of_its_message_id_too(shop: Shop) -> None:
    for body in (ONE_SERVICE, ONE_SERVICE, UNKNOWN_METHOD):
        await put(shop, body, message_id="mine")

    shown = await orders(shop, "dead", "show", "mine", "--json")

    letters = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [letter["body"]["parameters"]["paymentmethod"] for letter in letters] == ["paypal", "bitcoin"]


async def test_replaying_loses_none_of_the_messages_that_share_a_message_id(shop: Shop) -> None:
    for body in (ONE_SERVICE, ONE_SERVICE, UNKNOWN_METHOD):
        await put(shop, body, message_id="mine")
    for body in (ONE_SERVICE, UNKNOWN_METHOD):
        await put(shop, body, message_id=None)

    replayed = await orders(shop, "dead", "replay", "--all", "--no-dry-run")

    assert replayed.stderr.splitlines()[-1] == "4 replayed"
    assert (await shop.waiting(topology.REQUESTS), await shop.waiting(topology.DEAD)) == (4, 0)


async def test_of_a_body_that_cannot_be_decoded_and_names_a_secret_only_size_and_hash_are_shown(shop: Shop) -> None:
    await put(shop, b'{"password": "' + SECRET.encode())

    shown, letter = await orders(shop, "dead", "show", "m"), await told(shop, "dead", "show", "m")

    assert (letter["body"]["bytes"], len(letter["body"]["sha256"]), letter["body"]["parameters"]) == (29, 64, None)
    assert "not shown, because a secret is named in it" in " ".join(shown.stdout.split())
    assert SECRET not in shown.stdout


async def test_a_message_id_does_not_drive_the_terminal(shop: Shop) -> None:
    await put(shop, {"notes": "\x1b[2J"}, message_id="\x1b[31m[bold]:smile:")

    listed = await orders(shop, "dead", "list")
    shown = await orders(shop, "dead", "show", "\x1b[31m[bold]:smile:")
    missing = await orders(shop, "dead", "show", "\x1b[31m[bold]no")

    assert "\\x1b[31m[bold]:smile:" in listed.stdout
    assert "\\x1b[31m[bold]:smile:" in shown.stdout
    assert "\\x1b[31m[bold]no" in missing.stderr
    assert "\x1b" not in listed.stdout + shown.stdout + missing.stderr


async def test_a_discarded_message_is_shown_written_down_and_gone(shop: Shop) -> None:
    for message_id in ("first", "second", "second", "third"):
        await put(shop, {**ONE_SERVICE, "rootpw": SECRET}, message_id=message_id)

    ended = await orders(shop, "dead", "discard", "first", "second", "--why", "sent by a test", "--yes")

    assert (ended.returncode, ended.stdout.split()) == (0, ["first", "second"])
    assert not [line for line in ended.stderr.splitlines() if line.startswith("{")]
    assert "1 more lay there twice and was taken out" in ended.stderr
    lines = await shop.fetch("SELECT thing, why, details ->> 'fate' AS fate FROM audit WHERE run_id IS NOT NULL")
    told = [(line["thing"], line["why"], line["fate"]) for line in lines]
    assert sorted(told, key=str) == sorted(
        [
            *[(thing, "sent by a test", None) for thing in ("first", "second", "second")],
            ("first", "sent by a test", "done"),
            ("second", "sent by a test", "done"),
            ("second", "sent by a test", "double"),
        ],
        key=str,
    )
    assert SECRET not in ended.stdout + ended.stderr
    assert [letter.message_id for letter in await shop.dead_letters()] == ["third"]


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1), ("", 1)])
async def test_discarding_asks_first(shop: Shop, answer: str, left: int) -> None:
    await put(shop, ONE_SERVICE)

    ended = await orders(shop, "dead", "discard", "m", "--reason", "sent by a test", "--json", stdin=answer)

    assert "Discard this message?" in ended.stderr
    assert ended.returncode == left
    assert await shop.waiting(topology.DEAD) == left
    assert [json.loads(line)["message_id"] for line in ended.stdout.splitlines()] == ["m"] * (1 - left)


async def test_discarding_needs_a_reason_and_a_message_that_is_there(shop: Shop) -> None:
    without = await orders(shop, "dead", "discard", "m")
    blank = await orders(shop, "dead", "discard", "m", "--reason", " ")
    missing = await orders(shop, "dead", "discard", "m", "--reason", "sent by a test", "--yes")

    assert (without.returncode, blank.returncode, missing.returncode) == (2, 2, 1)
    assert "error: not among the dead letters: m" in missing.stderr


# ---------------------------------------------------------------- unrouted messages


async def test_a_command_that_nobody_takes_is_listed_shown_and_sent_on_under_a_right_key(shop: Shop) -> None:
    await put(shop, ONE_SERVICE, message_id="mine", exchange=topology.COMMANDS, routing_key="invoice.pay")
    await put(shop, UNKNOWN_METHOD, message_id="dead")

    listed = await told(shop, "dead", "list", "--queue", "unrouted")
    shown = await orders(shop, "dead", "show", "mine", "--queue", "unrouted")
    replayed = await orders(shop, "dead", "replay", "mine", "--queue", "unrouted", "--routing-key", "order.add")
    await shop.start_worker()
    await shop.until_events("mine", "order.added")

    assert (listed["message_id"], listed["reason"], listed["routing_key"]) == ("mine", "unrouted", "invoice.pay")
    assert "no queue takes invoice.pay" in shown.stdout
    assert replayed.stdout == "mine\n"
    assert (await shop.waiting(topology.UNROUTED), await shop.waiting(topology.DEAD)) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--queue", "unrouted", "--routing-key", "invoice.pay"), "no queue takes it"),
        (("--routing-key", "order"), "no queue takes it"),
    ],
)
async def test_a_replay_under_a_key_that_no_queue_takes_is_refused(
    shop: Shop, arguments: tuple[str, ...], words: str
) -> None:
    await put(shop, ONE_SERVICE, exchange=topology.COMMANDS, routing_key="invoice.pay")

    ended = await orders(shop, "dead", "replay", "m", *arguments)

    assert (ended.returncode, words in " ".join(ended.stderr.split())) == (2, True)
    assert await shop.waiting(topology.UNROUTED) == 1


async def test_an_unrouted_message_under_nobodys_key_is_skipped_where_none_is_given(shop: Shop) -> None:
    await put(shop, ONE_SERVICE, exchange=topology.COMMANDS, routing_key="invoice.pay")

    ended = await orders(shop, "dead", "replay", "m", "--queue", "unrouted")

    assert ended.returncode == 1
    assert "skipped m: no queue takes its routing key, invoice.pay" in ended.stderr
    assert await shop.waiting(topology.UNROUTED) == 1


async def test_an_unrouted_message_can_be_discarded(shop: Shop) -> None:
    await put(shop, ONE_SERVICE, exchange=topology.COMMANDS, routing_key="invoice.pay")

    elsewhere = await orders(shop, "dead", "discard", "m", "--reason", "sent by a test", "--yes")
    ended = await orders(shop, "dead", "discard", "m", "--queue", "unrouted", "--reason", "sent by a test", "--yes")

    assert "Another queue to look into: --queue unrouted" in elsewhere.stderr
    assert (ended.returncode, await shop.waiting(topology.UNROUTED)) == (0, 0)


async def test_a_dead_letter_can_be_sent_again_under_another_key(shop: Shop) -> None:
    await shop.start_worker()
    await put(shop, ONE_SERVICE, message_id="mine", headers={"x-orders-routing-key": "order.ad"})

    await orders(shop, "dead", "replay", "mine", "--routing-key", "order.add")

    assert await shop.until_events("mine", "order.added")


# ---------------------------------------------------------------- secrets

PLANTED: list[dict[str, Any]] = [
    {"clientid": 1, "pid": 5, "hostname": "a.example.com", "rootpw": SECRET, "paymentmethod": "paypal"},
    {
        "clientid": 1,
        "domain": "move.com",
        "domaintype": "transfer",
        "eppcode": SECRET,
        "paymentmethod": "paypal",
    },
    {"clientid": 1, "pid": [5], "rootpw": [SECRET], "eppcode": {"0": SECRET}, "paymentmethod": "bitcoin"},
    {"username": "admin", "password": SECRET, "clientid": 1},
    {"identifier": "IDENT", "SECRET": SECRET, "AccessKey": SECRET, "clientid": 1},
]


async def test_no_command_ever_shows_a_secret(shop: Shop) -> None:
    await shop.start_worker()
    for number, body in enumerate(PLANTED):
        await shop.ask(body, message_id=f"planted-{number}", headers={"password": SECRET})
    await shop.ask(b'{"rootpw": "' + SECRET.encode(), message_id="planted-5")
    await put(shop, PLANTED[0], message_id="planted-6", exchange=topology.COMMANDS, routing_key="invoice.pay")
    await shop.dead_letters(4)
    everyone = [f"planted-{number}" for number in range(7)]

    said = []
    for queue, there in (("dead", everyone[2:6]), ("unrouted", everyone[6:])):
        said += [await orders(shop, "dead", "list", "--queue", queue, *option) for option in ((), ("--json",))]
        for message_id in there:
            said.append(await orders(shop, "dead", "show", message_id, "--queue", queue))
            said.append(await orders(shop, "dead", "show", message_id, "--queue", queue, "--json"))
    for message_id in everyone:
        said += [await orders(shop, "show", message_id, *option) for option in ((), ("--json",))]
    said += [await orders(shop, *command.split()) for command in ("status", "doctor", "dead replay planted-2 --json")]
    said.append(await orders(shop, "dead", "discard", "planted-3", "--reason", "sent by a test", "--yes"))

    assert await shop.orders_placed() == 2
    assert sum("•••" in ended.stdout for ended in said) >= 8  # the secrets did lie there
    assert not any(SECRET in ended.stdout + ended.stderr for ended in said)


def _need_users(shop: Shop) -> None:
    if shop.logins.storefront == shop.logins.administrator:
        pytest.skip("this broker was given as it is, with one user")
