"""The file that takes changes of a catalogue back: what was, and what was not there then withdrawn."""

from typing import Any

from schemas.catalog_changes import EntryChange
from schemas.catalog_rollback import file_back_to

OFF = {"price": "-1.00", "setup": "0.00"}


def price(amount: str) -> dict[str, str]:
    return {"price": amount, "setup": "0.00"}


def back(section: str, before: Any, after: Any) -> Any:
    """The entry that the file has for a change."""
    file = file_back_to([EntryChange(section, "1", before, after)])
    [entry] = file[section]
    return entry


def test_prices_that_came_since_are_withdrawn() -> None:
    then = {"id": 1, "pricing": {"USD": {"monthly": price("4.00")}}}
    in_dollars = {"monthly": price("0.40"), "annually": price("4.00")}
    now = {"id": 1, "pricing": {"USD": in_dollars, "EUR": {"monthly": price("3.00")}}}

    assert back("addons", then, now) == {
        "id": 1, "pricing": {"USD": {"monthly": price("4.00"), "annually": OFF}, "EUR": {"monthly": OFF}},
    }  # fmt: skip


def test_terms_extras_and_amounts_of_codes_too() -> None:
    then = {"tld": ".com", "pricing": {"USD": {"register": {"1": "9.00"}}}, "extras": {}, "fields": []}
    now = {"tld": ".com", "pricing": {"USD": {"register": {"1": "1.00", "2": "2.00"}, "renew": {"1": "1.00"}}},
           "extras": {"USD": {"idprotection": "5.00"}}, "fields": [{"name": "Use", "required": True}]}  # fmt: skip

    assert back("tlds", then, now) == {
        "tld": ".com",
        "pricing": {"USD": {"register": {"1": "9.00", "2": "-1.00"}, "renew": {"1": "-1.00"}}},
        "extras": {"USD": {"idprotection": "-1.00"}},
        "fields": [{"name": "Use", "required": False}],
    }
    assert back("promotions", {"id": 1, "values": {}}, {"id": 1, "values": {"EUR": "4.50"}}) == {
        "id": 1, "values": {"EUR": "-1.00"}, "uses": 0,
    }  # fmt: skip


def test_choices_and_options_that_came_since_stand_last_and_cost_nothing() -> None:
    small = {"id": 1, "name": "1 GB", "pricing": {"USD": {"monthly": price("1.00")}}}
    big = {"id": 2, "name": "9 GB", "pricing": {"USD": {"monthly": price("9.00")}}}
    red = {"id": 3, "name": "Red", "pricing": {"USD": {"monthly": price("5.00")}}}
    then = {"id": 1, "config_options": [{"id": 1, "choices": [small]}]}
    now = {"id": 1, "config_options": [{"id": 9, "choices": [red]}, {"id": 1, "choices": [big, small]}]}

    withdrawn = {"USD": {"monthly": OFF}}
    assert back("products", then, now) == {
        "id": 1,
        "config_options": [
            {"id": 1, "choices": [small, {**big, "pricing": withdrawn}]},
            {"id": 9, "choices": [{**red, "pricing": withdrawn}]},
        ],
        "stock_quantity": 0,
    }


def test_what_was_not_there_then_is_taken_off_sale() -> None:
    assert back("products", None, {"id": 1, "retired": False, "pricing": {}}) == {
        "id": 1, "retired": True, "pricing": {}, "stock_quantity": 0,
    }  # fmt: skip
    assert back("addons", None, {"id": 1, "products": "all", "pricing": {"USD": {"monthly": price("1")}}}) == {
        "id": 1, "products": "all", "retired": True, "pricing": {"USD": {"monthly": OFF}},
    }  # fmt: skip


def test_what_a_file_can_not_take_back_is_not_in_it_and_what_is_gone_comes_back() -> None:
    rule = {"id": 1, "rate": "10"}
    added = [EntryChange("tax_rules", "1", None, rule), EntryChange("currencies", "CHF", None, {"code": "CHF"})]

    assert file_back_to(added) == {"settings": {}}
    assert back("tax_rules", rule, None) == rule


def test_settings_are_what_they_were() -> None:
    change = EntryChange("settings", "tax", "exclusive", "inclusive")

    assert file_back_to([change]) == {"settings": {"tax": "exclusive"}}
