"""worker/settings.py: the management plugin's URL, and what stands for all settings."""

import pytest

from worker.settings import Settings, SettingsError

KEY = "a-key-of-the-tests-which-is-no-secret"
MANAGEMENT = "http://operator:hunter2@rabbitmq:15672"


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
