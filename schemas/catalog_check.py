"""What only several entries of a catalogue file together can get wrong, and what the database says to them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from schemas.catalog import PromotionType
from schemas.catalog_entries import CatalogFile, PriceEntry
from schemas.catalog_file import CatalogError, shown
from schemas.shop_settings import Given

# What tells the entries of a section apart.
KEYS = {
    "currencies": "code",
    "payment_methods": "name",
    "client_groups": "id",
    "tax_rules": "id",
    "products": "id",
    "addons": "id",
    "tlds": "tld",
    "promotions": "id",
    "clients": "id",
    "contacts": "id",
    "affiliates": "id",
    "orders": "id",
    "services": "id",
    "service_addons": "id",
    "domains": "id",
    "api_credentials": "identifier",
}

# What an entry belongs to for good: to load its id with another owner would be to take over somebody else's row.
_OWNERS = {
    "orders": "order_number",
    "services": "client_id",
    "service_addons": "service_id",
    "domains": "name",
}

# Attributes that name an entry of another section.
_REFERENCES = (
    ("clients", "currency", "currencies"),
    ("clients", "group_id", "client_groups"),
    ("contacts", "client_id", "clients"),
    ("affiliates", "client_id", "clients"),
    ("orders", "client_id", "clients"),
    ("services", "client_id", "clients"),
    ("services", "product_id", "products"),
    ("service_addons", "service_id", "services"),
    ("service_addons", "addon_id", "addons"),
    ("domains", "client_id", "clients"),
    ("domains", "free_with", "services"),
)

_NOUNS = {
    "currencies": "currency",
    "client_groups": "client group",
    "products": "product",
    "addons": "addon",
    "tlds": "TLD",
    "promotion_codes": "promotion code",
    "clients": "client",
    "services": "service",
}
_OWNER_NOUNS = {
    "custom_fields": "product",
    "config_options": "product",
    "config_choices": "option",
    "promotion_codes": "promotion",
    "orders": "order number",
    "order_numbers": "order",
    "services": "client",
    "service_addons": "service",
    "domains": "domain",
}


@dataclass(frozen=True, slots=True)
class Mention:
    """Something that the file describes or refers to. `owner` is set for what belongs to one thing for good."""

    path: str
    section: str
    key: str
    owner: str | None = None


_ANY_PAYMENT_METHOD = Mention("orders", "payment_methods", "")


@dataclass(frozen=True, slots=True)
class Known:
    """What the database has: every currency (is it the default?, digits), and the owner of what was looked up in it.

    `settings` are those that are set there; `has_recurring` is whether anything is paid again and again.
    """

    currencies: Mapping[str, tuple[bool, int]] = field(default_factory=dict)
    owners: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (section, key) → owner; "": nobody's
    settings: Given = field(default_factory=dict)
    has_recurring: bool = False


def to_look_up(file: CatalogFile) -> list[Mention]:
    """List what only the database can tell: references that lead out of the file, and who owns what is owned."""
    owned = (mention for mention in _described(file) if mention.owner is not None)
    return [*_leading_out(file), *owned, *_time_zone(file)]


def _leading_out(file: CatalogFile) -> list[Mention]:
    here = {(mention.section, mention.key) for mention in _described(file)}
    leading_out = [mention for mention in _references(file) if (mention.section, mention.key) not in here]
    return [*leading_out, _ANY_PAYMENT_METHOD] if _need_payment_method(file) else leading_out


def _time_zone(file: CatalogFile) -> Iterator[Mention]:
    if file.settings.timezone is not None:
        yield Mention("settings.timezone", "time_zones", file.settings.timezone)


def _has_any(file: CatalogFile, section: str) -> bool:
    return bool(getattr(file, {"promotion_codes": "promotions"}.get(section, section), ()))


def elsewhere(file: CatalogFile) -> list[Mention]:
    """List the references to kinds of entries of which the file has none: a file may be loaded on top of others."""
    return [mention for mention in _leading_out(file) if not _has_any(file, mention.section)]


def check(file: CatalogFile, known: Known | None = None, *, force: bool = False) -> None:
    """Check how the entries fit together, and with what is `known` of the database.

    With None the file is looked at by itself: what it refers to may be in the database, unless the file describes
    others of that kind, and so may the default currency. With `force` that
    passes which only the shop can know to be right.

    Raises:
        CatalogError: all faults at once.
    """
    is_alone = known is None
    known = known or Known(owners={(mention.section, mention.key): "" for mention in elsewhere(file)})
    faults = [*_repeats(file), *_unknown(file, known), *_owned_by_others(file, known)]
    faults += _defaults(file, known, may_be_elsewhere=is_alone)
    faults += _digits(file, known)
    faults += [] if is_alone else _unknown_time_zone(file, known)
    faults += [] if force else _tax_turned(file, known)
    if faults:
        raise CatalogError(faults)


def _repeats(file: CatalogFile) -> Iterator[str]:
    first: dict[tuple[str, str], str] = {}
    for mention in _described(file):
        key = (mention.section, mention.key)
        if key in first:
            yield f"{mention.path}: {shown(mention.key)} is already at {first[key]}"
        first.setdefault(key, mention.path)


def _unknown(file: CatalogFile, known: Known) -> Iterator[str]:
    here = {(mention.section, mention.key) for mention in _described(file)}
    for mention in _references(file):
        key = (mention.section, mention.key)
        if key not in here and key not in known.owners:
            yield f"{mention.path}: there is no {_NOUNS[mention.section]} {shown(mention.key)}"
    if _need_payment_method(file) and (_ANY_PAYMENT_METHOD.section, _ANY_PAYMENT_METHOD.key) not in known.owners:
        yield "orders: there is no payment method that they could have been placed with"


def _owned_by_others(file: CatalogFile, known: Known) -> Iterator[str]:
    for mention in _described(file):
        owner = known.owners.get((mention.section, mention.key))
        if owner and owner != mention.owner:
            noun = _OWNER_NOUNS[mention.section]
            yield f"{mention.path}: {shown(mention.key)} belongs to {noun} {shown(owner)} in the database"


def _defaults(file: CatalogFile, known: Known, *, may_be_elsewhere: bool) -> Iterator[str]:
    given = [currency.code for currency in file.currencies if currency.is_default]
    if len(given) > 1:
        yield f"currencies: {' and '.join(given)} can not both be the default"
    elif _currencies(file, known) and not _default_currency(file, known) and not may_be_elsewhere:
        yield "currencies: one of them must be the default"


def _digits(file: CatalogFile, known: Known) -> Iterator[str]:
    currencies = _currencies(file, known)
    for path, code, amount in _amounts(file, _default_currency(file, known)):
        _, digits = currencies.get(code, (False, 2))
        if amount != round(amount, digits):
            yield f"{path}: {code} has {digits or 'no'} decimals"


def _currencies(file: CatalogFile, known: Known) -> dict[str, tuple[bool, int]]:
    """Tell of every currency whether it is the default, and its digits: the file's word counts."""
    return {**known.currencies, **{one.code: (one.is_default, one.digits) for one in file.currencies}}


