"""The catalogue in the form of its file (deploy/sample/catalog.json): what is sold, without secrets or clients."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import asyncpg

from repository import invoice_numbers, queries
from repository.catalog_snapshot import read
from repository.database import Connection
from schemas.catalog import (
    Addon,
    Catalog,
    ConfigOption,
    Currency,
    LatePhase,
    Prices,
    Product,
    Promotion,
    TaxRule,
    Tld,
)
from schemas.catalog_changes import COUNTED_BY_SALES, Sections
from schemas.catalog_check import KEYS

SQL = queries.load("catalog.sql")

Entry = dict[str, Any]


async def export(connection: Connection) -> Entry:
    """Return what `load` takes: an empty database that loads it sells the same.

    Left out: clients and what they own, affiliates, and the secrets of credentials. Stock, uses and `invoice_next`
    are today's.
    The caller holds no transaction.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        catalog = await read(connection)
        exported = await _entries(connection, catalog)
        stock = {row["product_id"]: row["quantity"] for row in await connection.fetch(SQL["stock"])}
        uses = {row["promotion_id"]: row["uses"] for row in await connection.fetch(SQL["promotion_uses"])}
        settings = catalog.settings.as_in_file()
        if catalog.settings.numbers:
            settings["invoice_next"] = await invoice_numbers.following(connection, catalog.settings.numbers)
    counted = {"products": stock, "promotions": uses}
    for section, name in COUNTED_BY_SALES.items():
        for entry in exported[section]:
            entry[name] = counted[section].get(entry["id"], 0)
    del exported["affiliates"]
    credentials = [
        {"identifier": one.identifier, "actions": sorted(one.actions)} for one in catalog.credentials.values()
    ]
    return {"settings": settings, **exported, "api_credentials": credentials}


async def sections(connection: Connection) -> Sections:
    """Return what is sold, and whether affiliates are active, by section and key: what the catalogue's version is of.

    The caller has its turn to change the catalogue, or accepts a mixture.
    """
    catalog = await read(connection)
    entries = await _entries(connection, catalog)
    keyed = {section: {str(one[KEYS[section]]): one for one in entries[section]} for section in entries}
    return {"settings": catalog.settings.as_in_file(), **keyed}


async def _entries(connection: Connection, catalog: Catalog) -> dict[str, list[Entry]]:
    """Write the sections of a file, but for what sales count."""
    amounts = Amounts(catalog)
    return {
        "currencies": [_currency(one) for one in catalog.currencies.values()],
        "payment_methods": [_payment_method(row) for row in await connection.fetch(SQL["payment_methods"])],
        "client_groups": [_client_group(row) for row in await connection.fetch(SQL["client_groups"])],
        "tax_rules": [_tax_rule(rule) for rule in catalog.tax_rules],
        "products": [_product(product, amounts) for product in catalog.products.values()],
        "addons": [_addon(addon, amounts) for addon in catalog.addons.values()],
        "tlds": [_tld(tld, amounts) for tld in catalog.tlds.values()],
        "promotions": [_promotion(one, amounts) for one in catalog.promotions.values()],
        "affiliates": [_affiliate(row) for row in await connection.fetch(SQL["affiliates"])],
    }


class Amounts:
    """Writes money as text, in the digits of its currency."""

    def __init__(self, catalog: Catalog) -> None:
        self._digits = {currency.code: currency.digits for currency in catalog.currencies.values()}

    def text(self, amount: Decimal, currency: str) -> str:
        return f"{amount:.{self._digits[currency]}f}"

    def table(self, amounts: Mapping[str, Mapping[Any, Decimal]]) -> Entry:
        """Write a table of currency → key → amount."""
        return {
            currency: {str(key): self.text(amount, currency) for key, amount in table.items()}
            for currency, table in amounts.items()
        }

    def prices(self, prices: Prices) -> Entry:
        return {
            currency: {
                str(cycle): {"price": self.text(one.price, currency), "setup": self.text(one.setup, currency)}
                for cycle, one in table.items()
            }
            for currency, table in prices.items()
        }


def _currency(currency: Currency) -> Entry:
    return {
        "code": currency.code,
        "prefix": currency.prefix,
        "suffix": currency.suffix,
        "digits": currency.digits,
        "default": currency.is_default,
    }


def _payment_method(row: asyncpg.Record) -> Entry:
    return {
        "name": row["name"],
        "display_name": row["display_name"],
        "active": row["active"],
        "order": row["position"],
    }


def _client_group(row: asyncpg.Record) -> Entry:
    return {"id": row["id"], "name": row["name"], "discount_percent": str(row["discount_percent"])}


