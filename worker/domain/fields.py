"""Custom fields of products and fields of TLDs: what is kept, refused and warned of (addorder.md 4)."""

from collections.abc import Iterable, Iterator

from schemas import rejections
from schemas.catalog import CustomField, DomainField, Product, Tld
from schemas.order import Item
from schemas.rejections import place
from worker.domain.faults import Faults
from worker.domain.reading import yes_or_no

_KEY_CHARS_SHOWN = 40  # a key is the caller's text, and warnings are published


def custom_fields(item: Item, product: Product) -> dict[int, str]:
    """Keep the values of the product's custom fields. An empty text is absent; outer white space counts in passwords.

    Raises:
        Rejected: custom_field_required, custom_field_invalid; all of them at once.
    """
    faults = Faults()
    kept: dict[int, str] = {}
    for field in product.custom_fields:
        value = item.custom_fields.get(str(field.id), "")
        if field.type != "password":
            value = value.strip()
        if not value:
            if field.required:
                faults.add(rejections.custom_field_required(item.key, field.id, field.name))
        elif _allowed(field, value):
            kept[field.id] = value
        else:
            faults.add(rejections.custom_field_invalid(item.key, field.id, field.name, _values(field)))
    faults.raise_if_any()
    return kept


def domain_fields(item: Item, tld: Tld) -> dict[str, str]:
    """Keep the values of the TLD's fields, under their names. An empty text is absent.

    Raises:
        Rejected: domain_field_required, domain_field_invalid; all of them at once.
    """
    faults = Faults()
    kept: dict[str, str] = {}
    for position, field in enumerate(tld.fields):
        value = item.domain_fields.get(field.name) or item.domain_fields.get(str(position))
        if not value:
            if field.required:
                faults.add(rejections.domain_field_required(item.key, field.name))
        elif _allowed(field, value):
            kept[field.name] = value
        else:
            faults.add(rejections.domain_field_invalid(item.key, field.name, _values(field)))
    faults.raise_if_any()
    return kept


def unknown_custom_fields(item: Item, product: Product) -> Iterator[str]:
    """Warn of each custom field that the product does not have."""
    if not item.custom_fields:
        return iter(())
    known = {str(field.id) for field in product.custom_fields}
    return _unknown(place("customfields", item.key), item.custom_fields, known, f"product {product.id}")


def unknown_domain_fields(item: Item, tld: Tld) -> Iterator[str]:
    """Warn of each field that the TLD does not have, neither by name nor by position."""
    if not item.domain_fields:
        return iter(())
    known = {field.name for field in tld.fields} | {str(position) for position in range(len(tld.fields))}
    return _unknown(place("domainfields", item.key), item.domain_fields, known, tld.tld)


def _unknown(parameter: str, given: Iterable[str], known: set[str], owner: str) -> Iterator[str]:
    for key in given:
        if key not in known:
            yield f"{parameter}: {owner} has no field {key[:_KEY_CHARS_SHOWN]}; it was not stored"


def _allowed(field: CustomField | DomainField, value: str) -> bool:
    if field.options:
        return value in field.options
    return field.type != "tickbox" or yes_or_no(value) is not None


def _values(field: CustomField | DomainField) -> Iterable[str]:
    return field.options or ("on", "off")
