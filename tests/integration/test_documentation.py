"""What README.md and docs/ say is so: their examples run, and every name they list is there."""

import asyncio
import difflib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import pytest
import typer.main

from schemas import topology, wire
from tests.documentation import examples_of, one_line, shape_of
from tests.shop import SECONDS_MAX, Shop
from worker import __main__ as program
from worker.broker import headers
from worker.settings import Settings

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
MESSAGES = (PROJECT / "docs/messages.md").read_text(encoding="utf-8")
EXAMPLES = PROJECT / "docs/examples"
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FAULTY = "tests.faults.faulty_worker"
IN_VAIN_SECONDS_MAX = 10  # to hear that a password is wrong; with its pauses it would be 18 s and more
FOLLOW_UPS = ("email.invoice-created", "email.order-confirmation")

BLOCKS = examples_of(MESSAGES)


def documented(label: str) -> Any:
    return json.loads(BLOCKS[label])


def text_shape(text: str) -> str:
    """The same for replies that are no JSON: their ids are all the numbers between separators."""
    return re.sub(r"(?<=[=>])[0-9]+(?=[;<])", "#", text.strip())


@asynccontextmanager
async def running(*command: object, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an example, and end it if it does not by itself."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


# ---------------------------------------------------------------- docs/messages.md


async def test_the_three_encodings_of_a_request_are_answered_as_the_page_says(shop: Shop) -> None:
    await shop.start_worker()
    requests = {
        wire.JSON: BLOCKS["request-json"].encode(),
        wire.FORM: one_line(BLOCKS["request-form"]),
        wire.PHP: one_line(BLOCKS["request-php"]),
    }

    asked = [
        await shop.publish(body, content_type=content_type, message_id="cart-4711", trusted=False)
        for content_type, body in requests.items()
    ]
    replies = [json.loads(await shop.reply(one)) for one in asked]

    assert replies == [replies[0]] * 3
    assert shape_of(replies[0]) == shape_of(documented("reply-json"))
    assert await shop.orders_placed() == 1


@pytest.mark.parametrize("encoding", ["xml", "nvp"])
async def test_replies_in_other_encodings_are_as_the_page_says(shop: Shop, encoding: str) -> None:
    await shop.start_worker()

    placed = await shop.publish({**documented("request-json"), "responsetype": encoding}, trusted=False)
    refused = await shop.publish({**documented("request-wrong"), "responsetype": encoding}, trusted=False)

    assert text_shape((await shop.reply(placed)).decode()) == text_shape(BLOCKS[f"reply-{encoding}"])
    assert text_shape((await shop.reply(refused)).decode()) == text_shape(BLOCKS[f"error-{encoding}"])


async def test_warnings_are_as_the_page_says(shop: Shop) -> None:
    await shop.start_worker()

    reply = await shop.ask({**documented("request-json"), "promocode": "SUMMER"}, trusted=False)

    assert shape_of(reply) == shape_of(documented("reply-warnings-json"))


async def test_the_events_of_an_order_are_as_the_page_says(shop: Shop) -> None:
    await shop.start_worker()

    await shop.publish(
        documented("request-json"), message_id="cart-4711", trusted=False, headers={"traceparent": TRACEPARENT}
    )
    events = await shop.until_events("cart-4711", "order.added", *FOLLOW_UPS)

    assert sorted(event.type for event in events) == sorted(("order.added", *FOLLOW_UPS))
    for event in events:
        assert shape_of(json.loads(event.raw)) == shape_of(documented(event.type))


async def test_an_order_that_gives_way_to_another_is_told_as_the_page_says(shop: Shop) -> None:
    await shop.start_worker()
    renewal = {"clientid": 1, "paymentmethod": "paypal", "servicerenewals": [19]}

    await shop.publish(renewal, message_id="cart-4710")
    await shop.until_events("cart-4710", "order.added")
    await shop.publish(renewal, message_id="cart-4711", headers={"traceparent": TRACEPARENT})
    events = await shop.until_events("cart-4711", "order.cancelled", "invoice.cancelled")

    told = {event.type: json.loads(event.raw) for event in events}
    for name in ("order.cancelled", "invoice.cancelled"):
        assert shape_of(told[name]) == shape_of(documented(name))


async def test_a_rejection_and_its_dead_letter_are_as_the_page_says(shop: Shop) -> None:
    await shop.start_worker()

    reply = await shop.ask(documented("request-wrong"), message_id="cart-4712", trusted=False)
    [event] = await shop.until_events("cart-4712", "order.rejected")
    [letter] = await shop.dead_letters()

    assert reply == documented("error-json")
    assert shape_of(json.loads(event.raw)) == shape_of(documented("order.rejected"))
    properties = letter.delivery.properties
    headers = {name: value for name, value in properties.headers.items() if not name.startswith("x-delivery")}
    found = {"message_id": properties.message_id, "content_type": properties.content_type, "headers": headers}
    assert shape_of(found) == shape_of(documented("dead-letter"))


async def test_a_failure_is_announced_as_the_page_says(shop: Shop) -> None:
    await shop.start_worker(FAULTY)
    request = {**documented("request-json"), "notes": "bug"}

    await shop.publish(request, message_id="cart-4713", trusted=False, notes={"x-orders-attempts": 3})
    [event] = await shop.until_events("cart-4713", "order.failed")

    assert shape_of(json.loads(event.raw)) == shape_of(documented("order.failed"))


def test_every_example_of_the_page_is_tested() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    by_type = {"order.added", *FOLLOW_UPS}
    by_encoding = {f"{kind}-{encoding}" for kind in ("reply", "error") for encoding in ("xml", "nvp")}

    assert [label for label in BLOCKS.keys() - by_type - by_encoding if f'"{label}"' not in source] == []


def named(page: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", page))


@pytest.mark.parametrize(
    "names",
    [
        {exchange.name for exchange in topology.EXCHANGES} | {queue.name for queue in topology.DECLARED},
        {value for name, value in vars(headers).items() if isinstance(value, str) and value.startswith("x-orders-")}
        - {headers.OURS},
    ],
    ids=["exchanges and queues", "headers"],
)
def test_the_page_names_them_all(names: set[str]) -> None:
    assert names - named(MESSAGES) == set()


# ---------------------------------------------------------------- README.md


@pytest.mark.parametrize("example", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_the_readme_shows_the_example_as_it_is(example: Path) -> None:
    language = {".py": "python", ".php": "php"}[example.suffix]
    content = example.read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

    closest = difflib.get_close_matches(content, blocks, n=1, cutoff=0.0)

    assert closest == [content]


async def test_the_example_publisher_places_one_order_under_one_key(shop: Shop) -> None:
    await shop.start_worker()
    answers = []

    for _ in range(2):
        command = (sys.executable, EXAMPLES / "publish.py", "cart-4711")
        async with running(*command, ORDERS_AMQP_URL=shop.logins.storefront) as example:
            output, errors = await asyncio.wait_for(example.communicate(), SECONDS_MAX)
            assert example.returncode == 0, errors.decode()
            answers.append(json.loads(output))

    assert answers[0] == answers[1]
    assert answers[0]["result"] == "success"
    [order] = await shop.fetch("SELECT id, asked_by FROM orders WHERE request_id IS NOT NULL")
    assert (order["id"], order["asked_by"]) == (answers[0]["orderid"], shop.user)


async def test_the_example_publisher_tries_again_under_the_same_key(shop: Shop) -> None:
    """Its first try finds no worker, and gives up waiting for the answer."""
    command = (sys.executable, EXAMPLES / "publish.py", "cart-4711")
    async with running(*command, ORDERS_AMQP_URL=shop.logins.storefront) as example:
        await _until_waiting(shop, 2)
        await shop.start_worker()
        output, errors = await asyncio.wait_for(example.communicate(), SECONDS_MAX)

    assert json.loads(output)["result"] == "success", errors.decode()
    assert await shop.orders_placed() == 1


@pytest.mark.parametrize("what", ["password", "vhost"])
async def test_the_example_publisher_ends_at_once_where_trying_again_is_in_vain(shop: Shop, what: str) -> None:
    storefront = urlsplit(shop.logins.storefront)
    wrong = {
        "password": storefront._replace(netloc=f"storefront:wrong@{storefront.netloc.rpartition('@')[2]}"),
        "vhost": storefront._replace(path="/nowhere"),
    }[what]
    command = (sys.executable, EXAMPLES / "publish.py", "cart-4711")

    async with running(*command, ORDERS_AMQP_URL=wrong.geturl()) as example:
        output, errors = await asyncio.wait_for(example.communicate(), IN_VAIN_SECONDS_MAX)

    assert (example.returncode, output) == (1, b"")
    assert errors.decode().splitlines()[-1].startswith("the broker refuses: ")


async def _until_waiting(shop: Shop, count: int) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while await shop.waiting() < count:
            await asyncio.sleep(0.1)


def test_the_example_in_php_can_be_parsed(php_program: str) -> None:
    php = subprocess.run([php_program, "-l", EXAMPLES / "publish.php"], capture_output=True, text=True, check=False)

    assert php.returncode == 0, php.stdout


@pytest.fixture
async def listeners_queue(amqp_url: str) -> AsyncIterator[str]:
    """The queue of the example listener, which outlives it."""
    [name] = re.findall(r'^QUEUE = "(.+?)"', (EXAMPLES / "listen.py").read_text(encoding="utf-8"), re.MULTILINE)
    yield name
    async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
        await channel.queue_delete(name)


async def test_the_example_listener_handles_every_event_once_and_misses_none(
    shop: Shop, listeners_queue: str, tmp_path: Path
) -> None:
    await shop.start_worker()
    order = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
    command = (sys.executable, EXAMPLES / "listen.py")
    settings = {"ORDERS_AMQP_URL": shop.logins.administrator, "DATABASE": str(tmp_path / "events.sqlite")}

    async with running(*command, **settings) as listener:
        assert listener.stdout
        await _until_bound(shop, listeners_queue)
        for _ in range(2):
            await shop.ask(order, message_id="cart-1")
        first = await asyncio.wait_for(listener.stdout.readline(), SECONDS_MAX)
    await shop.ask({**order, "paymentmethod": "bitcoin"}, message_id="cart-2")  # while it is away
    async with running(*command, **settings) as listener:
        assert listener.stdout
        second = await asyncio.wait_for(listener.stdout.readline(), SECONDS_MAX)

    added = shop.events_of("cart-1")[0]
    [rejected] = shop.events_of("cart-2")
    assert [first.decode().split(), second.decode().split()] == [
        ["order.added", added.id],
        ["order.rejected", rejected.id],
    ]


async def test_the_example_listener_sets_aside_what_is_no_event_and_ends_quietly(
    shop: Shop, listeners_queue: str, tmp_path: Path
) -> None:
    await shop.start_worker()
    settings = {"ORDERS_AMQP_URL": shop.logins.administrator, "DATABASE": str(tmp_path / "events.sqlite")}
    reply = b'{"result":"success","orderid":17}'
    foreign = (b"\xff", b"7", reply, b'{"specversion":"1.0","source":"/orders","id":7,"type":"order.added","data":{}}')

    async with running(sys.executable, EXAMPLES / "listen.py", **settings) as listener:
        assert listener.stdout
        await _until_bound(shop, listeners_queue)
        async with await aio_pika.connect(shop.logins.administrator) as connection, connection.channel() as channel:
            for body in foreign:
                await channel.default_exchange.publish(aio_pika.Message(body), listeners_queue)
        await shop.ask({"clientid": 1, "pid": 7, "paymentmethod": "paypal"}, message_id="cart-1")
        lines = [
            (await asyncio.wait_for(listener.stdout.readline(), SECONDS_MAX)).decode() for _ in (*foreign, "the event")
        ]
        listener.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(listener.communicate(), SECONDS_MAX)

    assert [line.split(":")[0] for line in lines[:-1]] == ["set aside"] * len(foreign)
    assert lines[-1].split() == ["order.added", shop.events_of("cart-1")[0].id]
    assert (listener.returncode, errors) == (0, b"")


async def _until_bound(shop: Shop, queue: str) -> None:
    """Wait for the queue to be there. The binding follows at once, so that what is published now is not missed."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            try:
                async with await aio_pika.connect(shop.logins.administrator) as connection:
                    async with connection.channel() as channel:
                        found = await channel.declare_queue(queue, passive=True)
                    if found.declaration_result.consumer_count:
                        return
            except aio_pika.exceptions.ChannelNotFoundEntity:
                pass
            await asyncio.sleep(0.1)


def commands_of(group: Any, path: str = "orders") -> Iterator[str]:
    if not hasattr(group, "commands"):
        yield path
        return
    for name, command in group.commands.items():
        yield from commands_of(command, f"{path} {name}")


def test_the_readme_names_every_command_and_no_other() -> None:
    known = set(commands_of(typer.main.get_command(program.app_of(program.COMMANDS))))
    written = set(re.findall(r"^\| `(orders [a-z ]+?)(?: [^a-z`][^`]*)?` \|", README, re.MULTILINE))

    assert written == known


def test_the_readme_lists_every_setting_and_no_other() -> None:
    table = re.findall(r"^\| ((?:`ORDERS_\w+`(?:, )?)+) \|", README, re.MULTILINE)
    listed = {name for row in table for name in re.findall(r"ORDERS_\w+", row)}

    assert listed == {f"ORDERS_{name.upper()}" for name in Settings.model_fields} | {"ORDERS_ENV_FILE"}


def test_the_metrics_of_the_readme_are_there() -> None:
    source = (PROJECT / "worker/metrics.py").read_text(encoding="utf-8")
    written = set(re.findall(r"`(orders_[a-z_]+)", README))

    assert written
    assert [name for name in written if f'"{name}"' not in source] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)

    assert [target for target in targets if not _leads_somewhere(page, target)] == []


def _leads_somewhere(page: Path, target: str) -> bool:
    if target.startswith("https://"):
        return True
    path, _, anchor = target.partition("#")
    found = page.parent / path if path else page
    if not found.exists():
        return False
    return not anchor or anchor in _anchors(found.read_text(encoding="utf-8"))


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_paths_that_pages_name_are_there() -> None:
    named_paths: Mapping[Path, set[str]] = {
        page: {name for name in named(page.read_text(encoding="utf-8")) if re.fullmatch(r"[\w.-]+(/[\w.*-]+)+", name)}
        for page in PAGES
    }
    first_parts = {path.name for path in PROJECT.iterdir()}

    missing = {
        f"{page.name}: {name}"
        for page, names in named_paths.items()
        for name in names
        if name.split("/")[0] in first_parts and not list(PROJECT.glob(name))
    }

    assert missing == set()