def _affiliate(row: asyncpg.Record) -> Entry:
    return {"id": row["id"], "client": row["client_id"], "active": row["active"]}


def _tax_rule(rule: TaxRule) -> Entry:
    return {
        "id": rule.id,
        "level": rule.level,
        "name": rule.name,
        "country": rule.country,
        "state": rule.state,
        "state_aliases": list(rule.state_aliases),
        "rate": str(rule.rate),
        "compound": rule.compound,
    }


def _product(product: Product, amounts: Amounts) -> Entry:
    prorata, free_domain = product.prorata, product.free_domain
    return {
        "id": product.id,
        "name": product.name,
        "type": product.type,
        "paytype": product.pay_type,
        "tax": product.taxed,
        "retired": product.retired,
        "allowqty": str(product.quantity_rule),
        "stock_control": product.stock_controlled,
        "prorata": prorata and {"day": prorata.day, "charge_next_month": prorata.charge_next_month},
        "free_domain": free_domain
        and {
            "cycles": _texts(free_domain.cycles),
            "tlds": _texts(free_domain.tlds),
            "kind": str(free_domain.kind),
        },
        "pricing": amounts.prices(product.prices),
        "custom_fields": [
            {"id": one.id, "name": one.name, "type": one.type, "required": one.required, "options": list(one.options)}
            for one in product.custom_fields
        ],
        "config_options": [_config_option(option, amounts) for option in product.config_options],
    }


def _config_option(option: ConfigOption, amounts: Amounts) -> Entry:
    return {
        "id": option.id,
        "name": option.name,
        "type": option.type,
        "min": option.quantity_min,
        "max": option.quantity_max,
        "choices": [
            {"id": choice.id, "name": choice.name, "pricing": amounts.prices(choice.prices)}
            for choice in option.choices
        ],
    }


def _addon(addon: Addon, amounts: Amounts) -> Entry:
    return {
        "id": addon.id,
        "name": addon.name,
        "tax": addon.taxed,
        "products": _all_or_list(addon.products),
        "pricing": amounts.prices(addon.prices),
        "retired": addon.retired,
        "prorata": addon.prorata,
    }


def _tld(tld: Tld, amounts: Amounts) -> Entry:
    kinds = {"register": tld.register, "transfer": tld.transfer, "renew": tld.renew}
    currencies = sorted({currency for table in kinds.values() for currency in table})
    tables = {kind: amounts.table(table) for kind, table in kinds.items()}
    return {
        "tld": tld.tld,
        "tax": tld.taxed,
        "epp_required": tld.epp_required,
        "pricing": {
            currency: {kind: table[currency] for kind, table in tables.items() if currency in table}
            for currency in currencies
        },
        "extras": amounts.table(tld.extras),
        "fields": [
            {"name": one.name, "type": one.type, "required": one.required, "options": list(one.options)}
            for one in tld.fields
        ],
        "grace": _late_phase(tld.grace, amounts),
        "redemption": _late_phase(tld.redemption, amounts),
    }


def _late_phase(phase: LatePhase | None, amounts: Amounts) -> Entry | None:
    if phase is None:
        return None
    return {
        "days": phase.days,
        "fee": {currency: amounts.text(fee, currency) for currency, fee in phase.fee.items()},
    }


def _promotion(promotion: Promotion, amounts: Amounts) -> Entry:
    return {
        "id": promotion.id,
        "code": promotion.code,
        "type": str(promotion.type),
        "value": str(promotion.value),
        "values": {currency: amounts.text(value, currency) for currency, value in promotion.values.items()},
        "recurring": promotion.recurring,
        "recur_for": promotion.recur_for,
        "start_date": promotion.start_date and promotion.start_date.isoformat(),
        "end_date": promotion.end_date and promotion.end_date.isoformat(),
        "max_uses": promotion.max_uses,
        "once_per_client": promotion.once_per_client,
        "new_signups_only": promotion.new_signups_only,
        "existing_clients_only": promotion.existing_clients_only,
        "requires_products": sorted(promotion.requires_products),
        "requires_existing": promotion.requires_existing,
        "cycles": _texts(promotion.cycles),
        "applies_to": {
            "products": _all_or_list(promotion.products),
            "addons": _all_or_list(promotion.addons),
            "tlds": _all_or_list(promotion.tlds),
        },
        "apply_once": promotion.apply_once,
    }


def _texts(words: Iterable[str]) -> list[str]:
    return sorted(map(str, words))


def _all_or_list(keys: Iterable[Any] | None) -> Any:
    return "all" if keys is None else sorted(keys)
