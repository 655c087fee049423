"""The command line, as a person meets it."""

import asyncio
import json
import os
import re
import subprocess
import sys

import pytest

from tests.shop import Shop

EVERY_COMMAND = [
    "", "demo", "worker", "migrate", "price", "publish", "events",
    "topology", "topology show", "topology apply", "topology check", "topology export",
    "catalog", "catalog load", "catalog check", "catalog diff", "catalog history", "catalog rollback", "catalog export",
    "credentials", "credentials add", "credentials list", "credentials replace", "credentials revoke",
    "dead", "dead list", "dead groups", "dead show", "dead replay", "dead edit", "dead discard", "dead export",
    "dead import", "audit", "find",
    "secrets", "secrets rotate", "prune", "show", "status", "doctor",
]  # fmt: skip


def run(*arguments: str, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    return subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        env={**inherited, "COLUMNS": "100", **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def orders(shop: Shop, *arguments: str, stdin: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
    environment = shop.storefront_environment if arguments[0] == "publish" else shop.environment
    return await asyncio.to_thread(run, *arguments, stdin=stdin, **{**environment, **settings})


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_every_command_explains_itself_names_its_settings_and_has_room_for_words_at_80_columns(command: str) -> None:
    ended = run(*command.split(), "--help", COLUMNS="80")

    assert ended.returncode == 0
    assert "Usage: orders" in ended.stdout
    assert "Traceback" not in ended.stderr
    assert "ORDERS_" in ended.stdout
    assert set(re.findall("<.*?>", ended.stdout)) <= {"<dead|unrouted>"}
    assert re.findall(r"\w+\.\.\.", ended.stdout) == []
    assert max(map(len, ended.stdout.splitlines())) <= 80


def test_settings_that_are_wrong_are_told_in_words() -> None:
    wrong = {"PREFETCH": "abc", "BATCH_SIZE": "0", "TOPOLOGY": "yes", "HTTP_PORT": "70000", "DRAIN_SECONDS": "long"}

    ended = run("status", **{f"ORDERS_{name}": value for name, value in wrong.items()})

    assert sorted(ended.stderr.removeprefix("settings: ").splitlines()) == [
        "ORDERS_BATCH_SIZE: must be at least 1",
        "ORDERS_DRAIN_SECONDS: must be a number such as 7.5",
        "ORDERS_HTTP_PORT: must be at most 65535",
        "ORDERS_PREFETCH: must be a whole number such as 7",
        "ORDERS_TOPOLOGY: must be 'check' or 'apply'",
    ]


@pytest.mark.parametrize(
    ("written", "offered"),
    [
        ("orders de", {"dead"}),
        ("orders dead re", {"replay"}),
        ("orders dead groups --by c", {"code", "client"}),
        ("orders find --", {"--client", "--email", "--domain", "--json"}),
    ],
)
def test_a_shell_completes_what_was_begun(written: str, offered: set[str]) -> None:
    completing = {"_ORDERS_COMPLETE": "complete_bash", "COMP_WORDS": written}

    ended = run(COMP_CWORD=str(len(written.split()) - 1), **completing)

    assert offered <= set(ended.stdout.split()), ended.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "words"),
    [
        (["worker"], {}, 2, "ORDERS_SECRET_KEYS is not set"),
        (["migrate"], {"ORDERS_POSTGRES_ULR": "x"}, 2, "did you mean ORDERS_POSTGRES_URL"),
        (["credentials", "add", "--action", "addordr"], {}, 2, "addordr is no action; did you mean addorder?"),
        (["migrate"], {"ORDERS_POSTGRES_URL": "postgresql://127.0.0.1:1/x"}, 1, "does not answer"),
        (["topology", "check"], {"ORDERS_AMQP_URL": "amqp://127.0.0.1:1/"}, 1, "does not answer"),
        (["migrate"], {"ORDERS_ENV_FILE": "no-such-file"}, 2, "there is no file no-such-file"),
        (["publish", "no-such-file"], {}, 1, "no-such-file: No such file or directory"),
        (["dead", "replay"], {}, 2, "say which"),
        (["nonsense"], {}, 2, "No such command"),
    ],
)
def test_a_mistake_is_answered_with_the_mend_and_no_traceback(
    arguments: list[str], environment: dict[str, str], status: int, words: str
) -> None:
    ended = run(*arguments, **environment)

    assert words in re.sub(r"\s+", " ", ended.stderr)
    assert ended.returncode == status
    assert "Traceback" not in ended.stderr


async def test_a_worker_without_tables_says_what_to_run(database_url: str, amqp_url: str) -> None:
    ended = await asyncio.to_thread(
        run, "worker", ORDERS_POSTGRES_URL=database_url, ORDERS_AMQP_URL=amqp_url, ORDERS_SECRET_KEYS="k" * 32
    )

    assert ended.returncode == 1
    assert "run `orders migrate`" in ended.stderr


async def test_publishing_waits_for_the_reply_and_a_second_time_hears_the_same(shop: Shop) -> None:
    await shop.start_worker()
    form = "identifier=IDENT&secret=SECRET&clientid=1&pid=7&paymentmethod=paypal"

    first = await orders(shop, "publish", "--wait", "--form", form, "--message-id", "mine")
    second = await orders(shop, "publish", "--wait", "--form", form, "--message-id", "mine")

    assert json.loads(first.stdout)["result"] == "success"
    assert second.stdout == first.stdout


async def test_json_lines_from_standard_input_are_a_request_each(shop: Shop) -> None:
    await shop.start_worker()
    lines = '{"clientid": 1, "pid": 7, "paymentmethod": "paypal"}\n{"clientid": 99, "paymentmethod": "paypal"}\n'

    ended = await orders(shop, "publish", "--wait", "--json", stdin=lines)

    told = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(one["number"], one["reply"]["result"]) for one in told] == [(1, "success"), (2, "error")]


async def test_without_a_worker_waiting_ends_with_the_outcome_unknown(shop: Shop) -> None:
    ended = await orders(shop, "publish", "--wait", "--seconds", "0.2", stdin='{"clientid": 1}')

    assert ended.returncode == 1
    assert "outcome is unknown" in ended.stderr


async def test_dead_letters_are_listed_and_replayed_by_what_they_died_of(shop: Shop) -> None:
    await shop.start_worker()
    asked = await shop.publish({"clientid": 1, "pid": 7, "paymentmethod": "bitcoin"})
    other = await shop.publish({"clientid": 99, "pid": 7, "paymentmethod": "paypal"})
    await shop.dead_letters(2)

    listed = await orders(shop, "dead", "list", "--json", "--code", "invalid_payment_method")
    table = await orders(shop, "dead", "list")
    replayed = await orders(shop, "dead", "replay", "--code", "client_not_found")
    missing = await orders(shop, "dead", "replay", "no-such-message")

    assert json.loads(listed.stdout)["message_id"] == asked.message_id
    assert str(asked.message_id) in table.stdout
    assert replayed.stdout.split() == [other.message_id]
    assert (missing.returncode, "not among the dead letters: no-such-message" in missing.stderr) == (1, True)


async def test_two_who_act_at_once_are_told_of_each_other(shop: Shop) -> None:
    async with shop.operating():
        ended = await orders(shop, "dead", "replay", "--all")

    assert ended.returncode == 1
    assert "another operator has the dead letters open: who it is, is not known. Try again" in ended.stderr
