"""Versions of the catalogue: what a load changed, what it would change, what differs between two, and the way back."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from repository import catalog, catalog_versions, credentials, shop_settings
from repository.catalog import CatalogError, LoadReport
from repository.catalog_versions import Act, VersionError
from repository.database import Database
from schemas.catalog import Catalog
from schemas.catalog_changes import in_detail, sentence
from schemas.catalog_file import parse
from schemas.order import Item
from schemas.shop_settings import Tax
from tests.builders import a_client, a_request, ordered, refused, some_facts
from tests.integration.test_catalog import SAMPLE, changed
from tests.integration.test_commands import orders
from tests.shop import Shop


@pytest.fixture
async def stocked(shop_url: str) -> AsyncIterator[Database]:
    """A database into which the sample was loaded: version 2."""
    async with Database(shop_url, connections_max=10) as opened:
        yield opened


async def load(database: Database, values: dict[str, Any], *, by: str = "jane", **options: bool) -> LoadReport:
    async with database.transaction() as connection:
        return await catalog.load(connection, parse(json.dumps(values)), by=by, **options)


async def roll_back(database: Database, version: int, **options: bool) -> LoadReport:
    async with database.transaction() as connection:
        return await catalog.rollback(connection, version, by="joe", **options)


async def read(database: Database) -> Catalog:
    async with database.connection() as connection:
        return await catalog.read(connection)


async def between(database: Database, older: int, newer: int | None = None) -> list[str]:
    async with database.connection() as connection:
        return [sentence(one) for one in in_detail(await catalog_versions.between(connection, older, newer))]


async def history(database: Database) -> list[catalog_versions.Version]:
    async with database.connection() as connection:
        return await catalog_versions.history(connection, most=100, changes_most=None)


def said(report: LoadReport) -> list[str]:
    return [sentence(one) for one in in_detail(report.changes)]


def priced(product_id: int, amount: str) -> dict[str, Any]:
    """A file with another monthly price of a product."""
    return changed("products", product_id, pricing={"USD": {"monthly": {"price": amount, "setup": "0.00"}}})


# ---------------------------------------------------------------- what a load changed


async def test_a_load_tells_what_it_changed_entry_by_entry(stocked: Database) -> None:
    file = {
        **priced(7, "0.40"),
        "tlds": [{**SAMPLE["tlds"][0], "pricing": {"USD": {"renew": {"1": "15.95"}}}}],
        "promotions": changed("promotions", 2, max_uses=5)["promotions"],
        "tax_rules": [{"id": 10, "level": 2, "name": "More", "rate": "1", "compound": True}],
        "settings": {"invoice_grace_days": 14},
        "clients": changed("clients", 1, firstname="Jack")["clients"],
    }

    report = await load(stocked, file)

    assert said(report) == [
        "product 7 Licence: monthly USD 4.00 → 0.40",
        "promotion 2 FIVEOFF: max_uses 0 → 5",
        "setting invoice_grace_days: 0 → 14",
        "tax rule 10 More: new",
        "TLD .com: renew 1 year USD 14.95 → 15.95",
    ]
    assert (report.version, report.sections["clients"].updated) == (3, 1)


async def test_what_sales_count_and_credentials_are_no_changes_of_the_catalogue(stocked: Database) -> None:
    credential = {"identifier": "IDENT", "secret": "OTHER", "actions": ["addorder"]}
    async with stocked.transaction() as connection:
        await connection.execute("UPDATE product_stock SET quantity = quantity - 1 WHERE quantity > 0")
        await connection.execute("UPDATE promotion_uses SET uses = uses + 1 WHERE max_uses = 0")

    report = await load(stocked, {**changed("products", 10, stock_quantity=50), "api_credentials": [credential]})
    async with stocked.transaction() as connection:
        await credentials.add(connection, ["addorder"], "NEW")

    assert (report.version, report.changes, report.sections["api_credentials"].updated) == (2, (), 1)
    assert [one.version for one in await history(stocked)] == [2, 1]


async def test_a_dry_run_tells_what_would_change_and_changes_nothing(stocked: Database) -> None:
    before = await read(stocked)
    order = {**SAMPLE["orders"][0], "id": 77, "ordernum": "1000000077"}
    async with stocked.connection() as connection:
        state = await connection.fetch("SELECT * FROM orders_id_seq")

    report = await load(stocked, {**priced(7, "0.40"), "orders": [order]}, dry_run=True)

    assert (report.version, report.sections["orders"].new) == (3, 1)
    assert said(report) == ["product 7 Licence: monthly USD 4.00 → 0.40"]
    assert await read(stocked) == before
    async with stocked.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM orders WHERE id = 77") == 0
        assert await connection.fetch("SELECT * FROM orders_id_seq") == state
    assert [one.version for one in await history(stocked)] == [2, 1]


# ---------------------------------------------------------------- history


async def test_the_history_says_when_by_whom_and_what(stocked: Database) -> None:
    await load(stocked, priced(7, "0.40"))
    async with stocked.transaction() as connection:
        await shop_settings.fill(connection, {"tax": Tax.INCLUSIVE}, by="worker")
    await load(stocked, priced(7, "0.40"))  # changes nothing
    await roll_back(stocked, 2, force=True)

    versions = await history(stocked)

    assert [(one.version, one.made_by, one.act, one.back_to, one.count) for one in versions[:3]] == [
        (5, "joe", Act.ROLLBACK, 2, 2),
        (4, "worker", Act.FIRST_VALUES, None, 1),
        (3, "jane", Act.LOAD, None, 1),
    ]
    assert (versions[3].made_by, versions[3].act) == ("tests", Act.LOAD)
    assert (versions[4].version, versions[4].act, versions[4].changes) == (1, Act.MIGRATE, ())
    assert [sentence(one) for one in in_detail(versions[1].changes)] == ["setting tax: exclusive → inclusive"]
    times = [one.made_at for one in versions if one.made_at]
    assert times == sorted(times, reverse=True)


async def test_what_differs_between_two_versions_is_told_taken_together(stocked: Database) -> None:
    await load(stocked, priced(7, "5.00"))
    await load(stocked, {**priced(7, "6.00"), **changed("addons", 1, name="Other")})
    await load(stocked, {**priced(7, "4.00"), "payment_methods": [
        {"name": "cash", "display_name": "Cash", "active": True, "order": 99}]})  # fmt: skip

    assert await between(stocked, 2, 3) == ["product 7 Licence: monthly USD 4.00 → 5.00"]
    assert await between(stocked, 3, 4) == [
        f"addon 1 Other: name {SAMPLE['addons'][0]['name']} → Other", "product 7 Licence: monthly USD 5.00 → 6.00",
    ]  # fmt: skip
    assert await between(stocked, 3) == [
        f"addon 1 Other: name {SAMPLE['addons'][0]['name']} → Other",
        "payment method cash Cash: new",
        "product 7 Licence: monthly USD 5.00 → 4.00",
    ]
    assert "product" not in " ".join(await between(stocked, 2))  # as it was
    assert await between(stocked, 5) == []


async def test_a_version_that_a_program_without_history_made_is_told_and_never_guessed_at(stocked: Database) -> None:
    await load(stocked, priced(7, "5.00"))
    async with stocked.transaction() as connection:
        await connection.execute("UPDATE product_prices SET price = 9 WHERE product_id = 7")
        await connection.execute("UPDATE catalogue SET version = version + 1")
    await load(stocked, priced(7, "6.00"))

    assert await between(stocked, 2, 3) == ["product 7 Licence: monthly USD 4.00 → 5.00"]
    assert await between(stocked, 4) == ["product 7 Licence: monthly USD 9.00 → 6.00"]
    for older in (1, 2, 3):
        with pytest.raises(VersionError, match=r"^what version 4 changed was not recorded: a version of this program"):
            await between(stocked, older)
    with pytest.raises(VersionError, match="what version 4 changed was not recorded"):
        await roll_back(stocked, 3)
    with pytest.raises(VersionError, match=r"^there is no version 6: the catalogue is at 5$"):
        await between(stocked, 6)
    assert (await roll_back(stocked, 4)).version == 6
    assert [(one.version, one.act) for one in await history(stocked)] == [
        (6, Act.ROLLBACK), (5, Act.LOAD), (4, Act.UNRECORDED), (3, Act.LOAD), (2, Act.LOAD), (1, Act.MIGRATE),
    ]  # fmt: skip


async def test_loads_at_once_each_tell_their_own_changes(stocked: Database) -> None:
    reports = await asyncio.gather(*(load(stocked, priced(7, f"{amount}.00")) for amount in range(10, 18)))

    told = sorted((report.version, "".join(said(report))) for report in reports)
    assert [version for version, _ in told] == list(range(3, 11))
    before = "4.00"
    for _, line in told:
        was, now = line.removeprefix("product 7 Licence: monthly USD ").split(" → ")
        assert was == before
        before = now


# ---------------------------------------------------------------- back


EVERYTHING: dict[str, Any] = {
    "settings": {"invoice_grace_days": 9, "nameservers": ["ns1.a.b"], "timezone": "Asia/Tokyo"},
    "currencies": [{"code": "EUR", "prefix": "E", "suffix": "", "digits": 2, "default": True}],
    "payment_methods": [{"name": "paypal", "display_name": "Pal", "active": False, "order": 3}],
    "client_groups": [{"id": 1, "name": "Gold", "discount_percent": "50.00"}],
    "tax_rules": [{**SAMPLE["tax_rules"][0], "rate": "1.000"}],
    "affiliates": [{**SAMPLE["affiliates"][0], "active": False}],
    "promotions": [
        {**SAMPLE["promotions"][1], "value": "1.00", "values": {"EUR": "2.00"}, "end_date": "2026-01-01",
         "applies_to": {"products": "all", "addons": [1], "tlds": []}, "cycles": ["monthly"]},
    ],
    "tlds": [
        {**SAMPLE["tlds"][0], "epp_required": False,
         "pricing": {
             "USD": {"register": {"1": "1.00", "9": "9.00"}, "renew": {"1": "-1"}},
             "EUR": {"transfer": {"3": "1"}}},
         "extras": {"USD": {"dnsmanagement": "0.50"}, "EUR": {"idprotection": "0.10"}}},
    ],
    "addons": [{**SAMPLE["addons"][0], "products": [1], "pricing": {
        "USD": {"monthly": {"price": "7.77", "setup": "1.00"}, "biennially": {"price": "9.00", "setup": "0.00"}}}}],
}  # fmt: skip


def everything_of_a_product(product_id: int) -> dict[str, Any]:
    """A file that changes whatever can be changed of a product with options."""
    (file,) = (copy.deepcopy(one) for one in SAMPLE["products"] if one["id"] == product_id)
    file["pricing"]["EUR"] = {"triennially": {"price": "1.00", "setup": "1.00"}}
    file["pricing"]["USD"]["monthly"] = {"price": "-1.00", "setup": "0.00"}
    file.update(name="Other", retired=True, tax=not file["tax"], prorata={"day": 5}, free_domain=None)
    choice = file["config_options"][0]["choices"][0]
    choice["name"] = "Other choice"
    choice["pricing"]["USD"]["quarterly"] = {"price": "3.00", "setup": "0.00"}
    file["config_options"].reverse()
    file["custom_fields"] = [{"id": 1, "name": "Asked", "type": "text", "required": True}]
    return {"products": [file]}


async def test_back_to_a_version_all_is_sold_as_it_was(stocked: Database) -> None:
    before = await read(stocked)
    await load(stocked, {**EVERYTHING, **everything_of_a_product(1)}, force=True)
    changed_by_load = await read(stocked)

    report = await roll_back(stocked, 2)

    after = await read(stocked)
    assert replace(changed_by_load, version=4) != after
    assert (after.version, report.notes) == (4, ())
    assert replace(after, version=2) == before
    assert await between(stocked, 2) == []


async def test_back_and_forth_again(stocked: Database) -> None:
    await load(stocked, {**EVERYTHING, **everything_of_a_product(1)}, force=True)
    there = await read(stocked)
    await roll_back(stocked, 2)

    await roll_back(stocked, 3)

    assert replace(await read(stocked), version=3) == there


ADDED: dict[str, Any] = {
    "currencies": [{"code": "CHF", "prefix": "", "suffix": " CHF", "digits": 2, "default": False}],
    "payment_methods": [{"name": "cash", "display_name": "Cash", "active": True, "order": 0}],
    "client_groups": [{"id": 9, "name": "New", "discount_percent": "50.00"}],
    "tax_rules": [
        {"id": 50, "level": 1, "name": "Texas", "country": "US", "state": "Texas", "rate": "10", "compound": False}
    ],
    "products": [
        {**SAMPLE["products"][6], "id": 90, "name": "Added"},
        {**SAMPLE["products"][0],
         "custom_fields": [{"id": 900, "name": "Size", "type": "text", "required": True},
                           *SAMPLE["products"][0]["custom_fields"]],
         "config_options": [
             {"id": 901, "name": "Colour", "type": "dropdown",
              "choices": [{"id": 902, "name": "Red", "pricing": {"USD": {"monthly": {"price": "5", "setup": "0"}}}}]},
             *SAMPLE["products"][0]["config_options"]]},
    ],
    "addons": [{**SAMPLE["addons"][0], "id": 90, "name": "Added addon", "products": "all"}],
    "tlds": [{**SAMPLE["tlds"][0], "tld": ".dev"}],
    "promotions": [{**SAMPLE["promotions"][1], "id": 90, "code": "ADDED"}],
}  # fmt: skip


async def test_what_was_not_there_then_is_no_longer_sold_and_is_told(stocked: Database) -> None:
    texan = some_facts(client=a_client(country="US", state="Texas"))
    starter = a_request(Item(key=0, product_id=1, custom_fields={"1": "Google"}))
    before = await read(stocked)
    bill = ordered(starter, before, facts=texan).bill
    await load(stocked, ADDED)
    assert refused(starter, await read(stocked), facts=texan).code == "custom_field_required"

    report = await roll_back(stocked, 2)

    after = await read(stocked)
    again = ordered(starter, after, facts=texan)
    assert (again.bill.total, again.bill.taxes) == (bill.total, bill.taxes)  # the rule for Texas is gone
    assert after.tax_rules == before.tax_rules
    assert refused(a_request(Item(key=0, product_id=90)), after).code == "product_not_found"
    assert not after.payment_methods["cash"].active
    assert after.group_discounts[9] == 0
    assert [dict(after.addons[90].prices), dict(after.tlds[".dev"].register)] == [{}, {}]
    late = ordered(replace(starter, promo_code="ADDED"), after, facts=texan)
    assert late.warnings == ("promocode: ADDED expired after 1970-01-01; the full price is charged",)
    assert report.notes == (
        "addon 90 Added addon was not there then: it stays, and is no longer sold or applied",
        "client group 9 New was not there then: it stays, and is no longer sold or applied",
        "currency CHF was not there then: it stays, and is no longer sold or applied",
        "payment method cash Cash was not there then: it stays, and is no longer sold or applied",
        "stays: product 1 Starter: field Size: new",
        "stays: product 1 Starter: option Colour: new",
        "product 90 Added was not there then: it stays, and is no longer sold or applied",
        "promotion 90 ADDED was not there then: it stays, and is no longer sold or applied",
        "TLD .dev was not there then: it stays, and is no longer sold or applied",
    )


async def test_the_way_back_leaves_what_lives_alone(stocked: Database) -> None:
    await load(stocked, {**priced(10, "0.40"), "clients": changed("clients", 1, firstname="Jack")["clients"]})
    async with stocked.transaction() as connection:
        await connection.execute("UPDATE product_stock SET quantity = 1 WHERE product_id = 10")
        await connection.execute("UPDATE promotion_uses SET uses = 1 WHERE promotion_id = 8")
        await credentials.revoke(connection, "IDENT")

    await roll_back(stocked, 2)

    async with stocked.connection() as connection:
        assert await connection.fetchval("SELECT quantity FROM product_stock WHERE product_id = 10") == 1
        assert await connection.fetchval("SELECT uses FROM promotion_uses WHERE promotion_id = 8") == 1
        assert await connection.fetchval("SELECT first_name FROM clients WHERE id = 1") == "Jack"
    assert "IDENT" not in (await read(stocked)).credentials


async def test_the_way_back_turns_prices_into_others_with_force_only(stocked: Database) -> None:
    await load(stocked, {"settings": {"tax": "exclusive"}})
    await load(stocked, {"settings": {"tax": "inclusive"}}, force=True)

    with pytest.raises(CatalogError, match=r"^settings\.tax: would turn from inclusive to exclusive"):
        await roll_back(stocked, 2)
    dry = await roll_back(stocked, 2, force=True, dry_run=True)

    assert said(dry) == ["setting tax: inclusive → exclusive"]
    assert (await read(stocked)).settings.tax is Tax.INCLUSIVE
    assert (await roll_back(stocked, 2, force=True)).version == 4


# ---------------------------------------------------------------- at a shell


async def test_a_person_reads_what_a_load_changed_and_a_script_all_of_it(shop: Shop) -> None:
    many = {"products": [{**one, "retired": not one["retired"]} for one in SAMPLE["products"]]}
    names = {"addons": [{**one, "name": f"{one['name']}!"} for one in SAMPLE["addons"]]}
    file = json.dumps({**many, **names, "tlds": [{**SAMPLE["tlds"][0], "tld": ".dev"}]})

    dry = await orders(shop, "catalog", "load", "-", "--dry-run", stdin=file)
    ended = await orders(shop, "catalog", "load", "-", stdin=file)
    again = json.loads(
        (await orders(shop, "catalog", "load", "-", "--json", stdin=json.dumps(priced(7, "0.40")))).stdout
    )

    assert "product 7 Licence: retired no → yes" in ended.stdout
    assert "… and " not in ended.stdout
    assert ended.stdout.splitlines()[-2:] == ["TLD .dev: new", "the catalogue is at version 3"]
    assert dry.stdout == ended.stdout.replace("is at version", "would be at version")
    assert (again["version"], again["moved"], again["dry_run"], again["notes"]) == (4, True, False, [])
    assert again["sections"] == {"products": {"new": 0, "updated": 1, "unchanged": 0}}
    assert again["changes"][1] == {
        "section": "products", "key": "7", "name": "Licence", "path": "pricing.USD.monthly", "what": "monthly USD",
        "before": {"price": "4.00", "setup": "0.00"}, "after": {"price": "0.40", "setup": "0.00"},
    }  # fmt: skip


async def test_what_is_told_on_a_screen_has_a_bound(shop: Shop) -> None:
    prices = {"USD": {"monthly": {"price": "77.00", "setup": "0.00"}, "annually": {"price": "99.99", "setup": "0.00"}}}
    file = json.dumps({"products": [{**one, "pricing": prices} for one in SAMPLE["products"]]})

    ended = await orders(shop, "catalog", "diff", "-", stdin=file)
    whole = await orders(shop, "catalog", "diff", "-", "--json", stdin=file)

    lines = ended.stdout.splitlines()
    assert (len(lines), lines[-1]) == (41, f"… and {len(whole.stdout.splitlines()) - 40} more; --json prints them all")
    assert (await shop.fetch("SELECT version FROM catalogue")) == [{"version": 2}]


async def test_the_history_is_read_and_gone_back_in(shop: Shop) -> None:
    await orders(shop, "catalog", "load", "-", stdin=json.dumps(priced(7, "0.40")))

    told = await orders(shop, "catalog", "history")
    whole = [json.loads(line) for line in (await orders(shop, "catalog", "history", "--json")).stdout.splitlines()]
    dry = await orders(shop, "catalog", "rollback", "2", "--dry-run")
    back = await orders(shop, "catalog", "rollback", "2")
    wrong = await orders(shop, "catalog", "rollback", "9")
    ways = [await orders(shop, "catalog", "diff", *of) for of in (["3"], ["3", "4"], ["4", "3"], ["4"], ["x", "3"])]

    [first, change, *_] = told.stdout.splitlines()
    assert first.startswith("3  ")
    assert "a load, by " in first
    assert change == "    product 7 Licence: monthly USD 4.00 → 0.40"
    assert "here the history begins" in told.stdout
    assert ([one["version"] for one in whole], whole[0]["act"], len(whole[0]["changes"])) == ([3, 2, 1], "load", 1)
    assert whole[1]["count"] == len(whole[1]["changes"]) > 50
    assert dry.stdout.splitlines()[-2:] == [
        "product 7 Licence: monthly USD 0.40 → 4.00", "the catalogue would be at version 4",
    ]  # fmt: skip
    assert back.stdout == dry.stdout.replace("would be", "is")
    assert (wrong.returncode, wrong.stderr) == (1, "error: there is no version 9: the catalogue is at 4\n")
    back_line, forth = "product 7 Licence: monthly USD 0.40 → 4.00\n", "product 7 Licence: monthly USD 4.00 → 0.40\n"
    assert [one.stdout for one in ways] == [back_line, back_line, forth, "", ""]
    assert [one.returncode for one in ways] == [0, 0, 0, 0, 2]
    assert ways[3].stderr == "nothing differs\n"


async def test_a_file_that_is_not_there_is_told(shop: Shop) -> None:
    ended = await orders(shop, "catalog", "diff", "no-such-file")

    assert (ended.returncode, ended.stderr) == (1, "error: no-such-file: No such file or directory\n")


async def test_workers_price_by_the_version_that_was_gone_back_to(shop: Shop) -> None:
    await shop.start_worker()
    order = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
    amounts = []
    for command in (["load", "-"], ["rollback", "2"]):
        await orders(shop, "catalog", *command, stdin=json.dumps(priced(7, "0.40")))
        asked = await shop.publish(order)
        [added, *_] = await shop.until_events(str(asked.message_id), "order.added")
        amounts.append(added.data["amount"])

    assert amounts == ["0.40", "4.00"]
