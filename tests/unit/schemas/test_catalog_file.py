"""The catalogue file: what is read from it, and what is said when it can not be."""

import json
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest

from schemas.catalog import BillingCycle, QuantityRule
from schemas.catalog_check import check
from schemas.catalog_file import CatalogError, parse
from tests.unit.schemas.catalog_entries import DOLLAR, PRODUCT, faults_in, faults_of, option, product, promotion, rule

SAMPLE = files("deploy").joinpath("sample", "catalog.json").read_bytes()

DOMAIN = {"id": 1, "client": 1, "years": 1, "recurring": "14.95", "status": "Active", "expires": "2027-01-15"}


# ---------------------------------------------------------------- what is read


def test_the_sample_is_in_order() -> None:
    file = parse(SAMPLE)

    check(file)

    assert len(file.products) == 25
    assert file.products[0].prices["USD"][BillingCycle.MONTHLY].price == Decimal("9.95")
    assert file.domains[9].name == "xn--bcher-alt-q9a.com"
    assert file.domains[9].name_unicode == "bücher-alt.com"


@pytest.mark.parametrize(
    ("written", "name", "name_unicode"),
    [
        ("\u2603.com", "xn--n3h.com", "\u2603.com"),
        ("xn--n3h.com", "xn--n3h.com", "\u2603.com"),
        ("AB--cd.com", "ab--cd.com", "ab--cd.com"),
    ],
)
def test_a_domain_that_idna_forbids_but_that_exists_is_taken(written: str, name: str, name_unicode: str) -> None:
    [entry] = parse(json.dumps({"domains": [{**DOMAIN, "name": written}]})).domains

    assert (entry.name, entry.name_unicode) == (name, name_unicode)


def test_yaml_says_the_same_as_json() -> None:
    written = """
        # a comment
        currencies:
        - {code: USD, prefix: $, suffix: " USD", digits: 2, default: true}
        products:
        - id: 1
          name: Starter
          type: hosting
          paytype: recurring
          tax: true
          retired: false
          allowqty: no
          stock_control: false
          stock_quantity: 0
          pricing:
            USD:
              monthly: {price: 9.95, setup: 0.00}
    """

    file = parse(written)

    assert file == parse(json.dumps({"currencies": [DOLLAR], "products": [PRODUCT]}))
    assert file.products[0].quantity_rule is QuantityRule.NO  # `no` is a word here, not false


def test_a_section_that_is_absent_is_empty() -> None:
    file = parse("{}")

    assert (file.products, file.clients) == ((), ())


def test_a_number_keeps_its_digits() -> None:
    written = json.dumps({"products": [PRODUCT]}).replace('"9.95"', "12345678901234.57")

    file = parse(written)

    assert file.products[0].prices["USD"][BillingCycle.MONTHLY].price == Decimal("12345678901234.57")


def test_minus_one_is_a_price_that_is_not_offered() -> None:
    written = json.dumps({"products": [PRODUCT]}).replace('"9.95"', "-1.00")

    file = parse(written)

    assert file.products[0].prices["USD"][BillingCycle.MONTHLY].price is None


# ---------------------------------------------------------------- one entry


@pytest.mark.parametrize(
    "amount", ["9.955", "-2", "1e3", "NaN", "Infinity", "1" * 15, " 9.95", "9,95", "\u0661", "", "1_0"]
)
def test_what_is_no_amount_is_refused(amount: str) -> None:
    price = {"price": amount, "setup": "0"}

    assert faults_in(products=[product(pricing={"USD": {"monthly": price}})]) == (
        "products[0].pricing.USD.monthly.price: must be an amount such as 9.95, with at most two decimals",
    )


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e1000000", "9.5000001"])
def test_a_number_that_is_no_amount_is_refused(number: str) -> None:
    written = json.dumps({"products": [PRODUCT]}).replace('"9.95"', number)

    (fault,) = faults_of(written)

    assert fault.startswith("products[0].pricing.USD.monthly.price: must be an amount such as 9.95")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"id": 0}, "id: must be at least 1"),
        ({"id": True}, "id: must be a whole number such as 7"),
        ({"id": 1.5}, "id: must be a whole number such as 7"),
        ({"id": 10**16}, "id: must be at most 1000000000000000"),
        ({"name": ""}, "name: must not be empty"),
        ({"name": "x" * 256}, "name: must not be longer than 255 characters"),
        ({"name": "a\0"}, "name: must not contain the character U+0000"),
        ({"name": "\ud800"}, "name: must be text"),
        ({"name": ["Starter"]}, "name: must be text"),
        ({"tax": "yes"}, "tax: must be true or false"),
        ({"tax": 1}, "tax: must be true or false"),
        ({"allowqty": "some"}, "allowqty: must be 'no', 'multiple' or 'scaling'"),
        ({"stock_quantity": -1}, "stock_quantity: must be at least 0"),
        ({"stock_quantity": 2**31}, "stock_quantity: must be at most 2147483647"),
        ({"prorata": {"day": 29}}, "prorata.day: must be at most 28"),
        ({"custom_fields": {}}, "custom_fields: must be a list"),
        ({"pricing": []}, "pricing: must be an object"),
        ({"pricing": {"usd": {}}}, "pricing.usd: must be a three-letter currency code such as USD"),
        ({"free_domain": {"cycles": [], "tlds": ["com"]}},
         "free_domain.tlds[0]: must be a TLD with its dot, in lower case, such as .co.uk"),
        ({"config_options": [option(type="quantity")]},
         "config_options[0]: an option of type quantity needs min and max"),
        ({"config_options": [option(type="quantity", min=2, max=1)]},
         "config_options[0]: min must not be more than max"),
        ({"config_options": [option(min=1)]},
         "config_options[0]: min and max are for options of type quantity only"),
        ({"config_options": [option(choices=[])]}, "config_options[0]: an option needs at least one choice"),
        ({"custom_fields": [{"id": 1, "name": "Region", "type": "dropdown", "required": True}]},
         "custom_fields[0]: a field of type dropdown needs options"),
    ],
)  # fmt: skip
def test_a_product_that_is_wrong_is_told_where_and_how(changes: dict[str, Any], fault: str) -> None:
    assert faults_in(products=[product(**changes)]) == (f"products[0].{fault}",)


