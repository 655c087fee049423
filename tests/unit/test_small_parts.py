"""Order numbers, fingerprints, settings, copies of messages."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib import metadata

import pytest
from typer.testing import CliRunner

from repository.order_numbers import ORDERS_MAX, order_number
from schemas.order import Item, OrderRequest
from worker.__main__ import COMMANDS, app_of
from worker.broker.addresses import nodes_of, user_of
from worker.key_ring import KeyRing
from worker.settings import Settings, SettingsError

KEY = b"an order-number key of a database"
NEW, OLD = b"new" * 11, b"old" * 11

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_order_numbers_have_ten_digits_and_never_collide() -> None:
    numbers = {order_number(order_id, KEY) for order_id in range(1, 20_001)}

    assert len(numbers) == 20_000
    assert {len(number) for number in numbers} == {10}
    assert {number[0] for number in numbers} == set("123456789")


def test_the_last_order_number_is_one_too() -> None:
    assert len(order_number(ORDERS_MAX, KEY)) == 10


def test_neighbours_have_numbers_far_apart_and_another_key_gives_others() -> None:
    assert abs(int(order_number(1, KEY)) - int(order_number(2, KEY))) > 1_000
    assert order_number(1, KEY) != order_number(1, b"another")


def test_a_fingerprint_is_of_content_and_key() -> None:
    request = OrderRequest(client_id=1, items=(Item(key=0, product_id=1, price_override=Decimal("5.00")),))
    keys = KeyRing([NEW])
    fingerprint = keys.fingerprint(request)

    assert keys.is_same(request, fingerprint.digest, fingerprint.version)
    assert not keys.is_same(replace(request, client_id=2), fingerprint.digest, fingerprint.version)
    assert KeyRing([OLD]).fingerprint(request).digest != fingerprint.digest


def test_fingerprints_outlive_a_rotation_and_those_of_a_lost_key_count_as_the_same() -> None:
    request, other = OrderRequest(client_id=1), OrderRequest(client_id=2)
    before = KeyRing([OLD]).fingerprint(request)
    rotated, lost = KeyRing([NEW, OLD]), KeyRing([NEW])

    assert rotated.is_same(request, before.digest, before.version)
    assert not rotated.is_same(other, before.digest, before.version)
    assert lost.is_same(other, before.digest, before.version)


def test_secrets_at_rest_outlive_a_rotation() -> None:
    sealed = KeyRing([OLD]).encrypt("Ab#1+2&3=")

    assert b"Ab#1" not in sealed
    assert KeyRing([NEW, OLD]).decrypt(sealed) == "Ab#1+2&3="


def test_settings_come_from_the_environment_alone() -> None:
    settings = Settings.read({"ORDERS_SECRET_KEYS": f"{'a' * 32}, {'b' * 40}", "ORDERS_PREFETCH": "7", "PATH": "/bin"})

    assert settings.keys() == (b"a" * 32, b"b" * 40)
    assert settings.prefetch == 7


def test_every_wrong_setting_is_named_at_once_and_none_is_shown() -> None:
    with pytest.raises(SettingsError) as error:
        Settings.read({"ORDERS_PREFTECH": "5", "ORDERS_BATCH_SIZE": "0", "ORDERS_SECRET_KEYS": "hunter2"})

    assert str(error.value).splitlines() == [
        "ORDERS_SECRET_KEYS: every key must have at least 32 characters",
        "ORDERS_BATCH_SIZE: must be at least 1",
        "ORDERS_PREFTECH: there is no such setting; did you mean ORDERS_PREFETCH?",
    ]


def test_what_a_command_needs_is_asked_for_by_name() -> None:
    with pytest.raises(SettingsError, match=r"ORDERS_AMQP_URL is not set: the broker, as amqp://"):
        Settings.read({}).require("amqp_url")


def test_a_setting_never_shows_its_secret() -> None:
    settings = Settings.read(
        {
            "ORDERS_AMQP_URL": "amqp://user:hunter2@a:5671/shop,amqp://user:hunter2@b/shop",
            "ORDERS_POSTGRES_URL": "postgresql://user:hunter2@host,other:5433/orders?sslpassword=hunter2",
            "ORDERS_SECRET_KEYS": ",".join(["hunter2" * 5] * 2),
            "ORDERS_TRUSTED_PUBLISHERS": "storefront,back-office=*",
        }
    )

    assert "hunter2" not in f"{settings!r} {settings.shown()}"
    shown = settings.shown()
    assert shown["amqp_url"] == "amqp://a:5671/shop,amqp://b/shop"
    assert shown["postgres_url"] == "postgresql://host,other:5433/orders"
    assert (shown["secret_keys"], shown["trusted_publishers"]) == (
        "2 of them",
        {"back-office": "everything", "storefront": ["addorder"]},
    )
    assert (shown["prefetch"], shown["tax"], shown["http_port"]) == (400, None, None)
    assert shown["reply_queues"] == [r"*=reply\..*"]


@pytest.mark.parametrize(
    ("url", "nodes", "user"),
    [
        ("amqp://host", ["amqp://host"], "guest"),
        ("amqp://me%40x:p@a/v,amqps://me%40x:p,q@b/v", ["amqp://me%40x:p@a/v", "amqps://me%40x:p,q@b/v"], "me@x"),
    ],
)
def test_the_url_of_a_broker_may_name_several_nodes(url: str, nodes: list[str], user: str) -> None:
    assert (nodes_of(url), user_of(url)) == (nodes, user)
    assert Settings.read({"ORDERS_AMQP_URL": url}).require("amqp_url") == url


def test_each_node_must_be_one_that_can_be_read() -> None:
    with pytest.raises(SettingsError, match="ORDERS_AMQP_URL: it cannot be read"):
        Settings.read({"ORDERS_AMQP_URL": "amqp://a/v,amqp://me:p/x@b/v"})


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_log_line_is_one_write_so_that_processes_that_share_a_pipe_do_not_mix_theirs(log_format: str) -> None:
    code = (
        f"import structlog; from worker import logs; logs.configure('{log_format}'); structlog.get_logger().info('hi')"
    )
    read, write = os.pipe2(os.O_DIRECT)  # a pipe that keeps each write apart
    with os.fdopen(read, "rb", buffering=0) as packets:
        with os.fdopen(write, "wb") as pipe:
            subprocess.run([sys.executable, "-c", code], stderr=pipe, check=True)
        line = packets.read(4096)

    assert b"hi" in line
    assert line.endswith(b"\n")


def test_the_program_tells_its_version() -> None:
    said = CliRunner().invoke(app_of(COMMANDS), ["--version"])

    assert (said.exit_code, said.output) == (0, f"{metadata.version('order-processor')}\n")
