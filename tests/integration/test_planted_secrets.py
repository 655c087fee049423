"""Marked secrets in every field that may hold one, and nowhere afterwards: logs, messages, metrics, screens, tables.

Allowed are the bodies of messages that wait: the dead letter is what the caller sent, so that it can be replayed.
"""

import asyncio
import base64
import http.client
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import phpserialize
import pytest

from deploy.local.host import free_port
from deploy.local.servers import Servers
from repository import credentials, scratch
from repository.database import Database
from schemas import wire
from tests.encodings import as_form, as_json, as_php
from tests.integration.test_operator_commands import administrator
from tests.shop import PASSWORD, SECONDS_MAX, Shop, Worker
from worker.broker.headers import OURS
from worker.commands.events import line_of
from worker.key_ring import KeyRing

ENCODINGS = {"json": (as_json, wire.JSON), "form": (as_form, wire.FORM), "php": (as_php, wire.PHP)}
BROKEN = "broken"  # the name-server prefix with which a service cannot be written

# Runs every command of standard input in one process, because most of a command's time is its imports.
RUN_COMMANDS = """
import json, os, sys, traceback
from worker.__main__ import main
for line in sys.stdin:
    command = json.loads(line)
    os.environ.update(command["settings"])
    sys.argv = ["orders", *command["arguments"]]
    print("$", command["name"], flush=True)
    try:
        main()
    except SystemExit:
        pass
    except Exception:
        traceback.print_exc()
"""


# A day of all that on a busy machine; it is over in 20 seconds on an idle one.
pytestmark = pytest.mark.timeout(300)

# ---------------------------------------------------------------- marks


@dataclass
class Marks:
    """Random words and what each stands for."""

    meanings: dict[str, str] = field(default_factory=dict)

    def new(self, meaning: str) -> str:
        """Make a secret that is written differently in each encoding, around a word that is not."""
        word = f"m{secrets.token_hex(8)}"
        self.meanings[word] = meaning
        return f"{word} ä/&+%41"

    def known(self, meaning: str, word: str) -> str:
        """Look for a secret that somebody else has made."""
        self.meanings[word] = meaning
        return word

    def found_in(self, place: bytes) -> list[str]:
        """Name what is found, in whichever form."""
        lowered = place.lower()
        return sorted(
            meaning
            for word, meaning in self.meanings.items()
            if any(form in lowered for form in _forms(word.lower())) or any(form in place for form in _packed(word))
        )


def _forms(word: str) -> Iterator[bytes]:
    """Write a word as it is, in UTF-16, and in hex as Postgres shows bytes."""
    yield word.encode()
    yield word.encode("utf-16-le")
    yield word.encode().hex().encode()