def _default_currency(file: CatalogFile, known: Known) -> str:
    """Name the default currency: the file's, else the database's that the file leaves so; empty: there is none."""
    given = (one.code for one in file.currencies if one.is_default)
    kept = (code for code, (is_default, _) in _currencies(file, known).items() if is_default)
    return next(given, None) or next(kept, "")


def _unknown_time_zone(file: CatalogFile, known: Known) -> Iterator[str]:
    """Find what this machine may know and the database does not: today is asked of its clock."""
    for mention in _time_zone(file):
        if (mention.section, mention.key) not in known.owners:
            yield f"{mention.path}: the database knows no time zone {shown(mention.key)}"


def _tax_turned(file: CatalogFile, known: Known) -> Iterator[str]:
    """Find that prices would mean something else, and with them every recurring amount there is."""
    before, tax = known.settings.get("tax"), file.settings.tax
    if known.has_recurring and before is not None and tax not in (None, before):
        why = f"would turn from {before} to {tax}, and there are services, addons or domains"
        yield f"settings.tax: {why}: all their recurring amounts would mean something else; --force does it"


def _need_payment_method(file: CatalogFile) -> bool:
    """Whether the database must have one: the file's orders are stored with the first there is."""
    return bool(file.orders) and not file.payment_methods


# ---------------------------------------------------------------- what the file says


def _described(file: CatalogFile) -> Iterator[Mention]:
    for section, name in KEYS.items():
        owner = _OWNERS.get(section)
        for path, entry in _entries(file, section):
            yield Mention(f"{path}.{name}", section, str(getattr(entry, name)), owner and str(getattr(entry, owner)))
    for path, product in _entries(file, "products"):
        yield from _described_by_product(path, product)
    for path, promotion in _entries(file, "promotions"):
        # Codes are matched without case (addorder.md 5.9).
        yield Mention(f"{path}.code", "promotion_codes", promotion.code.lower(), str(promotion.id))
    for path, order in _entries(file, "orders"):
        yield Mention(f"{path}.ordernum", "order_numbers", order.order_number, str(order.id))
    for path, tld in _entries(file, "tlds"):
        for number, asked in enumerate(tld.fields):
            yield Mention(f"{path}.fields[{number}].name", f"fields of {tld.tld}", asked.name)


