"""The shop's own settings, as they are written in a file."""

import json
from typing import Any

import pytest

from schemas.catalog_entries import SettingsEntry
from schemas.catalog_file import CatalogError, parse
from schemas.shop_settings import NAMES, Given, Seller, ShopSettings, Tax


def settings_of(**written: Any) -> Given:
    return parse(json.dumps({"settings": written})).settings.given


def test_a_file_and_the_shop_have_the_same_settings() -> None:
    # What numbers go on with is no setting that holds, but an act of a load.
    assert tuple(SettingsEntry.model_fields) == (*NAMES, "invoice_next")


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
        ({"tax_exempt": "drop"}, "settings.tax_exempt: must be 'keep' or 'deduct'"),
        ({"tax_note": "x" * 1001}, "settings.tax_note: must not be longer than 1000 characters"),
        ({"accept_when_paid": "yes"}, "settings.accept_when_paid: must be true or false"),
        ({"invoice_next": 0}, "settings.invoice_next: must be at least 1"),
        ({"invoice_next": "2026-7"}, "settings.invoice_next: must be a whole number such as 7"),
        ({"seller": {"vat": "DE1"}}, "settings.seller.vat: there is no such key"),
        ({"seller": {"taxid": "DE1"}}, "settings.seller.taxid: there is no such key; did you mean tax_id?"),
        ({"seller": {"country": "Germany"}},
         "settings.seller.country: must be a two-letter country code such as US, or empty"),
        ([], "settings: must be an object"),
    ],
)  # fmt: skip
def test_what_is_no_setting_is_refused_with_its_place(written: Any, fault: str) -> None:
    with pytest.raises(CatalogError) as raised:
        parse(json.dumps({"settings": written}))

    assert raised.value.faults == (fault,)


@pytest.mark.parametrize("written", ["%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%d. %B %Y", "%b %d, %y"])
def test_a_date_has_a_day_a_month_and_a_year(written: str) -> None:
    assert settings_of(date_format=written) == {"date_format": written}


@pytest.mark.parametrize(
    "written",
    ["", "%d/%m", "%d/%m/%Y %H", "%d/%d/%m/%Y", "%m/%Y/%y", "%d %B %m %Y", "%x", "%d/%m/%Y%", "%-d/%m/%Y", "%d\n%m %Y"],
)
def test_a_format_that_writes_no_date_or_two_alike_is_refused(written: str) -> None:
    with pytest.raises(CatalogError) as raised:
        settings_of(date_format=written)

    [fault] = raised.value.faults
    assert fault == (
        "settings.date_format: must have a day (%d), a month (%m, %b or %B) and a year (%Y or %y), once each: "
        "as %d/%m/%Y"
    )


def test_a_seller_is_said_as_far_as_it_is_known() -> None:
    assert settings_of(seller={"name": "Acme", "address": "1 Main Street\nAustin", "country": "US"}) == {
        "seller": Seller(name="Acme", address="1 Main Street\nAustin", country="US", tax_id="")
    }