def _packed(word: str) -> Iterator[bytes]:
    """Write what every base64 has of a word that stands somewhere in it: that depends on what stands before."""
    for before in range(3):
        packed = base64.b64encode(b"\0" * before + word.encode())
        inner = packed[(0, 2, 3)[before] : len(packed) // 4 * 4 - 4]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


# ---------------------------------------------------------------- what is planted


def whole(marks: Marks, about: str) -> dict[str, Any]:
    """Ask for a server, a product with a password of its own and a transfer, with a secret wherever one may be."""

    def secret(where: str) -> str:
        return marks.new(f"{where}, {about}")

    return {
        "clientid": 1,
        "paymentmethod": "paypal",
        "pid": {0: 5, 1: 20},
        "hostname": {0: "host.example.com"},
        "rootpw": {0: secret("rootpw")},
        "customfields": {1: {"201": "A site", "204": secret("custom field of type password")}},
        "domain": {2: "transfer-me.com"},
        "domaintype": {2: "transfer"},
        "eppcode": {2: secret("eppcode")},
        "accesskey": secret("accesskey"),
        # What nobody here knows, or not under this name.
        "Password2": secret("Password2"),
        "OLD_PASSWORD": secret("OLD_PASSWORD"),
        "client_secret": secret("client_secret"),
        "client": {"password": secret("client[password]"), "EppCode": secret("client[EppCode]")},
    }


def bodies(marks: Marks, ending: str, **others: Any) -> Iterator[tuple[str, bytes, str]]:
    for name, (encoded, content_type) in ENCODINGS.items():
        message_id = f"{ending}-{name}"
        yield message_id, encoded({**whole(marks, message_id), **others}), content_type


def unfit(marks: Marks) -> dict[str, tuple[bytes, str]]:
    """Write requests that come to nothing, by message_id."""
    new = marks.new

    def json_of(**parameters: Any) -> bytes:
        return json.dumps({"clientid": 1, "pid": 7, "paymentmethod": "paypal", **parameters}).encode()

    def php_of(name: str, value: bytes) -> bytes:
        return b'a:1:{s:%d:"%s";%s}' % (len(name), name.encode(), value)

    return {
        "wrong-password": (json_of(username="admin", password=new("a wrong password")), wire.JSON),
        "wrong-secret": (json_of(IDENTIFIER="IDENT", Secret=new("a wrong secret")), wire.JSON),
        "secret-twice": (f"secret={new('a first secret')}&secret={new('a second secret')}".encode(), wire.FORM),
        "too-long": (json_of(rootpw=[new("rootpw that is too long") * 20]), wire.JSON),
        "too-deep": (json_of(eppcode=[[new("eppcode in an array")]]), wire.JSON),
        "not-serialized": (json_of(customfields=[new("custom fields that are no map")]), wire.JSON),
        "custom-password-refused": (
            as_json({"clientid": 1, "pid": {0: 20}, "customfields": {0: {"204": new("password of a refused field")}}}),
            wire.JSON,
        ),
        "in-a-name": (json_of(pid="x", **{f"password={new('password in a name')}": ""}), wire.JSON),
        "cut-short": (json_of(rootpw=new("rootpw, cut short"))[:-1], wire.JSON),
        "not-utf8": (b"notes=%FF&rootpw=" + new("rootpw beside bytes").encode(), wire.FORM),
        "an-object": (php_of("rootpw", b'O:%d:"%s":0:{}' % (26, new("rootpw, an object").encode())), wire.PHP),
        "utf-16": (json_of(rootpw=new("rootpw in UTF-16")).decode().encode("utf-16"), wire.JSON),
        "wrong-type": (json_of(rootpw=new("rootpw of another type")), "application/xml"),
    }


# ---------------------------------------------------------------- the day that is searched


@dataclass
class Day:
    """What a day with planted secrets has left behind, by place."""

    marks: Marks = field(repr=False)
    places: dict[str, bytes] = field(repr=False)


@pytest.fixture(scope="module")
async def day(servers: Servers, template: str, amqp_url: str) -> AsyncIterator[Day]:
    name = f"orders_test_planted_{secrets.token_hex(4)}"
    url = await scratch.clone(servers.postgres_url, name, template)
    marks = Marks()
    try:
        async with Shop.open(_with_password(url, marks), amqp_url) as shop:
            yield await live(shop, marks)
    finally:
        await scratch.drop(servers.postgres_url, name)


def _with_password(url: str, marks: Marks) -> str:
    """Give the URL a password: ours asks for none, and takes any."""
    address = urlsplit(url)
    if address.password:
        marks.known("password of ORDERS_POSTGRES_URL", address.password)
        return url
    password = marks.new("password of ORDERS_POSTGRES_URL").partition(" ")[0]
    return address._replace(netloc=address.netloc.replace("@", f":{password}@")).geturl()


async def live(shop: Shop, marks: Marks) -> Day:
    """Let every planted secret go every way, and collect what can be seen of it."""
    if f":{PASSWORD}@" in shop.logins.worker:
        marks.known("password of ORDERS_AMQP_URL", PASSWORD)
    keys = [marks.new(f"{which} of ORDERS_SECRET_KEYS").partition(" ")[0] * 2 for which in ("first", "second")]
    await shop.database.execute(f"ALTER TABLE services ADD CHECK (ns1_prefix <> '{BROKEN}')")
    port = free_port(1)
    pair = await _make_credential(shop, marks)
    worker = await shop.start_worker(ORDERS_SECRET_KEYS=",".join(keys), ORDERS_HTTP_PORT=str(port))

    sealing = KeyRing([key.encode() for key in keys])
    replies, dead = await _ask_everything(shop, worker, pair, marks, sealing)
    metrics = await asyncio.to_thread(_metrics, port)
    retried = await _peek(shop, "orders.retry.10m")
    assert len(retried) == len(ENCODINGS)
    letters = await shop.dead_letters(len(dead))
    said = await asyncio.to_thread(_run_commands, shop, dead, marks)
    await asyncio.to_thread(worker.stop)
    places = {
        "the worker's log": worker.words.encode(),
        "replies": b"\n".join(replies),
        "events": b"\n".join(event.raw for event in shop.events),
        "headers of dead letters": _headers(letter.delivery.properties.headers for letter in letters),
        "headers of delayed messages": _headers(retried),
        "metrics": metrics,
        "screens": said + "\n".join(line_of(event.raw).plain for event in shop.events).encode(),
        "tables": await _tables(shop),
    }
    return Day(marks, places)


async def _ask_everything(
    shop: Shop, worker: Worker, pair: tuple[str, str], marks: Marks, keys: KeyRing
) -> tuple[list[bytes], list[str]]:
    """Send all there is. Returns the replies, and the message ids of what became a dead letter."""
    identifier, secret = pair
    external = {
        "form": {"identifier": identifier, "secret": secret},
        "php": {"username": identifier, "password": secret},
    }
    hidden = {"password": marks.new("password in a header")}
    placed, refused, failed = [], [], []
    for message_id, body, content_type in bodies(marks, "placed"):
        placed.append(await shop.publish(body, message_id=message_id, content_type=content_type))
    for name, parameters in external.items():
        encoded, content_type = ENCODINGS[name]
        body = encoded({**whole(marks, f"by a credential, {name}"), **parameters})
        for _ in range(2):  # a repeat is answered from what is remembered
            message_id = f"external-{name}"
            one = await shop.publish(body, message_id=message_id, content_type=content_type, trusted=False)
            placed.append(one)
    for message_id, body, content_type in bodies(marks, "rejected", paymentmethod="bitcoin"):
        refused.append(await shop.publish(body, message_id=message_id, content_type=content_type, headers=hidden))
    for message_id, (body, content_type) in unfit(marks).items():
        refused.append(await shop.publish(body, message_id=message_id, content_type=content_type))
    for message_id, body, content_type in bodies(marks, "failed", ns1prefix={1: BROKEN}):
        how = {"x-orders-attempts": 3}  # all but the last
        failed.append(await shop.publish(body, message_id=message_id, content_type=content_type, notes=how, keys=keys))
    for message_id, body, content_type in bodies(marks, "delayed", ns1prefix={1: BROKEN}):
        how = {"x-orders-attempts": 2}  # so that it does not come back meanwhile
        await shop.publish(body, message_id=message_id, content_type=content_type, notes=how, keys=keys)

    accepted = [await shop.reply(one) for one in placed]
    denied = [await shop.reply(one) for one in refused]
    assert all(b'"success"' in reply for reply in accepted)
    assert not any(b'"success"' in reply for reply in denied)
    for one in failed:
        await shop.until_events(one.message_id or "", "order.failed")
    await shop.until(lambda: sum(line["event"] == "order.retried" for line in worker.log) == len(ENCODINGS))
    return accepted + denied, [one.message_id or "" for one in refused + failed]


async def _make_credential(shop: Shop, marks: Marks) -> tuple[str, str]:
    async with Database(shop.environment["ORDERS_POSTGRES_URL"]) as database, database.transaction() as connection:
        made = await credentials.add(connection, ["addorder"], "planted")
    return made.identifier, marks.known("the secret of a credential", made.secret)


def _metrics(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)
    connection.request("GET", "/metrics")
    with connection.getresponse() as response:
        return response.read()


async def _peek(shop: Shop, queue: str) -> list[Mapping[str, Any]]:
    """Look at the headers of what waits in a queue; closing the channel gives it back."""
    headers: list[Mapping[str, Any]] = []
    async with administrator(shop) as channel:
        waiting = await channel.get_queue(queue, ensure=False)
        while message := await waiting.get(fail=False):
            headers.append(message.headers)
    return headers


def _headers(found: Iterator[Mapping[str, Any]] | list[Mapping[str, Any]]) -> bytes:
    """Write out the headers that are ours; the publisher's own are the publisher's message."""
    ours = [{name: value for name, value in headers.items() if name.startswith(OURS)} for headers in found]
    assert all(ours)
    return json.dumps(ours, ensure_ascii=False).encode()


async def _tables(shop: Shop) -> bytes:
    """Write out every row of every table."""
    named = await shop.fetch("SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'")
    rows = [
        row["row"]
        for table in named
        for row in await shop.fetch(f"SELECT whole::text AS row FROM {table['name']} AS whole")
    ]
    assert len(rows) > 100
    return "\n".join(rows).encode()


def _run_commands(shop: Shop, dead: list[str], marks: Marks) -> bytes:
    """Run whatever shows something, as the operator; return all that was printed."""
    commands: list[tuple[str, list[str], dict[str, str]]] = []

    def add(*arguments: str, **settings: str) -> None:
        commands.append((" ".join(arguments[:2]), list(arguments), {**shop.environment, **settings}))

    for option in ([], ["--json"]):
        add("dead", "list", *option)
        add("dead", "groups", *option)
        add("credentials", "list", *option)
        add("status", *option)
        add("doctor", *option)
        add("workers", *option)
        add("find", "--limit", "1000", *option)
        add("events", "--since", "1h", *option)
        add("dead", "replay", "--all", "--price", *option)
        add("dead", "edit", "--all", "--set", "notes=none", "--why", "a trial", "--dry-run", *option)
        add("price", "--form", as_form(whole(marks, "asked for its price")).decode(), *option)
        add("price", "--form", f"clientid=1&pid=5&rootpw={marks.new('rootpw of a bad price')}&qty=x", *option)
        for message_id in dead:
            add("dead", "show", message_id, *option)
        for message_id in [*dead, *(f"{kind}-{name}" for kind in ("placed", "delayed") for name in ENCODINGS)]:
            add("show", message_id, *option)
    add("catalog", "export")
    body = as_form({**whole(marks, "published by a command"), "identifier": "planted", "secret": "no"}).decode()
    add("publish", "--wait", "--form", body, **shop.storefront_environment)
    for sign in "/#?@":
        password = marks.new(f"password with {sign}").partition(" ")[0]
        for command in ("status", "doctor", "dead list", "migrate", "show x", "price --form clientid=1"):
            url = f"://orders:{password}{sign}x@127.0.0.1:1/x"
            add(*command.split(), ORDERS_AMQP_URL=f"amqp{url}", ORDERS_POSTGRES_URL=f"postgresql{url}")
        for command in ("workers", "status", "doctor", "topology check"):
            add(*command.split(), ORDERS_MANAGEMENT_URL=f"http://orders:{password}{sign}x@127.0.0.1:1")
    hidden = marks.new("a password of ORDERS_MANAGEMENT_URL").partition(" ")[0]
    for command in ("workers", "status", "doctor", "topology check"):
        add(*command.split(), ORDERS_MANAGEMENT_URL=f"http://orders:{hidden}@127.0.0.1:1")
    wrong = marks.new("a wrong password of ORDERS_AMQP_URL").partition(" ")[0]
    add("dead", "list", ORDERS_AMQP_URL=shop.logins.operator.replace(f":{PASSWORD}@", f":{wrong}@"))
    anew = {
        "rootpw[0]": marks.new("rootpw, edited"),
        "customfields[0][204]": marks.new("custom field of type password, edited"),
    }
    edits = [part for name, value in anew.items() for part in ("--set", f"{name}={value}")]
    add("dead", "edit", "custom-password-refused", "--why", "planted", *edits)
    for option in ([], ["--json"]):
        add("audit", *option)
        add("audit", "custom-password-refused", *option)
        add("show", "custom-password-refused", *option)
    lines = "\n".join(json.dumps({"name": name, "arguments": a, "settings": s}) for name, a, s in commands)
    done = subprocess.run(
        [sys.executable, "-c", RUN_COMMANDS],
        env={**os.environ, **shop.environment, "COLUMNS": "200"},
        input=lines.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=6 * SECONDS_MAX,
        check=True,
    )
    assert done.stdout.count(b"$ ") >= len(commands)
    assert done.stdout.count("•••".encode()) > 2 * len(dead)  # the secrets did lie there
    assert b"nothing was changed" not in done.stdout
    return done.stdout


# ---------------------------------------------------------------- the search


@pytest.mark.parametrize(
    "place",
    [
        "the worker's log",
        "replies",
        "events",
        "headers of dead letters",
        "headers of delayed messages",
        "metrics",
        "screens",
        "tables",
    ],
)
async def test_no_planted_secret_is_found_in(day: Day, place: str) -> None:
    assert day.places[place]
    assert day.marks.found_in(day.places[place]) == []


def test_a_row_that_postgres_refuses_is_not_in_the_log(day: Day) -> None:
    log = day.places["the worker's log"]

    assert b"CheckViolationError" in log
    assert b"Failing row" not in log


@pytest.mark.parametrize(
    "disguise",
    [
        str.encode,
        lambda secret: json.dumps({"x": secret}).encode(),
        lambda secret: base64.b64encode(secret.encode()),
        lambda secret: base64.urlsafe_b64encode(b"a" + secret.encode()),
        lambda secret: base64.b64encode(b"ab" + secret.encode()),
        lambda secret: f"\\x{secret.encode().hex()}".encode(),
        lambda secret: secret.encode("utf-16"),
        lambda secret: as_form({"x": secret}),
        lambda secret: bytes(phpserialize.dumps({"x": secret})),
        lambda secret: secret.upper().encode(),
    ],
)
def test_a_secret_would_be_found_in_disguise(disguise: Any) -> None:
    marks = Marks()

    hidden = b"before" + disguise(marks.new("it")) + b"behind"

    assert marks.found_in(hidden) == ["it"]
