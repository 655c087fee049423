"""Settings come from an environment: what is wrong in it is told by name, and no secret is shown. And env.example."""

import re
from pathlib import Path

import pytest

from schemas.shop_settings import Tax
from worker.settings import Settings, SettingsError

FIELDS = Settings.model_fields
KEY = "a-key-of-the-tests-which-is-no-secret"
MANAGEMENT = "http://operator:hunter2@rabbitmq:15672"


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


def test_the_url_of_a_broker_may_name_several_nodes() -> None:
    url = "amqp://me%40x:p@a/v,amqps://me%40x:p,q@b/v"

    assert Settings.read({"ORDERS_AMQP_URL": url}).require("amqp_url") == url


def test_each_node_must_be_one_that_can_be_read() -> None:
    with pytest.raises(SettingsError, match="ORDERS_AMQP_URL: it cannot be read"):
        Settings.read({"ORDERS_AMQP_URL": "amqp://a/v,amqp://me:p/x@b/v"})


# ---------------------------------------------------------------- env.example


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


# ---------------------------------------------------------------- the shop's own settings


def test_an_environment_gives_those_that_are_set_in_it() -> None:
    environment = {"ORDERS_TAX": "inclusive", "ORDERS_NAMESERVERS": "ns1.shop.com, ns2.shop.com"}

    assert Settings.read({}).first_values == {}
    assert Settings.read(environment).first_values == {
        "tax": Tax.INCLUSIVE, "nameservers": ("ns1.shop.com", "ns2.shop.com"),
    }  # fmt: skip


def test_an_empty_variable_is_not_set_and_zero_is() -> None:
    environment = {"ORDERS_TAX": "", "ORDERS_NAMESERVERS": "", "ORDERS_INVOICE_GRACE_DAYS": "0"}

    assert Settings.read(environment).first_values == {"invoice_grace_days": 0}


def test_a_variable_that_is_no_setting_is_told() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.read({"ORDERS_TAX": "included", "ORDERS_NAMESERVERS": "ns1.a.b ns2.a.b", "ORDERS_TIMEZONE": "UTC"})

    assert str(raised.value).splitlines() == [
        "ORDERS_TAX: must be 'exclusive' or 'inclusive'",
        "ORDERS_NAMESERVERS: must be the name of a host such as ns1.example.com",
        "ORDERS_TIMEZONE: there is no such setting",
    ]


def test_where_the_management_plugin_is_is_shown_and_who_comes_to_it_is_not() -> None:
    settings = Settings.read({"ORDERS_MANAGEMENT_URL": MANAGEMENT})

    assert settings.shown()["management_url"] == "http://rabbitmq:15672"
    assert "hunter2" not in repr(settings)
    assert Settings.read({"ORDERS_MANAGEMENT_URL": ""}).management_url is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("amqp://operator:hunter2@rabbitmq:15672", "it begins with http:// or https://"),
        ("http://operator:hunter2/x@rabbitmq:15672", "it cannot be read"),
        (f"{MANAGEMENT}?cafile=/etc/hosts", "cafile is for https://, and this begins with http://"),
    ],
)
def test_a_url_of_the_management_plugin_that_is_none_is_refused_without_its_password(url: str, why: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.read({"ORDERS_MANAGEMENT_URL": url})

    assert why in str(error.value)
    assert "hunter2" not in str(error.value)


def test_settings_that_hold_the_same_have_the_same_digest_however_secret_and_at_whichever_port() -> None:
    here = {"ORDERS_SECRET_KEYS": KEY, "ORDERS_HTTP_PORT": "8080", "ORDERS_MANAGEMENT_URL": MANAGEMENT}
    there = {**here, "ORDERS_SECRET_KEYS": KEY[::-1], "ORDERS_HTTP_PORT": "8081"}

    assert Settings.read(here).digest() == Settings.read(there).digest()
    assert Settings.read(here).digest() != Settings.read({**here, "ORDERS_BATCH_SIZE": "7"}).digest()
    assert len(Settings.read({}).digest()) == 8