def _described_by_product(path: str, product: Any) -> Iterator[Mention]:
    for number, asked in enumerate(product.custom_fields):
        yield Mention(f"{path}.custom_fields[{number}].id", "custom_fields", str(asked.id), str(product.id))
    for number, option in enumerate(product.config_options):
        at = f"{path}.config_options[{number}]"
        yield Mention(f"{at}.id", "config_options", str(option.id), str(product.id))
        for nth, choice in enumerate(option.choices):
            yield Mention(f"{at}.choices[{nth}].id", "config_choices", str(choice.id), str(option.id))


def _references(file: CatalogFile) -> Iterator[Mention]:
    for section, name, target in _REFERENCES:
        for path, entry in _entries(file, section):
            if getattr(entry, name) is not None:
                key = type(entry).model_fields[name].alias or name
                yield Mention(f"{path}.{key}", target, str(getattr(entry, name)))
    yield from _codes_used(file)
    for path, table in _price_tables(file):
        for code in table:
            yield Mention(f"{path}.{code}", "currencies", code)
    for path, section, keys in _reference_lists(file):
        for number, key in enumerate(keys or ()):
            yield Mention(f"{path}[{number}]", section, str(key))


def _codes_used(file: CatalogFile) -> Iterator[Mention]:
    for path, order in _entries(file, "orders"):
        if order.promotion is not None:
            yield Mention(f"{path}.promotion", "promotion_codes", order.promotion.lower())


def _reference_lists(file: CatalogFile) -> Iterator[tuple[str, str, Any]]:
    """List every list of keys: its path, whose keys they are, the keys."""
    for path, product in _entries(file, "products"):
        if product.free_domain:
            yield f"{path}.free_domain.tlds", "tlds", product.free_domain.tlds
    for path, addon in _entries(file, "addons"):
        yield f"{path}.products", "products", addon.products
    for path, promotion in _entries(file, "promotions"):
        yield f"{path}.requires_products", "products", promotion.requires_products
        for section in ("products", "addons", "tlds"):
            yield f"{path}.applies_to.{section}", section, getattr(promotion.applies_to, section)


def _price_tables(file: CatalogFile) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """List every table of amounts by currency."""
    for path, product in _entries(file, "products"):
        yield f"{path}.pricing", product.prices
        for number, option in enumerate(product.config_options):
            for nth, choice in enumerate(option.choices):
                yield f"{path}.config_options[{number}].choices[{nth}].pricing", choice.prices
    for path, addon in _entries(file, "addons"):
        yield f"{path}.pricing", addon.prices
    for path, tld in _entries(file, "tlds"):
        yield f"{path}.pricing", tld.prices
        yield f"{path}.extras", tld.extras
        for phase in ("grace", "redemption"):
            late = getattr(tld, phase)
            if late is not None:
                yield f"{path}.{phase}.fee", late.fee
    for path, promotion in _entries(file, "promotions"):
        yield f"{path}.values", promotion.values


def _amounts(file: CatalogFile, default: str) -> Iterator[tuple[str, str, Decimal]]:
    """List every amount that is in a currency: its path, the currency, the amount."""
    for path, table in _price_tables(file):
        for code, value in table.items():
            for at, amount in _leaves(f"{path}.{code}", value):
                yield at, code, amount
    for path, promotion in _entries(file, "promotions"):
        if promotion.type in (PromotionType.FIXED_AMOUNT, PromotionType.PRICE_OVERRIDE):
            yield f"{path}.value", default, promotion.value
    yield from _amounts_of_clients(file)


def _amounts_of_clients(file: CatalogFile) -> Iterator[tuple[str, str, Decimal]]:
    paid_in = {client.id: client.currency for client in file.clients}
    for path, client in _entries(file, "clients"):
        yield f"{path}.credit", client.currency, client.credit
    for section in ("services", "domains"):
        for path, entry in _entries(file, section):
            for name in {"recurring", "recurring_full"} & type(entry).model_fields.keys():
                for at, amount in _leaves(f"{path}.{name}", getattr(entry, name)):
                    yield at, paid_in.get(entry.client_id, ""), amount


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Decimal]]:
    if isinstance(value, PriceEntry):
        value = dict(value)
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from _leaves(f"{path}.{key}", member)
    elif value is not None:
        yield path, value


def _entries(file: CatalogFile, section: str) -> Iterator[tuple[str, Any]]:
    for number, entry in enumerate(getattr(file, section)):
        yield f"{section}[{number}]", entry
