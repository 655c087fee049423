"""The shop's own settings: how they are written in a file and in an environment, and where the two disagree."""

import json
from typing import Any

import pytest

from schemas.catalog_entries import SettingsEntry
from schemas.catalog_file import CatalogError, parse
from schemas.shop_settings import NAMES, Given, ShopSettings, Tax
from worker.settings import Settings, SettingsError
from worker.shop_settings import overruled


def settings_of(**written: Any) -> Given:
    return parse(json.dumps({"settings": written})).settings.given


def test_a_file_and_the_shop_have_the_same_settings() -> None:
    assert tuple(SettingsEntry.model_fields) == NAMES


def test_what_a_file_does_not_name_is_not_given() -> None:
    assert parse("{}").settings.given == settings_of(tax=None) == {}
    assert settings_of(tax="inclusive", invoice_grace_days="14", nameservers=[]) == {
        "tax": Tax.INCLUSIVE, "invoice_grace_days": 14, "nameservers": (),
    }  # fmt: skip


def test_yaml_says_the_same() -> None:
    written = (
        "settings:\n  tax: inclusive\n  invoice_grace_days: 14\n  nameservers: [ns1.shop.com]\n  timezone: Asia/Tokyo"
    )

    assert ShopSettings.of(parse(written).settings.given) == ShopSettings(
        tax=Tax.INCLUSIVE, invoice_grace_days=14, nameservers=("ns1.shop.com",), timezone="Asia/Tokyo"
    )


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ({"taxes": "inclusive"}, "settings.taxes: there is no such key; did you mean tax?"),
        ({"secret": 1}, "settings.secret: there is no such key"),
        ({"tax": "included"}, "settings.tax: must be 'exclusive' or 'inclusive'"),
        ({"invoice_grace_days": 366}, "settings.invoice_grace_days: must be at most 365"),
        ({"invoice_grace_days": -1}, "settings.invoice_grace_days: must be at least 0"),
        ({"invoice_grace_days": "1.5"}, "settings.invoice_grace_days: must be a whole number such as 7"),
        ({"nameservers": "ns1.shop.com"}, "settings.nameservers: must be a list"),
        ({"nameservers": ["ns1 ns2"]}, "settings.nameservers[0]: must be the name of a host such as ns1.example.com"),
        ({"nameservers": ["ns1"]}, "settings.nameservers[0]: must be the name of a host such as ns1.example.com"),
        ({"nameservers": ["a.b"] * 14}, "settings.nameservers: must not have more than 13 entries"),
        ({"timezone": "Berlin"}, "settings.timezone: must be a time zone such as Europe/Berlin"),
        ({"timezone": "CET-1"}, "settings.timezone: must be a time zone such as Europe/Berlin"),
        ({"timezone": "../../etc/passwd"}, "settings.timezone: must be a time zone such as Europe/Berlin"),
        ([], "settings: must be an object"),
    ],
)  # fmt: skip
def test_what_is_no_setting_is_refused_with_its_place(written: Any, fault: str) -> None:
    with pytest.raises(CatalogError) as raised:
        parse(json.dumps({"settings": written}))

    assert raised.value.faults == (fault,)


# ---------------------------------------------------------------- an environment


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


def test_only_what_both_say_can_disagree() -> None:
    shop: Given = {"tax": Tax.INCLUSIVE, "nameservers": (), "timezone": "UTC"}

    assert list(overruled({}, shop)) == []
    assert list(overruled({"tax": Tax.INCLUSIVE, "invoice_grace_days": 5}, shop)) == []
    tax, nameservers = overruled({"tax": Tax.EXCLUSIVE, "nameservers": ("a.b", "c.d")}, shop)
    assert tax == (
        "ORDERS_TAX is exclusive, and the shop's own setting `tax` is inclusive: the shop's counts for all workers; "
        "unset ORDERS_TAX, or change `settings` with `orders catalog load`"
    )
    assert nameservers.startswith("ORDERS_NAMESERVERS is a.b,c.d, and the shop's own setting `nameservers` is none: ")
