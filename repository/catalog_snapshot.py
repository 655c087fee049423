"""The catalogue as an immutable snapshot: one query a table, put together here."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar

import asyncpg

from repository import queries, shop_settings
from repository.database import Connection
from schemas.catalog import (
    CYCLES,
    Addon,
    Affiliate,
    BillingCycle,
    Catalog,
    ConfigChoice,
    ConfigOption,
    Credential,
    Currency,
    CustomField,
    DomainField,
    Extra,
    FreeDomain,
    FreeDomainKind,
    LatePhase,
    PaymentMethod,
    Price,
    Prices,
    Product,
    Promotion,
    PromotionType,
    Prorata,
    QuantityRule,
    TaxRule,
    Tld,
)
from schemas.shop_settings import ShopSettings

SQL = queries.load("catalog.sql")

READS_MAX = 5

Row = asyncpg.Record
Key = TypeVar("Key")
Value = TypeVar("Value")


async def versions(connection: Connection) -> tuple[int, int]:
    """Return the versions of the catalogue and of its credentials: whatever of `read` changes, one of them moves."""
    row = await connection.fetchrow(SQL["versions"])
    assert row is not None, "the migrations make the one row of the catalogue"
    return row["version"], row["credentials_version"]


async def read(connection: Connection) -> Catalog:
    """Read the whole catalogue as it stands at one version, in a transaction or not.

    Raises:
        TimeoutError: it moved again and again while it was read.
    """
    for _ in range(READS_MAX):
        catalog = await _read(connection)
        # A load between two of the queries would show as a mixture; it moves a version.
        if await versions(connection) == (catalog.version, catalog.credentials_version):
            return catalog
    raise TimeoutError(f"the catalogue moved {READS_MAX} times while it was read")


async def _read(connection: Connection) -> Catalog:
    (row,) = await connection.fetch(SQL["catalogue"])
    return Catalog(
        version=row["version"],
        credentials_version=row["credentials_version"],
        order_number_key=row["order_number_key"].bytes,
        settings=ShopSettings.of(shop_settings.given(row)),
        currencies=_frozen({row["code"]: Currency(**row) for row in await connection.fetch(SQL["currencies"])}),
        payment_methods=_frozen(
            {
                row["name"]: PaymentMethod(row["name"], row["display_name"], row["active"])
                for row in await connection.fetch(SQL["payment_methods"])
            }
        ),
        group_discounts=_frozen(
            {row["id"]: row["discount_percent"] for row in await connection.fetch(SQL["client_groups"])}
        ),
        tax_rules=tuple(
            TaxRule(**{**row, "state_aliases": tuple(row["state_aliases"])})
            for row in await connection.fetch(SQL["tax_rules"])
        ),
        products=await _products(connection),
        addons=await _addons(connection),
        tlds=await _tlds(connection),
        promotions=await _promotions(connection),
        affiliates=_frozen({row["id"]: Affiliate(**row) for row in await connection.fetch(SQL["affiliates"])}),
        credentials=_frozen(
            {
                row["identifier"]: Credential(**{**row, "actions": frozenset(row["actions"])})
                for row in await connection.fetch(SQL["credentials"])
            }
        ),
    )


async def _products(connection: Connection) -> Mapping[int, Product]:
    prices = await _prices(connection, "product_prices")
    fields = _grouped(await connection.fetch(SQL["custom_fields"]), "product_id")
    options = await _config_options(connection)
    return _frozen(
        {
            row["id"]: Product(
                id=row["id"],
                name=row["name"],
                type=row["type"],
                pay_type=row["pay_type"],
                taxed=row["taxed"],
                retired=row["retired"],
                quantity_rule=QuantityRule(row["quantity_rule"]),
                stock_controlled=row["stock_controlled"],
                prorata=_prorata(row),
                free_domain=_free_domain(row),
                prices=prices.get(row["id"], _NO_PRICES),
                custom_fields=tuple(
                    CustomField(field["id"], field["name"], field["type"], field["required"], tuple(field["options"]))
                    for field in fields.get(row["id"], ())
                ),
                config_options=options.get(row["id"], ()),
            )
            for row in await connection.fetch(SQL["products"])
        }
    )


def _prorata(row: Row) -> Prorata | None:
    return Prorata(row["prorata_day"], row["prorata_charge_next_month"]) if row["prorata_day"] else None


def _free_domain(row: Row) -> FreeDomain | None:
    cycles = frozenset(map(BillingCycle, row["free_domain_cycles"]))
    tlds = frozenset(row["free_domain_tlds"])
    return FreeDomain(cycles, tlds, FreeDomainKind(row["free_domain_kind"])) if cycles and tlds else None


async def _config_options(connection: Connection) -> Mapping[int, tuple[ConfigOption, ...]]:
    prices = await _prices(connection, "config_choice_prices")
    choices = _grouped(await connection.fetch(SQL["config_choices"]), "option_id")
    options = _grouped(await connection.fetch(SQL["config_options"]), "product_id")
    return {
        product_id: tuple(
            ConfigOption(
                id=row["id"],
                name=row["name"],
                type=row["type"],
                quantity_min=row["quantity_min"],
                quantity_max=row["quantity_max"],
                choices=tuple(
                    ConfigChoice(choice["id"], choice["name"], prices.get(choice["id"], _NO_PRICES))
                    for choice in choices.get(row["id"], ())
                ),
            )
            for row in rows
        )
        for product_id, rows in options.items()
    }


async def _addons(connection: Connection) -> Mapping[int, Addon]:
    prices = await _prices(connection, "addon_prices")
    products = _grouped(await connection.fetch(SQL["addon_products"]), "addon_id")
    return _frozen(
        {
            row["id"]: Addon(
                id=row["id"],
                name=row["name"],
                taxed=row["taxed"],
                products=None
                if row["all_products"]
                else frozenset(link["product_id"] for link in products.get(row["id"], ())),
                prices=prices.get(row["id"], _NO_PRICES),
                retired=row["retired"],
                prorata=row["prorata"],
            )
            for row in await connection.fetch(SQL["addons"])
        }
    )


async def _tlds(connection: Connection) -> Mapping[str, Tld]:
    terms: dict[tuple[str, str], dict[str, dict[int, Decimal]]] = {}
    for row in await connection.fetch(SQL["tld_prices"]):
        terms.setdefault((row["tld"], row["kind"]), {}).setdefault(row["currency"], {})[row["years"]] = row["price"]
    extras: dict[str, dict[str, dict[Extra, Decimal]]] = {}
    for row in await connection.fetch(SQL["tld_extras"]):
        extras.setdefault(row["tld"], {}).setdefault(row["currency"], {})[Extra(row["extra"])] = row["price_per_year"]
    fields = _grouped(await connection.fetch(SQL["tld_fields"]), "tld")
    fees: dict[tuple[str, str], dict[str, Decimal]] = {}
    for row in await connection.fetch(SQL["tld_late_fees"]):
        fees.setdefault((row["tld"], row["phase"]), {})[row["currency"]] = row["fee"]
    return _frozen(
        {
            row["tld"]: Tld(
                tld=row["tld"],
                taxed=row["taxed"],
                epp_required=row["epp_required"],
                register=_frozen(terms.get((row["tld"], "register"), {})),
                transfer=_frozen(terms.get((row["tld"], "transfer"), {})),
                renew=_frozen(terms.get((row["tld"], "renew"), {})),
                extras=_frozen(extras.get(row["tld"], {})),
                fields=tuple(
                    DomainField(field["name"], field["type"], field["required"], tuple(field["options"]))
                    for field in fields.get(row["tld"], ())
                ),
                grace=_late_phase(row["grace_days"], fees.get((row["tld"], "grace"), {})),
                redemption=_late_phase(row["redemption_days"], fees.get((row["tld"], "redemption"), {})),
            )
            for row in await connection.fetch(SQL["tlds"])
        }
    )


def _late_phase(days: int | None, fee: Mapping[str, Decimal]) -> LatePhase | None:
    return None if days is None else LatePhase(days, _frozen(fee))


async def _promotions(connection: Connection) -> Mapping[str, Promotion]:
    values = _grouped(await connection.fetch(SQL["promotion_values"]), "promotion_id")
    return _frozen(
        {
            row["code"].lower(): Promotion(
                **{
                    **row,
                    "type": PromotionType(row["type"]),
                    "values": _frozen({one["currency"]: one["value"] for one in values.get(row["id"], ())}),
                    "requires_products": frozenset(row["requires_products"]),
                    "cycles": frozenset(map(BillingCycle, row["cycles"])),
                    "products": _all_or_set(row["products"]),
                    "addons": _all_or_set(row["addons"]),
                    "tlds": _all_or_set(row["tlds"]),
                }
            )
            for row in await connection.fetch(SQL["promotions"])
        }
    )


async def _prices(connection: Connection, query: str) -> Mapping[int, Prices]:
    tables: dict[int, dict[str, dict[BillingCycle, Price]]] = {}
    for row in sorted(await connection.fetch(SQL[query]), key=lambda row: CYCLES.index(row["cycle"])):
        table = tables.setdefault(row["id"], {}).setdefault(row["currency"], {})
        table[BillingCycle(row["cycle"])] = Price(row["price"], row["setup"])
    return _frozen(tables)


def _grouped(rows: list[Row], key: str) -> Mapping[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def _all_or_set(keys: list[Value] | None) -> frozenset[Value] | None:
    return None if keys is None else frozenset(keys)


def _frozen(table: Mapping[Key, Value]) -> Mapping[Key, Value]:
    """Make a table of tables read-only, all the way down."""
    return MappingProxyType({key: _frozen(value) if isinstance(value, dict) else value for key, value in table.items()})  # type: ignore[misc]  # a frozen dict is of no other type


_NO_PRICES: Prices = _frozen({})
