"""What can only be seen of several entries together, and of what a database has."""

import json
from typing import Any

import pytest

from schemas.catalog_check import Known, check, to_look_up
from schemas.catalog_file import CatalogError, parse
from tests.unit.schemas.catalog_entries import DOLLAR, PRODUCT, YEN, faults_in, product, promotion


def test_what_is_there_twice_is_named_with_both_places() -> None:
    faults = faults_in(
        currencies=[DOLLAR],
        products=[
            product(custom_fields=[{"id": 5, "name": "A", "type": "text", "required": False}]),
            product(id=2, custom_fields=[{"id": 5, "name": "B", "type": "text", "required": False}]),
            product(),
        ],
        promotions=[promotion(), promotion(id=2, code="ten")],
    )

    assert faults == (
        "products[2].id: 1 is already at products[0].id",
        "products[1].custom_fields[0].id: 5 is already at products[0].custom_fields[0].id",
        "promotions[1].code: ten is already at promotions[0].code",
    )


def test_what_is_referred_to_must_be_there() -> None:
    faults = faults_in(
        products=[product(free_domain={"cycles": ["annually"], "tlds": [".com"]})],
        addons=[{"id": 1, "name": "SSL", "tax": False, "products": [1, 9], "pricing": {}}],
        promotions=[promotion(requires_products=[7], applies_to={"products": "all", "addons": [3], "tlds": []})],
        contacts=[{"id": 1, "client": 8, "firstname": "", "lastname": "", "companyname": "", "email": ""}],
        orders=[{"id": 1, "ordernum": "1000000001", "client": 8, "date": "2026-01-10", "status": "Active",
                 "promotion": "GONE"}],
    )  # fmt: skip

    assert faults == (
        "contacts[0].client: there is no client 8",
        "orders[0].client: there is no client 8",
        "orders[0].promotion: there is no promotion code gone",
        "products[0].pricing.USD: there is no currency USD",
        "products[0].free_domain.tlds[0]: there is no TLD .com",
        "addons[0].products[1]: there is no product 9",
        "promotions[0].requires_products[0]: there is no product 7",
        "promotions[0].applies_to.addons[0]: there is no addon 3",
        "orders: there is no payment method that they could have been placed with",
    )


def test_what_the_database_has_may_be_referred_to() -> None:
    file = parse(json.dumps({"products": [PRODUCT]}))
    wanted = {(mention.section, mention.key) for mention in to_look_up(file)}

    check(file, Known(currencies={"USD": (True, 2)}, owners={("currencies", "USD"): ""}))

    assert wanted == {("currencies", "USD")}


@pytest.mark.parametrize("part", [
    {"products": [product(free_domain={"cycles": ["annually"], "tlds": [".com"]})]},
    {"promotions": [promotion(requires_products=[7], applies_to={"products": [1], "addons": [3], "tlds": []})]},
    {"orders": [{"id": 1, "ordernum": "1000000001", "client": 8, "date": "2026-01-10", "status": "Active"}]},
    {"currencies": [YEN]},
])  # fmt: skip
def test_a_part_may_refer_to_kinds_of_entries_that_it_does_not_have(part: dict[str, Any]) -> None:
    check(parse(json.dumps(part)))


def test_of_a_kind_that_the_file_has_all_must_be_in_it_where_there_is_no_database_to_ask() -> None:
    part = {"products": [product()], "addons": [{"id": 1, "name": "SSL", "tax": False, "products": [9], "pricing": {}}]}

    with pytest.raises(CatalogError) as raised:
        check(parse(json.dumps(part)))

    assert raised.value.faults == ("addons[0].products[0]: there is no product 9",)


def test_an_id_that_belongs_to_somebody_else_in_the_database_is_refused() -> None:
    field = {"id": 5, "name": "A", "type": "text", "required": False}
    file = parse(json.dumps({"currencies": [DOLLAR], "products": [product(custom_fields=[field])]}))

    with pytest.raises(CatalogError, match=r"^products\[0\].custom_fields\[0\].id: 5 belongs to product 3 in the"):
        check(file, Known(owners={("custom_fields", "5"): "3"}))


def test_an_amount_has_the_digits_of_its_currency() -> None:
    yen = {"JPY": {"monthly": {"price": "1985", "setup": "0.50"}}}

    assert faults_in(currencies=[DOLLAR, YEN], products=[product(pricing=yen)]) == (
        "products[0].pricing.JPY.monthly.setup: JPY has no decimals",
    )


def test_there_is_one_default_currency() -> None:
    assert faults_in(currencies=[{**DOLLAR, "default": False}]) == ("currencies: one of them must be the default",)
    assert faults_in(currencies=[DOLLAR, {**YEN, "default": True}]) == (
        "currencies: USD and JPY can not both be the default",
    )
