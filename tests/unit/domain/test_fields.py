"""Custom fields and TLD fields: kept, refused, warned of (addorder.md 3 and 4)."""

import pytest

from schemas.catalog import CustomField, DomainField, DomainType
from schemas.order import Item, PricedDomain, PricedService
from tests.builders import a_catalog, a_product, a_request, a_tld, only_item, ordered, refused

SITE = CustomField(201, "Site name", "text", required=True, options=())
REGION = CustomField(202, "Region", "dropdown", required=False, options=("EU", "US"))
MANAGED = CustomField(203, "Managed", "tickbox", required=False, options=())
PASSWORD = CustomField(204, "Panel password", "password", required=False, options=())
FORM = a_catalog(products=[a_product(custom_fields=(SITE, REGION, MANAGED))])

LEGAL = DomainField("Legal Type", "dropdown", required=True, options=("Individual", "Company"))
REGISTRANT = DomainField("Registrant Name", "text", required=False, options=())
CO_UK = a_catalog(tlds=[a_tld(".co.uk", fields=(LEGAL, REGISTRANT))])


def product_item(**fields: str) -> Item:
    return Item(key=0, product_id=1, custom_fields={name.removeprefix("f"): text for name, text in fields.items()})


def domain_item(fields: dict[str, str]) -> Item:
    return Item(key=0, domain="firma.co.uk", domain_type=DomainType.REGISTER, domain_fields=fields)


def test_the_values_of_custom_fields_are_kept_by_id() -> None:
    service = only_item(ordered(a_request(product_item(f201="Zoë's blog", f202="EU", f203="on")), FORM))

    assert isinstance(service, PricedService)
    assert service.custom_fields == {201: "Zoë's blog", 202: "EU", 203: "on"}


@pytest.mark.parametrize("item", [product_item(f202="EU"), product_item(f201="", f202="EU")])
def test_a_required_custom_field_that_is_missing_or_empty_is_refused(item: Item) -> None:
    rejection = refused(a_request(item), FORM)

    assert rejection.code == "custom_field_required"
    assert rejection.message == "customfields[0]: field 201 (Site name) is required"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (product_item(f201="x", f202="Mars"), "field 202 (Region) takes EU, US"),
        (product_item(f201="x", f203="perhaps"), "field 203 (Managed) takes on, off"),
    ],
)
def test_a_value_that_a_custom_field_does_not_allow_is_refused(item: Item, words: str) -> None:
    rejection = refused(a_request(item), FORM)

    assert rejection.code == "custom_field_invalid"
    assert rejection.message == f"customfields[0]: {words}"
    assert "Mars" not in rejection.message


def test_outer_white_space_of_a_custom_field_is_nothing_but_in_a_password_it_counts() -> None:
    catalog = a_catalog(products=[a_product(custom_fields=(SITE, REGION, MANAGED, PASSWORD))])
    item = product_item(f201=" a blog\u00a0", f202="EU ", f203="on\n", f204=" secret ")

    service = only_item(ordered(a_request(item), catalog))

    assert isinstance(service, PricedService)
    assert service.custom_fields == {201: "a blog", 202: "EU", 203: "on", 204: " secret "}


def test_a_required_custom_field_of_white_space_only_is_refused() -> None:
    assert refused(a_request(product_item(f201=" ")), FORM).code == "custom_field_required"


def test_all_custom_fields_that_are_wrong_are_named() -> None:
    rejection = refused(a_request(product_item(f202="Mars")), FORM)

    assert [fault.code for fault in rejection.faults] == ["custom_field_required", "custom_field_invalid"]


def test_a_custom_field_that_the_product_does_not_have_is_a_warning_and_is_not_stored() -> None:
    order = ordered(a_request(product_item(f201="x", f77="secret")), FORM)

    service = only_item(order)
    assert isinstance(service, PricedService)
    assert service.custom_fields == {201: "x"}
    assert order.warnings == ("customfields[0]: product 1 has no field 77; it was not stored",)


def test_there_are_at_most_twenty_warnings() -> None:
    item = Item(key=0, product_id=1, custom_fields={str(field): "x" for field in range(1000, 1100)})

    assert len(ordered(a_request(item), a_catalog(products=[a_product()])).warnings) == 20


@pytest.mark.parametrize(
    "fields", [{"Legal Type": "Individual", "Registrant Name": "José"}, {"0": "Individual", "1": "José"}]
)
def test_the_fields_of_a_tld_are_taken_by_name_or_by_position_from_zero(fields: dict[str, str]) -> None:
    domain = only_item(ordered(a_request(domain_item(fields)), CO_UK))

    assert isinstance(domain, PricedDomain)
    assert domain.fields == {"Legal Type": "Individual", "Registrant Name": "José"}


def test_a_required_field_of_a_tld_that_is_missing_is_refused() -> None:
    rejection = refused(a_request(domain_item({"Registrant Name": "José"})), CO_UK)

    assert rejection.code == "domain_field_required"
    assert rejection.message == "domainfields[0]: Legal Type is required"


def test_a_value_that_a_tlds_field_does_not_allow_is_refused() -> None:
    rejection = refused(a_request(domain_item({"Legal Type": "Martian"})), CO_UK)

    assert rejection.code == "domain_field_invalid"
    assert rejection.message == "domainfields[0]: Legal Type takes Individual, Company"


def test_a_field_that_the_tld_does_not_have_is_a_warning_and_is_not_stored() -> None:
    order = ordered(a_request(domain_item({"Legal Type": "Individual", "Shoe size": "43", "2": "x"})), CO_UK)

    domain = only_item(order)
    assert isinstance(domain, PricedDomain)
    assert domain.fields == {"Legal Type": "Individual"}
    assert order.warnings == (
        "domainfields[0]: .co.uk has no field Shoe size; it was not stored",
        "domainfields[0]: .co.uk has no field 2; it was not stored",
    )
