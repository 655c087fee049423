"""orders topology export: definitions.json as it is deployed, and with passwords."""

import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from worker.broker.users import USERS
from worker.commands.topology import PASSWORDS, app
from worker.settings import SettingsError

COMMITTED = Path("deploy/rabbitmq/definitions.json")


def export(*options: str, **environment: str) -> str:
    ended = CliRunner().invoke(app, ["export", *options], env=environment, catch_exceptions=False)
    return ended.stdout


def test_the_committed_file_is_what_the_code_generates() -> None:
    assert export() == COMMITTED.read_text(encoding="utf-8"), f"run: orders topology export > {COMMITTED}"


def test_the_committed_file_lets_nobody_in() -> None:
    users = json.loads(COMMITTED.read_text(encoding="utf-8"))["users"]

    assert {user["name"]: user["password_hash"] for user in users} == {"storefront": "", "worker": "", "operator": ""}


def test_rights_topics_and_topology_are_of_the_same_virtual_host() -> None:
    made = json.loads(export("--vhost", "shop"))

    assert [vhost["name"] for vhost in made["vhosts"]] == ["shop"]
    for section in ("permissions", "topic_permissions", "exchanges", "queues", "bindings"):
        assert {entry["vhost"] for entry in made[section]} == {"shop"}, section


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