@pytest.mark.parametrize(
    ("section", "entry", "fault"),
    [
        ("tax_rules", rule(country=None, state="Texas"), ": a rule for a state must name its country as well"),
        ("tax_rules", rule(rate="100.5"), ".rate: must be a percentage from 0 to 100 such as 8.875"),
        ("tax_rules", rule(country="usa"), ".country: must be a two-letter country code such as US"),
        ("promotions", promotion(value="100.01"), ": a percentage must not be more than 100"),
        ("promotions", promotion(start_date="2026-02-02", end_date="2026-02-01"),
         ": start_date must not be after end_date"),
        ("promotions", promotion(start_date="2026-02-30"), ".start_date: must be a date such as 2026-11-23"),
        ("promotions", promotion(end_date=20260201), ".end_date: must be a date such as 2026-11-23"),
        ("promotions", promotion(applies_to={"products": "some", "addons": [], "tlds": []}),
         '.applies_to.products: must be "all" or a list'),
    ],
)  # fmt: skip
def test_another_entry_that_is_wrong_is_told_where_and_how(section: str, entry: dict[str, Any], fault: str) -> None:
    assert faults_in(**{section: [entry]}) == (f"{section}[0]{fault}",)


def test_a_misspelt_key_is_named_with_the_one_that_was_meant() -> None:
    misspelt = product(retird=False)
    del misspelt["retired"]

    assert faults_in(products=[misspelt]) == (
        "products[0].retired: is missing",
        "products[0].retird: there is no such key; did you mean retired?",
    )


def test_a_misspelt_section_is_named() -> None:
    assert faults_in(product=[]) == ("product: there is no such key; did you mean products?",)


def test_all_faults_are_told_at_once() -> None:
    faults = faults_in(products=[product(id="x", name=""), product(tax=None)], tlds=[{"tld": "com"}])

    assert len(faults) == 7
    assert faults[:3] == (
        "products[0].id: must be a whole number such as 7",
        "products[0].name: must not be empty",
        "products[1].tax: must be true or false",
    )


def test_a_long_list_of_faults_is_cut_when_it_is_shown() -> None:
    with pytest.raises(CatalogError, match=r"… and 50 more$") as raised:
        parse(json.dumps({"products": [product(id=0) for _ in range(150)]}))

    assert len(raised.value.faults) == 150
    assert str(raised.value).count("\n") == 100


def test_a_fault_is_one_line_whatever_the_key() -> None:
    assert faults_in(products=[product(**{"a\nb\x1b[2J": 1})]) == ("products[0].'a\\nb\\x1b[2J': there is no such key",)


@pytest.mark.parametrize("credential", [
    {"identifier": "shop", "secret": "hunter2" * 50, "actions": ["addorder"]},
    {"identifier": "shop", "secret": ["hunter2"], "actions": ["addorder"]},
    {"identifier": "shop", "secret": "hunter2\0", "actions": ["add order"]},
])  # fmt: skip
def test_a_secret_is_never_told(credential: dict[str, Any]) -> None:
    with pytest.raises(CatalogError) as raised:
        parse(json.dumps({"api_credentials": [credential]}))

    assert "hunter2" not in f"{raised.value} {raised.value!r} {raised.value.__cause__!r} {raised.value.__context__!r}"


# ---------------------------------------------------------------- the file itself


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\xff", "byte 0 of the file is not UTF-8"),
        (b"", "the file: must be an object"),
        (b"[]", "the file: must be an object"),
        (b'{"products": [}', "line 1, column 15: is not JSON: Expecting value"),
        (b'{"products": [], "products": []}', "the key products is given twice in one object"),
        (b"products: [1", "line 1, column 13: is not YAML: expected ',' or ']', but got '<stream end>'"),
        (b"products: []\nproducts: []", "line 1, column 1: is not YAML: the key products is given twice"),
        (b"a: &a [1]\nb: *a", "line 2, column 6: is not YAML: aliases (*name) are not taken"),
        (b"a: !x", "line 1, column 4: is not YAML: could not determine a constructor for the tag '!x'"),
        (b"a: \0", "the file has characters that YAML does not allow"),
        (b'{"a":' * 100_000, "the file nests too deeply"),
        (b"[" * 100_000, "the file nests too deeply"),
        (b" " * (32 * 2**20 + 1), "the file must not be larger than 32 MiB"),
    ],
    ids=range(13),
)  # fmt: skip
def test_a_file_that_can_not_be_read_is_told_why(content: bytes, fault: str) -> None:
    assert faults_of(content) == (fault,)
