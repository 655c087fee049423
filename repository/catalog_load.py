"""A catalogue file into the database: validated whole, then written whole or not at all."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repository import catalog_versions, credentials, queries, shop_settings
from repository.database import Connection
from schemas.catalog_check import KEYS, Known, check, to_look_up
from schemas.catalog_entries import CatalogFile, CredentialEntry
from schemas.shop_settings import Given, ShopSettings

SQL = queries.load("catalog_load.sql")

# What writes each section, in the order of the foreign keys, which is also that of an order's locks: products,
# promotions, clients (architecture.md).
_STATEMENTS = {
    "currencies": ("save_default_currency", "save_currencies"),
    "payment_methods": ("save_payment_methods",),
    "client_groups": ("save_client_groups",),
    "tax_rules": ("save_tax_rules",),
    "products": (
        "save_products",
        "save_product_stock",
        "save_product_prices",
        "save_custom_fields",
        "save_config_options",
        "save_config_choices",
        "save_config_choice_prices",
    ),
    "addons": ("save_addons", "save_addon_products", "save_addon_prices"),
    "tlds": ("save_tlds", "save_tld_prices", "save_tld_extras", "save_tld_fields"),
    "promotions": ("save_promotions", "save_promotion_values", "save_promotion_uses"),
    "api_credentials": ("save_api_credentials",),
    "clients": ("save_clients",),
    "contacts": ("save_contacts",),
    "affiliates": ("save_affiliates",),
    "orders": ("save_orders",),
    "services": ("save_services",),
    "service_addons": ("save_service_addons",),
    "domains": ("save_domains",),
}
# They live: a row that exists is never overwritten. New ones take ids of their sequence.
_LIVE = ("orders", "services", "service_addons", "domains")
# Facts, not part of the snapshot, do not move its version; nor does a setting that is set to what held anyway. Of
# credentials that is a version of their own.
_NOT_COUNTED = frozenset({*_LIVE, "clients", "contacts", "settings", "api_credentials"})


@dataclass(frozen=True, slots=True)
class Count:
    """Of the entries of a section; one is updated when anything in it was."""

    new: int
    updated: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class LoadReport:
    sections: Mapping[str, Count]  # of those that the file has
    version: int  # the catalogue's, after the load
    moved: bool  # whether the load moved it
    notes: tuple[str, ...]  # what was left as it is, and why


async def load(connection: Connection, file: CatalogFile, *, force: bool = False) -> LoadReport:
    """Load a catalogue file. The caller holds the transaction and commits it.

    Repeatable: it adds and updates, and never deletes: products, prices, fields and choices that have left the file
    stay (retire a product; give -1.00 for a price that is not offered any more). Lists of references inside an entry
    are replaced. Stock and promotion uses are set the first time only. Orders, services, their addons and domains that
    exist are left alone. The version moves once, if anything changed that the snapshot holds. Only with `force`
    is `tax` turned while there is anything with a recurring amount.

    Raises:
        CatalogError: all faults at once; nothing was written.
    """
    assert connection.is_in_transaction()
    version = await catalog_versions.lock(connection)
    known = await _known(connection, file)
    check(file, known, force=force)
    sections = file.model_dump(mode="json", exclude={"settings", "api_credentials"})
    sections["api_credentials"], notes = await _credentials(connection, file.api_credentials)
    counts = await _save_settings(connection, file.settings.given, known.settings)
    counts |= {name: await _save(connection, name, sections[name]) for name in _STATEMENTS if sections[name]}
    moved = any(count.new or count.updated for name, count in counts.items() if name not in _NOT_COUNTED)
    moved |= ShopSettings.of({**known.settings, **file.settings.given}) != ShopSettings.of(known.settings)
    if moved:
        version = await catalog_versions.move(connection)
    if (given := counts.get("api_credentials")) and (given.new or given.updated):
        await catalog_versions.move_credentials(connection)
    return LoadReport(counts, version, moved, tuple(notes))


async def _known(connection: Connection, file: CatalogFile) -> Known:
    wanted = [{"section": mention.section, "key": mention.key} for mention in to_look_up(file)]
    found = await connection.fetch(SQL["look_up"], json.dumps(wanted))
    return Known(
        currencies={
            row["code"]: (row["is_default"], row["digits"]) for row in await connection.fetch(SQL["currencies"])
        },
        owners={(row["section"], row["key"]): row["owner"] for row in found},
        settings=await shop_settings.read(connection),
        has_recurring=await connection.fetchval(SQL["has_recurring"]),
    )


async def _save_settings(connection: Connection, settings: Given, before: Given) -> dict[str, Count]:
    """Set what the file names; a file that names nothing has no such section."""
    if not settings:
        return {}
    await shop_settings.save(connection, settings)
    new = len(settings.keys() - before.keys())
    unchanged = len(settings.items() & before.items())
    return {"settings": Count(new, len(settings) - new - unchanged, unchanged)}


async def _save(connection: Connection, section: str, entries: list[dict[str, Any]]) -> Count:
    given = json.dumps(entries)
    new: set[Any] = set()
    changed: set[Any] = set()
    for statement in _STATEMENTS[section]:
        for row in await connection.fetch(SQL[statement], given):
            (new if row["is_new"] else changed).add(row["key"])
    if new and section in _LIVE:
        await connection.execute(SQL["raise_sequence"], section, max(new))
    unchanged = {entry[KEYS[section]] for entry in entries} - new - changed
    return Count(len(new), len(changed - new), len(unchanged))


async def _credentials(
    connection: Connection, entries: tuple[CredentialEntry, ...]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Hash the secrets; one that is unchanged keeps its hash, so that loading again changes nothing."""
    rows, notes = [], []
    found = await connection.fetch(SQL["secret_hashes"], [entry.identifier for entry in entries])
    hashes = {row["identifier"]: row["secret_hash"] for row in found}
    for number, entry in enumerate(entries):
        place, kept = f"api_credentials[{number}]: {entry.identifier}", hashes.get(entry.identifier)
        if kept is None and entry.identifier in hashes:
            notes.append(f"{place} was revoked and stays so; `orders credentials add` makes a new one")
        elif kept is None and entry.secret is None:
            notes.append(f"{place} has no secret here and was left out; `orders credentials add` makes one")
        else:
            secret_hash = await asyncio.to_thread(_hash, entry, kept)
            actions = sorted(set(entry.actions))
            rows.append({"identifier": entry.identifier, "secret_hash": secret_hash, "actions": actions})
    return rows, notes


def _hash(entry: CredentialEntry, kept: str | None) -> str:
    secret = entry.secret.get_secret_value() if entry.secret else None
    if kept is not None and (secret is None or credentials.is_hash_of(kept, secret)):
        return kept
    assert secret is not None, "a new credential without a secret was left out"
    return credentials.hash_of(secret)
