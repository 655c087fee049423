"""What differs between two states of a catalogue, value by value, and in words."""

from typing import Any

import pytest

from schemas.catalog_changes import EntryChange, Sections, compare, in_detail, sentence

STARTER: dict[str, Any] = {
    "id": 7,
    "name": "Starter",
    "retired": False,
    "prorata": None,
    "free_domain": {"cycles": ["annually"], "tlds": [".com"]},
    "pricing": {"USD": {"monthly": {"price": "4.00", "setup": "0.00"}}},
    "custom_fields": [{"id": 1, "name": "Google", "required": False, "options": []}],
    "config_options": [
        {
            "id": 2,
            "name": "Disk",
            "max": None,
            "choices": [{"id": 3, "name": "5 GB", "pricing": {"USD": {"monthly": {"price": "1.00", "setup": "0.00"}}}}],
        }
    ],
}
COM: dict[str, Any] = {
    "tld": ".com",
    "epp_required": True,
    "pricing": {"USD": {"register": {"1": "14.95", "2": "29.90"}}},
    "extras": {"USD": {"idprotection": "5.00"}},
    "fields": [{"name": "Use", "required": False}],
}
CODE: dict[str, Any] = {
    "id": 2,
    "code": "FIVEOFF",
    "max_uses": 0,
    "values": {"EUR": "4.50"},
    "applies_to": {"products": "all"},
}


def sentences(section: str, before: Any, after: Any, key: str = "7") -> list[str]:
    return [sentence(value) for value in in_detail([EntryChange(section, key, before, after)])]


def price(price: str, setup: str = "0.00") -> dict[str, str]:
    return {"price": price, "setup": setup}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pricing": {"USD": {"monthly": price("0.40")}}}, ["monthly USD 4.00 → 0.40"]),
        ({"pricing": {"USD": {"monthly": price("4.00", "9.00")}}}, ["monthly USD 4.00 → 4.00 with setup 9.00"]),
        ({"pricing": {"USD": {"monthly": price("4.00"), "annually": price("40.00")}}},
         ["annually USD not sold → 40.00"]),
        ({"pricing": {}}, ["monthly USD 4.00 → not sold"]),
        ({"pricing": {"EUR": {"monthly": price("3.50")}}},
         ["monthly USD 4.00 → not sold", "monthly EUR not sold → 3.50"]),
        ({"retired": True, "name": "Basic"}, ["name Starter → Basic", "retired no → yes"]),
        ({"prorata": {"day": 1, "charge_next_month": 20}},
         ["prorata day none → 1", "prorata charge_next_month none → 20"]),
        ({"free_domain": None},
         ["free_domain cycles annually → none", "free_domain tlds .com → none"]),
        ({"custom_fields": [{"id": 1, "name": "Google", "required": True, "options": ["a", "b"]}]},
         ["field Google, required no → yes", "field Google, options none → a, b"]),
        ({"custom_fields": []}, ["field Google: gone"]),
        ({"custom_fields": [*STARTER["custom_fields"], {"id": 9, "name": "Size"}]}, ["field Size: new"]),
        ({"config_options": [{**STARTER["config_options"][0], "choices": [
            {"id": 3, "name": "5 GB", "pricing": {"USD": {"monthly": price("2.00")}}}]}]},
         ["option Disk, choice 5 GB, monthly USD 1.00 → 2.00"]),
        ({"config_options": []}, ["option Disk: gone"]),
    ],
)  # fmt: skip
def test_a_change_of_a_product_is_said_in_a_line(changes: dict[str, Any], said: list[str]) -> None:
    after = {**STARTER, **changes}

    name = "Basic" if "name" in changes else "Starter"
    assert sentences("products", STARTER, after) == [f"product 7 {name}: {line}" for line in said]


@pytest.mark.parametrize(
    ("section", "key", "before", "after", "said"),
    [
        ("tlds", ".com", COM, {**COM, "pricing": {"USD": {"register": {"1": "15.95", "2": "29.90"}}}},
         ["TLD .com: register 1 year USD 14.95 → 15.95"]),
        ("tlds", ".com", COM, {**COM, "pricing": {"USD": {"register": {"1": "14.95"}}}, "extras": {}},
         ["TLD .com: register 2 years USD 29.90 → not sold", "TLD .com: idprotection USD 5.00 → not sold"]),
        ("tlds", ".com", COM, {**COM, "fields": [{"name": "Use", "required": True}]},
         ["TLD .com: field Use, required no → yes"]),
        ("promotions", "2", CODE, {**CODE, "values": {}, "applies_to": {"products": ["1", "2"]}, "max_uses": 9},
         ["promotion 2 FIVEOFF: max_uses 0 → 9", "promotion 2 FIVEOFF: value EUR 4.50 → none",
          "promotion 2 FIVEOFF: applies_to products all → 1, 2"]),
        ("settings", "tax", "exclusive", "inclusive", ["setting tax: exclusive → inclusive"]),
        ("settings", "nameservers", [], ["ns1.a.b", "ns2.a.b"], ["setting nameservers: none → ns1.a.b, ns2.a.b"]),
        ("products", "7", None, STARTER, ["product 7 Starter: new"]),
        ("tax_rules", "3", {"id": 3, "name": "VAT"}, None, ["tax rule 3 VAT: gone"]),
        ("currencies", "USD", {"code": "USD", "suffix": ""}, {"code": "USD", "suffix": " USD"},
         ["currency USD: suffix empty → ' USD'"]),
        ("products", "7", {"id": 7, "name": "a"}, {"id": 7, "name": "\x1b[2J"},
         [r"product 7 '\x1b[2J': name a → '\x1b[2J'"]),
    ],
)  # fmt: skip
def test_every_kind_of_entry_is_said_by_its_name(
    section: str, key: str, before: Any, after: Any, said: list[str]
) -> None:
    assert sentences(section, before, after, key) == said


def test_another_order_of_what_is_asked_is_a_change_too() -> None:
    one, other = {"id": 1, "name": "A"}, {"id": 2, "name": "B"}

    assert sentences(
        "products", {"name": "x", "custom_fields": [one, other]}, {"name": "x", "custom_fields": [other, one]}
    ) == ["product 7 x: order of custom_fields 1, 2 → 2, 1"]


def test_a_script_has_the_place_as_a_file_names_it_with_ids() -> None:
    option = {**STARTER["config_options"][0], "choices": [{"id": 3, "name": "5 GB", "pricing": {}}]}
    after = {**STARTER, "config_options": [option], "pricing": {"USD": {"monthly": price("0.40")}}}

    found = [
        (value.path, value.before, value.after) for value in in_detail([EntryChange("products", "7", STARTER, after)])
    ]

    assert found == [
        ("pricing.USD.monthly", price("4.00"), price("0.40")),
        ("config_options[2].choices[3].pricing.USD.monthly", price("1.00"), None),
    ]


def test_states_are_compared_by_section_and_key() -> None:
    before: Sections = {"products": {"2": "a", "10": "b", "1": "c"}, "tlds": {".com": "d"}, "settings": {"tax": "e"}}
    after: Sections = {
        "products": {"2": "A", "10": "B", "1": "c"},
        "tlds": {},
        "settings": {"tax": "e"},
        "addons": {"1": "f"},
    }

    assert compare(before, after) == (
        EntryChange("addons", "1", None, "f"),
        EntryChange("products", "2", "a", "A"),
        EntryChange("products", "10", "b", "B"),
        EntryChange("tlds", ".com", "d", None),
    )
    assert compare(before, before) == ()
