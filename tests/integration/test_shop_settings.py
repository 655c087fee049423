"""The shop's own settings: all workers price by the same ones, whatever their environments say."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from repository import catalog, shop_settings
from repository.database import Database
from schemas.catalog_file import CatalogError, parse
from schemas.shop_settings import Seller, ShopSettings, Tax, TaxExempt
from tests.integration.test_commands import orders
from tests.shop import SECONDS_MAX, Shop
from worker.commands.work import open_context
from worker.settings import Settings, SettingsError

TAXED = {"clientid": 7, "pid": 18, "paymentmethod": "paypal"}  # 100.00, to a client in Great Britain, whose VAT is 20 %
EXCLUSIVE, INCLUSIVE = "120.00", "100.00"
INVOICE = "SELECT total, tax, tax_inclusive, due - date AS days FROM invoices ORDER BY id DESC LIMIT 1"


async def amount(shop: Shop, **changes: Any) -> str:
    """Order the taxed plan, and return what it costs."""
    asked = await shop.publish({**TAXED, **changes})
    [added, *_] = await shop.until_events(str(asked.message_id), "order.added")
    return str(added.data["amount"])


async def load(shop: Shop, *options: str, **settings: Any) -> tuple[int, str]:
    ended = await orders(shop, "catalog", "load", "-", *options, stdin=json.dumps({"settings": settings}))
    return ended.returncode, ended.stderr


async def ended(shop: Shop, **environment: str) -> tuple[int, str]:
    """Start a worker that must end by itself; return its status and its last words."""
    worker = await shop.spawn_worker(**environment)
    status = await asyncio.to_thread(worker.process.wait, SECONDS_MAX)
    assert "Traceback" not in worker.words
    return status, " ".join(worker.words.split())


# ---------------------------------------------------------------- environments that differ


async def test_two_workers_whose_environments_differ_do_not_both_run(shop: Shop) -> None:
    await shop.start_worker(ORDERS_TAX="exclusive", ORDERS_INVOICE_GRACE_DAYS="14")

    status, words = await ended(shop, ORDERS_TAX="inclusive", ORDERS_INVOICE_GRACE_DAYS="30")

    assert status == 2
    assert (
        "ORDERS_TAX is inclusive, and the shop's own setting `tax` is exclusive: the shop's counts for all workers; "
        "unset ORDERS_TAX, or change `settings` with `orders catalog load`"
    ) in words
    assert "ORDERS_INVOICE_GRACE_DAYS is 30, and the shop's own setting `invoice_grace_days` is 14: " in words
    assert {await amount(shop) for _ in range(5)} == {EXCLUSIVE}


async def test_who_comes_first_sets_what_nobody_has_set_and_all_price_by_it(shop: Shop) -> None:
    first = await shop.start_worker(
        ORDERS_TAX="inclusive", ORDERS_INVOICE_GRACE_DAYS="14", ORDERS_NAMESERVERS="a.b,c.d"
    )
    first.stop()

    await shop.start_worker()  # its environment says nothing
    by_the_other = await amount(shop)

    [invoice] = await shop.fetch(INVOICE)
    # 20 % are contained: 100.00 x 20 / 120
    assert (by_the_other, str(invoice["tax"]), invoice["tax_inclusive"], invoice["days"]) == (
        INCLUSIVE, "16.67", True, 14,
    )  # fmt: skip
    assert await shop.fetch("SELECT tax, nameservers, timezone FROM catalogue") == [
        {"tax": "inclusive", "nameservers": ["a.b", "c.d"], "timezone": None}
    ]


async def test_a_worker_that_runs_takes_up_what_the_first_one_sets(shop: Shop) -> None:
    await shop.start_worker()
    before = await amount(shop)
    second = await shop.start_worker(ORDERS_TAX="inclusive")
    second.stop()

    assert (before, await amount(shop)) == (EXCLUSIVE, INCLUSIVE)


async def test_of_many_that_start_at_once_one_decides(shop: Shop) -> None:
    workers = [await shop.spawn_worker(ORDERS_TAX=tax) for tax in ("exclusive", "inclusive") * 2]
    await shop.until(lambda: sum(worker.process.poll() is not None for worker in workers) == 2)
    left = [worker for worker in workers if worker.process.poll() is None]

    [set_] = await shop.fetch("SELECT tax FROM catalogue")
    assert await amount(shop) == {"exclusive": EXCLUSIVE, "inclusive": INCLUSIVE}[set_["tax"]]
    assert [worker.stop() for worker in left] == [0, 0]


async def test_a_worker_tells_its_settings_when_it_starts_and_then_the_shops(shop: Shop) -> None:
    worker = await shop.start_worker(ORDERS_TAX="inclusive", ORDERS_BATCH_SIZE="7")

    started, settings, *_ = worker.log
    assert (started["event"], settings["event"]) == ("worker.started", "shop.settings")
    assert (started["tax"], started["batch_size"], started["secret_keys"]) == ("inclusive", 7, "1 of them")
    assert started["postgres_url"].endswith(await shop.database.fetchval("SELECT '/' || current_database()"))
    assert (settings["tax"], settings["timezone"]) == ("inclusive", "UTC")
    for url in ("ORDERS_AMQP_URL", "ORDERS_POSTGRES_URL"):
        password = urlsplit(shop.worker_environment[url]).password
        assert not password or f":{password}@" not in worker.words
    assert shop.worker_environment["ORDERS_SECRET_KEYS"] not in worker.words


async def test_an_empty_variable_says_nothing(shop: Shop) -> None:
    await load(shop, tax="inclusive", nameservers=["ns1.shop.com"])

    await shop.start_worker(ORDERS_TAX="", ORDERS_INVOICE_GRACE_DAYS="", ORDERS_NAMESERVERS="")

    assert await amount(shop) == INCLUSIVE


# ---------------------------------------------------------------- a load


async def test_a_load_stops_no_worker_and_all_price_by_it_from_the_next_batch_on(shop: Shop) -> None:
    worker = await shop.start_worker(ORDERS_TAX="exclusive")
    before = await amount(shop)

    status, _ = await load(shop, "--force", tax="inclusive")
    after = await amount(shop)

    assert (before, status, after) == (EXCLUSIVE, 0, INCLUSIVE)
    assert worker.process.poll() is None
    [warning] = [line for line in worker.log if line["event"] == "shop.settings_overruled"]
    assert warning["why"].startswith("ORDERS_TAX is exclusive, and the shop's own setting `tax` is inclusive: ")
    told = [(line["catalogue_version"], line["tax"]) for line in worker.log if line["event"] == "shop.settings"]
    assert told == [(2, "exclusive"), (3, "inclusive")]


async def test_only_at_its_start_does_a_worker_end_not_when_it_comes_back_to_servers_that_were_away(shop: Shop) -> None:
    settings = Settings.read({**shop.worker_environment, "ORDERS_TAX": "exclusive"})
    async with open_context(settings) as running, open_context(settings) as starting:
        await running.open()
        await load(shop, "--force", tax="inclusive")

        await running.open()
        with pytest.raises(SettingsError, match="ORDERS_TAX is exclusive"):
            await starting.open()

    assert running.catalog.settings.tax is Tax.INCLUSIVE


async def test_every_order_is_priced_by_the_settings_of_its_version_of_the_catalogue(shop: Shop) -> None:
    """A rolling deploy, and loads meanwhile: no two orders of one version are taxed differently."""
    await shop.start_worker(ORDERS_TAX="exclusive")
    over = asyncio.Event()

    async def keep_ordering() -> int:
        count = 0
        while not over.is_set():
            await amount(shop)
            count += 1
        return count

    ordering = [asyncio.create_task(keep_ordering()) for _ in range(8)]
    for tax in ("inclusive", "exclusive", "inclusive"):
        assert (await load(shop, "--force", tax=tax))[0] == 0
        await shop.start_worker()
    over.set()
    placed = sum([await task for task in ordering])

    found = await shop.fetch(
        "SELECT catalogue_version, tax_inclusive, count(*) AS count, min(total) AS least, max(total) AS most"
        " FROM orders JOIN invoices ON order_id = orders.id GROUP BY 1, 2 ORDER BY 1"
    )
    assert [(row["catalogue_version"], row["tax_inclusive"]) for row in found] == [
        (2, False), (3, True), (4, False), (5, True),
    ]  # fmt: skip
    assert [(str(row["least"]), str(row["most"])) for row in found] == [
        (EXCLUSIVE, EXCLUSIVE), (INCLUSIVE, INCLUSIVE),
    ] * 2  # fmt: skip
    assert sum(row["count"] for row in found) == placed


@pytest.fixture
async def stocked(shop_url: str) -> AsyncIterator[Database]:
    async with Database(shop_url) as opened:
        yield opened


async def load_into(database: Database, *, force: bool = False, **settings: Any) -> catalog.LoadReport:
    async with database.transaction() as connection:
        return await catalog.load(connection, parse(json.dumps({"settings": settings})), by="tests", force=force)


async def settings_in(database: Database) -> ShopSettings:
    async with database.connection() as connection:
        return (await catalog.read(connection)).settings


async def test_a_setting_that_a_file_does_not_name_stays(stocked: Database) -> None:
    assert await settings_in(stocked) == ShopSettings()

    first = await load_into(stocked, tax="inclusive", nameservers=["ns1.shop.com", "ns2.shop.com"])
    second = await load_into(stocked, invoice_grace_days=14, timezone="Pacific/Auckland")
    third = await load_into(stocked, tax="inclusive", invoice_grace_days="14", nameservers=[])

    assert await settings_in(stocked) == ShopSettings(
        tax=Tax.INCLUSIVE, invoice_grace_days=14, nameservers=(), timezone="Pacific/Auckland"
    )
    assert first.sections == second.sections == {"settings": catalog.Count(new=2, updated=0, unchanged=0)}
    assert third.sections == {"settings": catalog.Count(new=0, updated=1, unchanged=2)}
    assert (first.version, second.version, third.version) == (3, 4, 5)


async def test_to_set_what_holds_anyway_moves_no_version_and_a_worker_may_disagree_then(stocked: Database) -> None:
    report = await load_into(stocked, tax="exclusive", invoice_grace_days=0, nameservers=[], timezone="UTC")

    assert (report.version, report.moved) == (2, False)
    async with stocked.transaction() as connection:
        assert (await shop_settings.fill(connection, {"tax": Tax.INCLUSIVE}, by="tests"))["tax"] is Tax.EXCLUSIVE


async def test_prices_do_not_turn_into_others_while_there_are_services(stocked: Database) -> None:
    first = await load_into(stocked, tax="exclusive")  # nobody had set it: no force
    with pytest.raises(CatalogError) as refused:
        await load_into(stocked, tax="inclusive", invoice_grace_days=5)

    assert first.sections["settings"].new == 1
    [fault] = refused.value.faults
    assert fault == (
        "settings.tax: would turn from exclusive to inclusive, and there are services, addons or domains: "
        "all their recurring amounts would mean something else; --force does it"
    )
    assert await settings_in(stocked) == ShopSettings()
    assert (await load_into(stocked, tax="inclusive", force=True)).moved


async def test_a_time_zone_must_be_one_of_the_databases(stocked: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a machine that has no list of them, or another one than the database.
    monkeypatch.setattr("schemas.shop_settings.available_timezones", set[str])

    with pytest.raises(CatalogError, match=r"^settings.timezone: the database knows no time zone Mars/Olympus$"):
        await load_into(stocked, timezone="Mars/Olympus")


EVERY_SETTING: dict[str, Any] = {
    "tax": "inclusive",
    "tax_exempt": "deduct",
    "tax_note": "Reverse charge",
    "invoice_grace_days": 14,
    "invoice_number": "{year}-{number:05}",
    "accept_when_paid": True,
    "date_format": "%Y-%m-%d",
    "nameservers": ["ns1.shop.com"],
    "timezone": "Europe/Berlin",
    "seller": {"name": "Acme", "address": "1 Main Street\nAustin", "country": "US", "tax_id": "12-3456789"},
}


async def exported(database: Database) -> dict[str, Any]:
    async with database.connection() as connection:
        settings: dict[str, Any] = (await catalog.export(connection))["settings"]
    return settings


async def test_what_is_exported_names_every_setting(stocked: Database) -> None:
    await load_into(stocked, tax="inclusive", timezone="Europe/Berlin")

    settings = await exported(stocked)

    assert settings == {
        "tax": "inclusive", "tax_exempt": "keep", "tax_note": "", "invoice_grace_days": 0, "invoice_number": "",
        "accept_when_paid": False, "date_format": "%d/%m/%Y", "nameservers": [], "timezone": "Europe/Berlin",
        "seller": {"name": "", "address": "", "country": "", "tax_id": ""},
    }  # fmt: skip
    assert not (await load_into(stocked, **settings)).moved


async def test_every_setting_is_kept_as_it_was_given(stocked: Database) -> None:
    first = await load_into(stocked, **EVERY_SETTING)
    again = await load_into(stocked, **EVERY_SETTING)

    assert (first.sections["settings"], again.sections["settings"]) == (
        catalog.Count(new=10, updated=0, unchanged=0),
        catalog.Count(new=0, updated=0, unchanged=10),
    )
    assert (first.moved, again.moved) == (True, False)
    assert await exported(stocked) == {**EVERY_SETTING, "invoice_next": 1}
    settings = await settings_in(stocked)
    assert settings.seller == Seller(name="Acme", address="1 Main Street\nAustin", country="US", tax_id="12-3456789")
    assert settings.tax_exempt is TaxExempt.DEDUCT


async def test_what_can_be_none_is_none_again_where_a_file_says_so(stocked: Database) -> None:
    await load_into(stocked, **EVERY_SETTING)

    await load_into(stocked, invoice_number="", tax_note="", seller={})

    settings = await settings_in(stocked)
    assert (settings.numbers, settings.tax_note, settings.seller) == (None, "", Seller())
    assert "invoice_next" not in await exported(stocked)


# ---------------------------------------------------------------- migrate


async def test_migrating_sets_what_nobody_has_set_and_tells_of_what_is_set_otherwise(shop: Shop) -> None:
    first = await orders(shop, "migrate", ORDERS_TAX="inclusive")
    second = await orders(shop, "migrate", ORDERS_TAX="exclusive", ORDERS_INVOICE_GRACE_DAYS="7")

    assert (first.returncode, second.returncode) == (0, 0)
    assert "warning" not in first.stderr
    assert "warning: ORDERS_TAX is exclusive, and the shop's own setting `tax` is inclusive: " in second.stderr
    assert await shop.fetch("SELECT tax, invoice_grace_days, version FROM catalogue") == [
        {"tax": "inclusive", "invoice_grace_days": 7, "version": 4}
    ]


# ---------------------------------------------------------------- today


@pytest.mark.parametrize(
    ("timezone", "today", "due", "paid_until"),
    [
        (None, "2026-11-23", "2026-12-07", "22/12/2026"),
        ("Pacific/Auckland", "2026-11-24", "2026-12-08", "23/12/2026"),
        ("America/Los_Angeles", "2026-11-23", "2026-12-07", "22/12/2026"),
    ],
)
async def test_today_is_the_day_in_the_shops_time_zone(
    shop: Shop, timezone: str | None, today: str, due: str, paid_until: str
) -> None:
    """At 23:30 UTC it is half past twelve of the next day in Auckland."""
    await load(shop, invoice_grace_days=14, **({"timezone": timezone} if timezone else {}))
    await shop.stop_clock("2026-11-23T23:30Z")
    await shop.start_worker()

    asked = await shop.publish({**TAXED, "promocode": "ONCEEACH"})
    events = await shop.until_events(str(asked.message_id), "email.invoice-created")

    [mail] = [event.data["invoice"] for event in events if event.type == "email.invoice-created"]
    day = "/".join(reversed(today.split("-")))
    assert (mail["date"], mail["due"]) == (today, due)
    assert mail["lines"][0]["description"] == f"Taxed plan ({day} - {paid_until})"
    [order] = await shop.fetch("SELECT placed_on FROM orders WHERE request_id IS NOT NULL")
    [service] = await shop.fetch("SELECT next_due FROM services WHERE order_id IS NOT NULL")
    assert str(order["placed_on"]) == str(service["next_due"]) == today


@pytest.mark.parametrize(("timezone", "is_over"), [("UTC", False), ("Pacific/Auckland", True)])
async def test_a_code_ends_with_the_shops_day(shop: Shop, timezone: str, *, is_over: bool) -> None:
    await load(shop, timezone=timezone)
    await shop.database.execute("UPDATE promotions SET end_date = '2026-11-23' WHERE code = 'BIG50'")
    await shop.stop_clock("2026-11-23T23:30Z")
    await shop.start_worker()

    reply = await shop.ask({"clientid": 1, "pid": 7, "paymentmethod": "paypal", "promocode": "BIG50"})

    over = ["promocode: BIG50 expired after 2026-11-23; the full price is charged"]
    assert reply.get("warnings", []) == (over if is_over else [])
