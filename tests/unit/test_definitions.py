"""What is deployed says what the code says: definitions.json with each user's rights, env.example with each setting."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas import topology
from worker.broker.users import USERS, definitions, password_hash
from worker.commands.topology import PASSWORDS, app
from worker.settings import Settings, SettingsError

COMMITTED = Path("deploy/rabbitmq/definitions.json")
FIELDS = Settings.model_fields


def export(*options: str, **environment: str) -> str:
    ended = CliRunner().invoke(app, ["export", *options], env=environment, catch_exceptions=False)
    return ended.stdout


def test_the_committed_file_is_what_the_code_generates() -> None:
    assert export() == COMMITTED.read_text(encoding="utf-8"), f"run: orders topology export > {COMMITTED}"


def test_the_committed_file_lets_nobody_in() -> None:
    users = json.loads(COMMITTED.read_text(encoding="utf-8"))["users"]

    assert {user["name"]: user["password_hash"] for user in users} == {"storefront": "", "worker": "", "operator": ""}


def test_only_who_copies_messages_may_keep_their_user_id_and_only_who_looks_at_the_broker_sees_its_pages() -> None:
    tags = {user["name"]: user["tags"] for user in definitions()["users"]}

    assert tags == {
        "storefront": [],
        "worker": ["impersonator", "management"],
        "operator": ["impersonator", "monitoring"],
    }


def test_rights_topics_and_topology_are_of_the_same_virtual_host() -> None:
    made = json.loads(export("--vhost", "shop"))

    assert [vhost["name"] for vhost in made["vhosts"]] == ["shop"]
    for section in ("permissions", "topic_permissions", "exchanges", "queues", "bindings"):
        assert {entry["vhost"] for entry in made[section]} == {"shop"}, section


@pytest.mark.parametrize(
    ("user", "right", "names"),
    [
        ("storefront", "configure", []),
        ("storefront", "write", ["orders"]),
        ("storefront", "read", []),
        ("worker", "configure", []),
        (
            "worker",
            "write",
            ["orders.dead", "orders.events", "orders.retry.5s", "orders.retry.1m", "orders.retry.10m", "amq.default"],
        ),
        ("worker", "read", ["orders.requests", "orders.suspects"]),
        ("operator", "configure", ["orders.operators-lock", "amq.gen-1"]),
        ("operator", "write", ["orders", "orders.dead", "orders.unrouted", "amq.gen-1"]),
        ("operator", "read", ["orders.dead", "orders.unrouted", "orders.events", "amq.gen-1"]),
    ],
)
def test_a_right_covers_these_names_and_no_other(user: str, right: str, names: list[str]) -> None:
    [permission] = [entry for entry in definitions()["permissions"] if entry["user"] == user]
    pattern = permission[right]

    everything = {
        *(exchange.name for exchange in topology.EXCHANGES),
        *(queue.name for queue in topology.QUEUES),
        *("amq.default", "amq.gen-1", "amq.topic", "orders.operators-lock"),
        *("myorders", "orders.more", "ordersXdead", "orders.dead.more", "xamq.default", "invoices"),
    }
    assert {name for name in everything if re.search(pattern, name)} == set(names)


@pytest.mark.parametrize(
    ("user", "exchange", "keys"),
    [
        ("storefront", "orders", ["order.add"]),
        ("operator", "orders", ["order.add"]),
        ("worker", "orders.events", ["order.add", "order.accept", "email.invoice-created"]),
    ],
)
def test_a_routing_key_is_of_the_users_kind(user: str, exchange: str, keys: list[str]) -> None:
    rights = {(entry["user"], entry["exchange"]): entry["write"] for entry in definitions()["topic_permissions"]}

    everything = ["order.add", "order.accept", "email.invoice-created", "invoice.pay", "orders", "my.order.add", ""]
    assert [key for key in everything if re.search(rights[user, exchange], key)] == keys


def test_a_password_is_hashed_as_rabbitmq_does_it() -> None:
    """The example of RabbitMQ's own documentation, then with a salt of our own."""
    assert password_hash("test12", bytes.fromhex("908DC60A")) == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"

    salt, digest = (raw := base64.b64decode(password_hash("test12")))[:4], raw[4:]
    assert digest == hashlib.sha256(salt + b"test12").digest()
    assert password_hash("test12") != password_hash("test12")


def test_passwords_come_from_the_environment_hashed() -> None:
    given = {variable: f"password-of-{name}" for name, variable in PASSWORDS.items()}

    printed = export("--passwords-from-environment", **given)

    users = json.loads(printed)["users"]
    assert [user["name"] for user in users] == [user.name for user in USERS]
    assert all(len(base64.b64decode(user["password_hash"])) == 4 + 32 for user in users)
    assert "password-of-" not in printed


def test_every_password_that_is_missing_is_named() -> None:
    given = dict.fromkeys(PASSWORDS.values(), "") | {"ORDERS_RABBITMQ_WORKER_PASSWORD": "something"}

    with pytest.raises(SettingsError) as error:
        export("--passwords-from-environment", **given)

    assert str(error.value).splitlines() == [
        "ORDERS_RABBITMQ_STOREFRONT_PASSWORD is not set: a password",
        "ORDERS_RABBITMQ_OPERATOR_PASSWORD is not set: a password",
    ]


def test_env_example_names_every_setting_and_nothing_else() -> None:
    text = Path("deploy/env.example").read_text(encoding="utf-8")
    compose = Path("deploy/compose.yaml").read_text(encoding="utf-8")

    named = re.findall(r"^#?(ORDERS_\w+)=", text, re.MULTILINE)
    settings = {f"ORDERS_{name.upper()}" for name in FIELDS} | {"ORDERS_ENV_FILE"}
    of_compose = set(re.findall(r"\$\{(ORDERS_\w+)", compose))
    assert len(named) == len(set(named))
    assert set(named) == settings | of_compose


def test_env_example_shows_the_defaults() -> None:
    text = Path("deploy/env.example").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^#(ORDERS_\w+)=(.+)$", text, re.MULTILINE))

    settings = {name: value for name, value in shown.items() if name.removeprefix("ORDERS_").lower() in FIELDS}
    # Whom to trust is the deployment's choice, not the program's.
    assert settings.pop("ORDERS_TRUSTED_PUBLISHERS") == "storefront,operator=*,console=*"
    assert Settings.read(settings) == Settings.read({})
