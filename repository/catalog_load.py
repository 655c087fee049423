"""A catalogue file into the database: validated whole, then written whole or not at all."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repository import credentials, queries
from repository.database import Connection
from schemas.catalog_check import KEYS, Known, check, to_look_up
from schemas.catalog_entries import CatalogFile, CredentialEntry

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
# Facts, not part of the snapshot: they do not move its version.
_FACTS = frozenset({*_LIVE, "clients", "contacts"})


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


async def load(connection: Connection, file: CatalogFile) -> LoadReport:
    """Load a catalogue file. The caller holds the transaction and commits it.

    Repeatable: it adds and updates, and never deletes: products, prices, fields and choices that have left the file
    stay (retire a product; give -1.00 for a price that is not offered any more). Lists of references inside an entry
    are replaced. Stock and promotion uses are set the first time only. Orders, services, their addons and domains that
    exist are left alone. The version moves once, if anything changed that the snapshot holds.

    Raises:
        CatalogError: all faults at once; nothing was written.
    """
    assert connection.is_in_transaction()
    version = await connection.fetchval(SQL["lock"])
    check(file, await _known(connection, file))
    sections = file.model_dump(mode="json", exclude={"api_credentials"})
    sections["api_credentials"], notes = await _credentials(connection, file.api_credentials)
    counts = {name: await _save(connection, name, sections[name]) for name in _STATEMENTS if sections[name]}
    moved = any(count.new or count.updated for name, count in counts.items() if name not in _FACTS)
    if moved:
        version = await connection.fetchval(SQL["move_version"])
    return LoadReport(counts, version, moved, tuple(notes))


async def _known(connection: Connection, file: CatalogFile) -> Known:
    wanted = [{"section": mention.section, "key": mention.key} for mention in to_look_up(file)]
    found = await connection.fetch(SQL["look_up"], json.dumps(wanted))
    return Known(
        currencies={
            row["code"]: (row["is_default"], row["digits"]) for row in await connection.fetch(SQL["currencies"])
        },
        owners={(row["section"], row["key"]): row["owner"] for row in found},
    )


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
    replaced = {row["identifier"]: row["old_secret_hash"] for row in found}
    for number, entry in enumerate(entries):
        place, kept = f"api_credentials[{number}]: {entry.identifier}", hashes.get(entry.identifier)
        if kept is None and entry.identifier in hashes:
            notes.append(f"{place} was revoked and stays so; `orders credentials add` makes a new one")
        elif kept is None and entry.secret is None:
            notes.append(f"{place} has no secret here and was left out; `orders credentials add` makes one")
        else:
            secret_hash = await asyncio.to_thread(_hash, entry, kept, replaced.get(entry.identifier))
            if secret_hash is None:
                notes.append(f"{place} keeps its new secret: the one here was replaced; take it out of the file")
            actions = sorted(set(entry.actions))
            rows.append({"identifier": entry.identifier, "secret_hash": secret_hash or kept, "actions": actions})
    return rows, notes


def _hash(entry: CredentialEntry, kept: str | None, replaced: str | None) -> str | None:
    """Hash a secret; None: it was replaced since it was written into the file, and must not come back with it."""
    secret = entry.secret.get_secret_value() if entry.secret else None
    if kept is not None and (secret is None or credentials.is_hash_of(kept, secret)):
        return kept
    assert secret is not None, "a new credential without a secret was left out"
    if replaced is not None and credentials.is_hash_of(replaced, secret):
        return None
    return credentials.hash_of(secret)
