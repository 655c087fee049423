"""A catalogue file into the database: validated whole, then written whole or not at all."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from repository import catalog_versions, credentials, invoice_numbers, queries, shop_settings
from repository.catalog_export import sections
from repository.catalog_versions import Act
from repository.database import Connection
from schemas.catalog_changes import EntryChange, Sections, compare, in_detail, named, sentence
from schemas.catalog_check import KEYS, Known, check, to_look_up
from schemas.catalog_entries import CatalogFile, CredentialEntry, SettingsEntry
from schemas.catalog_file import parse
from schemas.catalog_rollback import file_back_to
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
    "tlds": ("save_tlds", "save_tld_late_fees", "save_tld_prices", "save_tld_extras", "save_tld_fields"),
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
    changes: tuple[EntryChange, ...]  # of what the version is of; none: it did not move
    notes: tuple[str, ...]  # what was left as it is, and why

    @property
    def moved(self) -> bool:
        return bool(self.changes)


async def load(
    connection: Connection, file: CatalogFile, *, by: str, force: bool = False, dry_run: bool = False
) -> LoadReport:
    """Load a catalogue file, for the person that `by` names. The caller holds the transaction and commits it.

    Repeatable: it adds and updates, and never deletes: products, prices, fields and choices that have left the file
    stay (retire a product; give -1.00 for a price that is not offered any more). Lists of references inside an entry
    are replaced. Stock and promotion uses are set the first time only. Orders, services, their addons and domains that
    exist are left alone. The version moves once, if anything changed that the snapshot holds. Only with `force`
    is `tax` turned while there is anything with a recurring amount. With `dry_run` all of it is undone again: the
    report tells what would be.

    Raises:
        CatalogError: all faults at once; nothing was written.
    """
    assert connection.is_in_transaction()
    await catalog_versions.lock(connection)
    async with _undone_if(connection, dry_run):
        before = await sections(connection)
        counts, notes = await _write(connection, file, force=force, dry_run=dry_run)
        changes = compare(before, await sections(connection))
        version = await catalog_versions.record(connection, changes, by=by, act=Act.LOAD)
    return LoadReport(counts, version, changes, notes)


async def rollback(
    connection: Connection, back_to: int, *, by: str, force: bool = False, dry_run: bool = False
) -> LoadReport:
    """Let what is sold be as it was in an older version: a new version, made as by a load (catalog_rollback.py).

    Clients, what they own, stock, uses and credentials are as they are. What orders may refer to is never deleted: what
    was not there then is no longer sold, and noted. `by`, `force` and `dry_run` are those of `load`.

    Raises:
        VersionError: there is no such version, or nobody knows what was changed since.
        CatalogError: it would turn `tax`, without `force`.
    """
    assert connection.is_in_transaction()
    await catalog_versions.lock(connection)
    async with _undone_if(connection, dry_run):
        since = await catalog_versions.between(connection, back_to)
        file = parse(json.dumps(file_back_to(since)))
        before = await sections(connection)
        counts, _ = await _write(connection, file, force=force, dry_run=dry_run)
        added = [int(change.key) for change in since if change.section == "tax_rules" and change.before is None]
        await connection.execute(SQL["delete_tax_rules"], added)
        after = await sections(connection)
        changes = compare(before, after)
        version = await catalog_versions.record(connection, changes, by=by, act=Act.ROLLBACK, back_to=back_to)
    return LoadReport(counts, version, changes, tuple(_left(since, after)))


class _Undone(Exception):
    """What ends a dry run."""


@asynccontextmanager
async def _undone_if(connection: Connection, dry_run: bool) -> AsyncIterator[None]:  # noqa: FBT001  # said by its name
    """Let what is written stand, unless it is a dry run or fails: a savepoint in the caller's transaction."""
    with suppress(_Undone):
        async with connection.transaction():
            yield
            if dry_run:
                raise _Undone


def _left(since: Iterable[EntryChange], after: Sections) -> Iterator[str]:
    """Name what is not as it was before these changes, because it can not be taken back."""
    for change in since:
        left = EntryChange(change.section, change.key, change.before, after[change.section].get(change.key))
        if left.before is None and left.after is not None:
            [whole] = in_detail([left])
            yield f"{named(whole)} was not there then: it stays, and is no longer sold or applied"
        elif left.before != left.after:
            yield from (f"stays: {sentence(value)}" for value in in_detail([left]))


async def _write(
    connection: Connection, file: CatalogFile, *, force: bool, dry_run: bool
) -> tuple[dict[str, Count], tuple[str, ...]]:
    """Check and write a file; return what it came to, section by section, and notes."""
    known = await _known(connection, file)
    check(file, known, force=force)
    given = file.model_dump(mode="json", exclude={"settings", "api_credentials"})
    given["api_credentials"], notes = await _credentials(connection, file.api_credentials)
    counts = await _save_settings(connection, file.settings.given, known.settings)
    for section in _STATEMENTS:
        if given[section]:
            counts[section] = await _save(connection, section, given[section], dry_run=dry_run)
    if (made := counts.get("api_credentials")) and (made.new or made.updated):
        await catalog_versions.move_credentials(connection)
    notes += await _go_on_numbering(connection, file.settings, known.settings)
    return counts, tuple(notes)


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


async def _go_on_numbering(connection: Connection, settings: SettingsEntry, before: Given) -> list[str]:
    """Let the present series of invoice numbers go on where the file says, and note where it can not.

    Only when the file says something new: else a file that is loaded each night would let each year begin there.
    The last lock of a load, as it is of an order's transaction.
    """
    position = settings.invoice_next
    if position is None:
        return []
    said = await shop_settings.said_next(connection, position)
    numbers = ShopSettings.of({**before, **settings.given}).numbers
    if numbers is None:
        return ["settings.invoice_next does nothing: there is no invoice_number, and invoices get none"]
    if position == said and settings.invoice_number in (None, before.get("invoice_number")):
        return []
    following = await invoice_numbers.go_on_at(connection, position, numbers)
    if following == position:
        return []
    return [f"settings.invoice_next: {position} was given already, or passed over: invoices go on with {following}"]


async def _save(connection: Connection, section: str, entries: list[dict[str, Any]], *, dry_run: bool) -> Count:
    given = json.dumps(entries)
    new: set[Any] = set()
    changed: set[Any] = set()
    for statement in _STATEMENTS[section]:
        for row in await connection.fetch(SQL[statement], given):
            (new if row["is_new"] else changed).add(row["key"])
    if new and section in _LIVE and not dry_run:  # what a sequence has given is not taken back with a transaction
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
