"""The catalogue in a real Postgres: loaded, read, exported; and the credentials that are part of it."""

import asyncio
import copy
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest

from repository import catalog, catalog_snapshot, credentials, migrate
from repository.catalog import CatalogError, Count, LoadReport
from repository.credentials import CredentialError
from repository.database import Connection, Database
from schemas.catalog import (
    Addon,
    BillingCycle,
    Catalog,
    ConfigChoice,
    ConfigOption,
    Currency,
    CustomField,
    DomainField,
    DomainType,
    Extra,
    FreeDomain,
    Price,
    Product,
    PromotionType,
    Prorata,
    QuantityRule,
    Tld,
)
from schemas.catalog_file import parse
from schemas.order import Item, Totals
from tests.builders import a_client, a_request, only_item, ordered, refused, some_facts
from worker.operations.catalog_advice import advise

SAMPLE: dict[str, Any] = json.loads(files("deploy").joinpath("sample", "catalog.json").read_bytes())
MONTHLY, ANNUALLY = BillingCycle.MONTHLY, BillingCycle.ANNUALLY


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await migrate.migrate(database_url)
    async with Database(database_url, connections_max=10) as opened:
        yield opened


@pytest.fixture
async def stocked(shop_url: str) -> AsyncIterator[Database]:
    """A database into which the sample was loaded."""
    async with Database(shop_url, connections_max=10) as opened:
        yield opened


async def load(database: Database, values: dict[str, Any]) -> LoadReport:
    async with database.transaction() as connection:
        return await catalog.load(connection, parse(json.dumps(values)), by="tests")


async def read(database: Database) -> Catalog:
    async with database.connection() as connection:
        return await catalog.read(connection)


async def export(database: Database) -> dict[str, Any]:
    async with database.connection() as connection:
        return await catalog.export(connection)


async def value(database: Database, sql: str, *arguments: Any) -> Any:
    async with database.connection() as connection:
        return await connection.fetchval(sql, *arguments)


async def change(database: Database, step: Callable[[Connection], Awaitable[Any]]) -> Any:
    async with database.transaction() as connection:
        return await step(connection)


def changed(section: str, entry_id: int, **changes: Any) -> dict[str, Any]:
    """A file with one entry of the sample, changed."""
    (entry,) = (entry for entry in SAMPLE[section] if entry["id"] == entry_id)
    return {section: [{**copy.deepcopy(entry), **changes}]}


def price(amount: str, setup: str = "0.00") -> Price:
    return Price(Decimal(amount), Decimal(setup))


# ---------------------------------------------------------------- the snapshot


async def test_a_product_is_what_the_file_says(stocked: Database) -> None:
    products = (await read(stocked)).products

    assert len(products) == 25
    assert products[2] == Product(
        id=2,
        name="Pro",
        type="hosting",
        pay_type="recurring",
        taxed=False,
        retired=False,
        quantity_rule=QuantityRule.NO,
        stock_controlled=False,
        prorata=None,
        free_domain=None,
        prices={"USD": {MONTHLY: price("19.95", "10.00"), ANNUALLY: price("199.00")}},
        custom_fields=(CustomField(2, "Data centre", "dropdown", required=True, options=("EU", "US")),),
        config_options=(),
    )
    assert products[1].free_domain == FreeDomain(frozenset({ANNUALLY}), frozenset({".com"}))
    assert products[6].prorata == Prorata(1, 20)
    assert products[17].prorata == Prorata(1, None)
    assert products[4].prices == {}
    assert [field.id for field in products[20].custom_fields] == [201, 202, 203, 204, 205, 206]


async def test_options_and_choices_stand_in_the_order_of_the_file(stocked: Database) -> None:
    options = (await read(stocked)).products[21].config_options

    assert [option.id for option in options] == [51, 52, 53, 54]
    assert options[0] == ConfigOption(
        51,
        "Location",
        "radio",
        None,
        None,
        (
            ConfigChoice(511, "Standard", {"USD": {MONTHLY: price("1.00")}}),
            ConfigChoice(512, "Premium", {"USD": {MONTHLY: price("3.00", "7.00")}}),
        ),
    )
    assert (options[2].quantity_min, options[2].quantity_max) == (2, 5)


async def test_all_else_is_what_the_file_says(stocked: Database) -> None:
    snapshot = await read(stocked)

    assert snapshot.currencies["JPY"] == Currency("JPY", "¥", "", 0, is_default=False)
    assert [method.name for method in snapshot.payment_methods.values() if method.active] == [
        "paypal", "mailin", "authorize", "banktransfer", "quantumgateway", "stripe",
    ]  # fmt: skip
    assert snapshot.group_discounts == {1: Decimal("10.00")}
    assert [(rule.id, rule.country, rule.state, rule.rate) for rule in snapshot.tax_rules][5:7] == [
        (6, "CA", "Quebec", Decimal("9.975")),
        (7, "CA", "British Columbia", Decimal("7.000")),
    ]
    assert snapshot.addons[11] == Addon(
        11, "Remote console", taxed=False, products=frozenset({5}), prices={"USD": {MONTHLY: price("7.00")}}
    )
    assert snapshot.addons[1].products is None
    assert {one.id: one.active for one in snapshot.affiliates.values()} == {3: True, 4: False}
    assert len(snapshot.order_number_key) == 16
    assert snapshot.version == 2


async def test_a_tld_is_what_the_file_says(stocked: Database) -> None:
    tlds = (await read(stocked)).tlds

    assert tlds[".eu"] == Tld(
        tld=".eu",
        taxed=False,
        epp_required=False,
        register={
            "USD": {1: Decimal("12.00"), 2: Decimal("24.00")},
            "EUR": {1: Decimal("11.00"), 2: Decimal("22.00")},
        },
        transfer={"USD": {1: Decimal("12.00")}, "EUR": {1: Decimal("11.00")}},
        renew={"USD": {1: Decimal("12.00")}, "EUR": {1: Decimal("11.00")}},
        extras={"USD": {Extra.DNS_MANAGEMENT: Decimal("5.00")}},
        fields=(),
    )
    assert tlds[".co.uk"].fields[1] == DomainField("Registrant Name", "text", required=False, options=())


async def test_a_promotion_is_what_the_file_says(stocked: Database) -> None:
    promotions = (await read(stocked)).promotions

    yearly = promotions["yearly20"]
    assert (yearly.id, yearly.code, yearly.type) == (14, "YEARLY20", PromotionType.PERCENTAGE)
    assert (yearly.cycles, yearly.products) == (frozenset({ANNUALLY}), frozenset({1, 25}))
    assert (yearly.addons, yearly.tlds) == (frozenset(), frozenset())
    assert promotions["demopromo"].tlds is None
    assert promotions["comhalf"].tlds == frozenset({".com"})


async def test_a_snapshot_can_not_be_changed(stocked: Database) -> None:
    snapshot: Any = await read(stocked)

    with pytest.raises(TypeError):
        snapshot.products[1].prices["USD"][MONTHLY] = price("0.01")
    with pytest.raises(TypeError):
        snapshot.tlds[".com"].register["USD"][1] = Decimal("0.01")
    with pytest.raises(AttributeError):
        snapshot.products[1].name = "Other"


# ---------------------------------------------------------------- loading again


async def test_loading_the_same_again_changes_nothing(stocked: Database) -> None:
    before = await read(stocked)

    report = await load(stocked, SAMPLE)

    assert (report.version, report.moved, report.notes) == (2, False, ())
    assert report.sections["products"] == Count(new=0, updated=0, unchanged=25)
    assert all(count.new == count.updated == 0 for count in report.sections.values())
    assert await read(stocked) == before  # the hashes of the secrets too


async def test_a_change_moves_the_version_once_and_is_counted(stocked: Database) -> None:
    file = copy.deepcopy(SAMPLE)
    file["products"][0]["pricing"]["USD"]["monthly"]["price"] = "10.95"
    file["products"][1]["name"] = "Professional"
    file["tlds"][0]["fields"].append({"name": "Use", "type": "text", "required": False})
    file["tax_rules"].append({"id": 10, "level": 2, "name": "More", "rate": "1", "compound": True})

    report = await load(stocked, file)

    assert (report.version, report.moved) == (3, True)
    assert report.sections["products"] == Count(new=0, updated=2, unchanged=23)
    assert report.sections["tlds"] == Count(new=0, updated=1, unchanged=3)
    assert report.sections["tax_rules"] == Count(new=1, updated=0, unchanged=9)
    snapshot = await read(stocked)
    assert snapshot.version == 3
    assert snapshot.products[1].prices["USD"][MONTHLY] == price("10.95")
    assert snapshot.products[2].name == "Professional"


async def test_clients_and_what_they_own_do_not_move_the_version(stocked: Database) -> None:
    report = await load(stocked, changed("clients", 1, firstname="Jack"))

    assert report == LoadReport({"clients": Count(new=0, updated=1, unchanged=0)}, version=2, changes=(), notes=())
    assert await value(stocked, "SELECT first_name FROM clients WHERE id = 1") == "Jack"


async def test_stock_is_set_the_first_time_only(stocked: Database) -> None:
    await value(stocked, "UPDATE product_stock SET quantity = 1 WHERE product_id = 10")

    await load(stocked, changed("products", 10, stock_quantity=50))
    await load(stocked, changed("products", 24, stock_control=True, stock_quantity=3))

    assert await value(stocked, "SELECT quantity FROM product_stock WHERE product_id = 10") == 1
    assert await value(stocked, "SELECT quantity FROM product_stock WHERE product_id = 24") == 3


async def test_uses_are_set_the_first_time_only_and_their_limit_follows(stocked: Database) -> None:
    await value(stocked, "UPDATE promotion_uses SET uses = 1 WHERE promotion_id = 8")

    await load(stocked, changed("promotions", 8, uses=0, max_uses=5))

    assert await value(stocked, "SELECT (uses, max_uses) FROM promotion_uses WHERE promotion_id = 8") == (1, 5)


async def test_a_limit_below_the_uses_so_far_ends_the_promotion(stocked: Database) -> None:
    await load(stocked, changed("promotions", 1, max_uses=9))
    await value(stocked, "UPDATE promotion_uses SET uses = 7 WHERE promotion_id = 1")

    first = await load(stocked, changed("promotions", 1, max_uses=4))
    again = await load(stocked, changed("promotions", 1, max_uses=4))

    assert await value(stocked, "SELECT (uses, max_uses) FROM promotion_uses WHERE promotion_id = 1") == (7, 7)
    assert (await read(stocked)).promotions["demopromo"].max_uses == 4
    assert (first.moved, again.moved) == (True, False)


async def test_what_has_left_the_file_stays(stocked: Database) -> None:
    await load(stocked, changed("products", 1, pricing={}, custom_fields=[], config_options=[]))

    product = (await read(stocked)).products[1]
    assert product.prices["USD"][MONTHLY] == price("9.95")
    assert (len(product.custom_fields), len(product.config_options)) == (1, 3)


async def test_minus_one_withdraws_a_price(stocked: Database) -> None:
    gone = {"price": "-1.00", "setup": "0.00"}
    file = {
        **changed("products", 1, pricing={"USD": {"monthly": gone}}),
        **changed("addons", 1, pricing={"EUR": {"monthly": gone}}),
        "tlds": [{**SAMPLE["tlds"][0], "pricing": {"USD": {"renew": {"2": "-1"}}},
                  "extras": {"USD": {"idprotection": "-1.0"}}}],
    }  # fmt: skip

    report = await load(stocked, file)

    snapshot = await read(stocked)
    assert MONTHLY not in snapshot.products[1].prices["USD"]
    assert MONTHLY not in snapshot.addons[1].prices["EUR"]
    assert snapshot.tlds[".com"].renew["USD"] == {1: Decimal("14.95")}
    assert Extra.ID_PROTECTION not in snapshot.tlds[".com"].extras["USD"]
    assert report.moved
    assert not (await load(stocked, file)).moved


async def test_a_list_of_products_is_replaced(stocked: Database) -> None:
    await load(stocked, changed("addons", 11, products=[7, 8]))
    assert (await read(stocked)).addons[11].products == frozenset({7, 8})

    await load(stocked, changed("addons", 11, products="all"))
    assert (await read(stocked)).addons[11].products is None


async def test_a_promotion_may_have_an_amount_for_each_currency(stocked: Database) -> None:
    await load(stocked, changed("promotions", 2, values={"EUR": "4.50", "JPY": "700"}))
    await load(stocked, changed("promotions", 2, values={"JPY": "-1"}))

    assert (await read(stocked)).promotions["fiveoff"].values == {"EUR": Decimal("4.50")}


async def test_another_currency_may_become_the_default(stocked: Database) -> None:
    euro = {"code": "EUR", "prefix": "€", "suffix": " EUR", "digits": 2, "default": True}

    await load(stocked, {"currencies": [euro]})

    assert [one.code for one in (await read(stocked)).currencies.values() if one.is_default] == ["EUR"]


async def test_a_file_may_be_a_part_that_refers_to_the_database(stocked: Database) -> None:
    code = {**SAMPLE["promotions"][1], "id": 99, "code": "PART"}

    report = await load(stocked, {"promotions": [code]})

    assert report.sections == {"promotions": Count(new=1, updated=0, unchanged=0)}
    assert (await read(stocked)).promotions["part"].products == frozenset({1, 2})


# ---------------------------------------------------------------- what can not be loaded


async def test_a_bad_file_changes_nothing_and_tells_everything(stocked: Database) -> None:
    before = await read(stocked)
    file = copy.deepcopy(SAMPLE)
    file["products"][0]["name"] = "Changed"
    file["clients"][0]["group"] = 77
    file["promotions"][0].update(id=500)
    file["orders"].append({"id": 9, "ordernum": "1000000001", "client": 1, "date": "2026-01-01", "status": "Active"})

    with pytest.raises(CatalogError) as raised:
        await load(stocked, file)

    assert raised.value.faults == (
        "orders[5].ordernum: 1000000001 is already at orders[0].ordernum",
        "clients[0].group: there is no client group 77",
        "promotions[0].code: demopromo belongs to promotion 1 in the database",
        "orders[5].ordernum: 1000000001 belongs to order 1 in the database",
    )
    assert await read(stocked) == before


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (changed("services", 3, client=2), "services[0].id: 3 belongs to client 1 in the database"),
        (changed("domains", 3, name="else.com"), "domains[0].id: 3 belongs to domain domain3.com in the database"),
        (changed("orders", 3, ordernum="1000000099"),
         "orders[0].id: 3 belongs to order number 1000000003 in the database"),
        (changed("products", 25, custom_fields=[{"id": 1, "name": "x", "type": "text", "required": False}]),
         "products[0].custom_fields[0].id: 1 belongs to product 1 in the database"),
        (changed("clients", 9, credit="0.5"), "clients[0].credit: JPY has no decimals"),
    ],
)  # fmt: skip
async def test_what_the_database_knows_better_is_refused(stocked: Database, file: dict[str, Any], fault: str) -> None:
    with pytest.raises(CatalogError) as raised:
        await load(stocked, file)

    assert raised.value.faults == (fault,)


async def test_a_file_of_orders_needs_a_payment_method(database: Database) -> None:
    with pytest.raises(CatalogError, match="orders: there is no payment method"):
        await load(database, {**SAMPLE, "payment_methods": []})


# ---------------------------------------------------------------- what can be loaded, and hurts


HURTFUL = """
    currencies:
    - {code: USD, prefix: $, suffix: " USD", digits: 2, default: true}
    - {code: EUR, prefix: €, suffix: " EUR", digits: 2, default: false}
    payment_methods:
    - {name: paypal, display_name: PayPal, active: true, order: 1}
    tax_rules:
    - {id: 2, level: 1, name: VAT, country: GB, rate: 19, compound: false}
    - {id: 1, level: 1, name: VAT, country: GB, rate: 20, compound: false}
    products:
    - id: 1
      name: Starter
      type: hosting
      paytype: recurring
      tax: true
      retired: false
      allowqty: no
      stock_control: false
      stock_quantity: 0
      free_domain: {cycles: [onetime], tlds: [.com]}
      pricing:
        USD: {onetime: {price: 50, setup: 0}, monthly: {price: 9.95, setup: 0}}
        EUR: {monthly: {price: 8.95, setup: 0}}
      config_options:
      - id: 1
        name: Disk
        type: dropdown
        choices:
        - {id: 1, name: 1 GB, pricing: {USD: {monthly: {price: 1, setup: 0}}, EUR: {monthly: {price: 1, setup: 0}}}}
    - id: 2
      name: Tools
      type: other
      paytype: free
      tax: true
      retired: false
      allowqty: no
      stock_control: true
      stock_quantity: 0
      pricing: {USD: {monthly: {price: 5, setup: 0}}}
    tlds:
    - {tld: .com, tax: true, epp_required: false, pricing: {USD: {register: {2: 29.90}}}}
    promotions:
    - id: 1
      code: FIVE
      type: fixed_amount
      value: 5
      recurring: false
      recur_for: 0
      max_uses: 0
      uses: 0
      once_per_client: false
      new_signups_only: false
      existing_clients_only: false
      applies_to: {products: [1], addons: [], tlds: []}
      apply_once: false
"""


async def test_a_file_is_loaded_whatever_will_hurt_and_then_that_happens(database: Database) -> None:
    file = parse(HURTFUL)
    found = {finding.code for finding in advise(file, date(2026, 11, 23))}
    async with database.transaction() as connection:
        await catalog.load(connection, file, by="tests")
    shop = await read(database)
    in_euros = some_facts(client=a_client(currency="EUR"))
    starter = Item(key=0, product_id=1)

    assert found == {
        "tax_overlap", "product_price_missing", "product_price_ignored", "product_cycle_unfit", "product_sold_out",
        "free_domain_tld", "default_choice_unpriced", "tld_not_renewed", "promotion_amount_missing",
    }  # fmt: skip
    once = only_item(ordered(a_request(starter), shop))
    assert (once.charge.price, once.charge.recurring) == (Decimal("50.00"), None)  # the choice at 0.00, billed once
    only_monthly = refused(a_request(replace(starter, billing_cycle=BillingCycle.ONETIME)), shop, facts=in_euros)
    assert only_monthly.code == "cycle_not_offered"
    assert refused(a_request(Item(key=0, product_id=2)), shop, totals=Totals(stock={2: 0})).code == "out_of_stock"
    free = ordered(a_request(Item(key=0, product_id=2)), shop, totals=Totals(stock={2: 1}))
    assert (free.bill.total, free.bill.invoiced) == (Decimal("0.00"), False)
    with_domain = replace(starter, domain="a.com", domain_type=DomainType.REGISTER)
    domain = ordered(a_request(with_domain), shop).items[1]
    assert (domain.charge.price, domain.charge.recurring) == (Decimal("29.90"), None)  # neither free nor renewed
    without_amount = ordered(a_request(starter, promo_code="FIVE"), shop, facts=in_euros)
    assert without_amount.warnings == ("promocode: FIVE has no amount in EUR; the full price is charged",)
    (tax,) = ordered(a_request(starter), shop, facts=some_facts(client=a_client(country="GB"))).bill.taxes
    assert tax.rate == 20  # of the lower id


def check_in_a_shell(content: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "worker", "catalog", "check", "-", *arguments]
    return subprocess.run(command, input=content, capture_output=True, text=True, timeout=60, check=False)


def test_checking_tells_what_will_hurt_and_ends_with_one() -> None:
    ended = check_in_a_shell(HURTFUL)

    first, *others = ended.stdout.splitlines()
    assert first.startswith("tax_rules[0]: rule 1 (VAT, 20 %) has the same level, country and state: ")
    assert others[-1].startswith("promotions[0].values.EUR: FIVE has no amount in EUR")
    assert ended.stderr == "9 things in the file will hurt later, though `load` takes it\n"
    assert ended.returncode == 1


def test_a_script_has_place_code_and_message_of_each_finding() -> None:
    hurtful = check_in_a_shell(HURTFUL, "--json")
    refused_file = check_in_a_shell('{"products": [{"id": 0}], "tlds": 7}', "--json")
    in_order = check_in_a_shell("{}", "--json")

    assert json.loads(hurtful.stdout)[0].keys() == {"path", "code", "message"}
    assert json.loads(hurtful.stdout)[0]["code"] == "tax_overlap"
    assert json.loads(refused_file.stdout)[0] == {
        "path": "products[0].id", "code": "refused", "message": "must be at least 1",
    }  # fmt: skip
    assert (hurtful.returncode, refused_file.returncode) == (1, 1)
    assert (hurtful.stderr, refused_file.stderr) == ("", "")
    assert (json.loads(in_order.stdout), in_order.returncode) == ([], 0)


def test_a_file_without_findings_is_in_order() -> None:
    ended = check_in_a_shell("{}")

    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "the file is in order\n", 0)


def test_what_can_not_be_loaded_is_told_first_and_alone() -> None:
    ended = check_in_a_shell(HURTFUL.replace("[.com]", "[.net]"))

    assert "products[0].free_domain.tlds[0]: there is no TLD .net" in ended.stderr
    assert "to fix in the file first" in ended.stderr
    assert (ended.stdout, ended.returncode) == ("", 1)


# ---------------------------------------------------------------- clients and what they own


async def test_earlier_orders_and_what_is_owned_are_stored(stocked: Database) -> None:
    async with stocked.connection() as connection:
        order = await connection.fetchrow("SELECT * FROM orders WHERE id = 3")
        domain = await connection.fetchrow("SELECT * FROM domains WHERE id = 10")
        addon = await connection.fetchrow("SELECT * FROM service_addons WHERE id = 11")

    assert order is not None
    assert (order["order_number"], order["client_id"], order["status"]) == ("1000000003", 18, "Active")
    assert order["placed_at"].isoformat() == "2026-01-12T00:00:00+00:00"
    assert order["placed_on"].isoformat() == "2026-01-12"
    assert (order["promotion_id"], order["promotion_code"], order["promotion_value"]) == (10, "ONCEEACH", Decimal(50))
    assert (order["currency"], order["amount"], order["payment_method"]) == ("USD", 0, "paypal")
    assert domain is not None
    assert (domain["name"], domain["name_unicode"]) == ("xn--bcher-alt-q9a.com", "bücher-alt.com")
    assert (domain["next_due"], domain["recurring"]) == (domain["expires"], Decimal("14.95"))
    assert addon is not None
    assert (addon["service_id"], addon["recurring"], addon["quantity"]) == (20, Decimal("1.80"), 1)
    assert addon["next_due"].isoformat() == "2026-12-10"


async def test_an_order_and_a_service_that_live_are_not_overwritten(stocked: Database) -> None:
    await value(stocked, "UPDATE services SET status = 'Suspended' WHERE id = 3")

    report = await load(stocked, SAMPLE)

    assert report.sections["services"] == Count(new=0, updated=0, unchanged=11)
    assert await value(stocked, "SELECT status FROM services WHERE id = 3") == "Suspended"


async def test_rows_made_later_take_higher_ids(stocked: Database) -> None:
    async def next_ids() -> list[int]:
        return [
            await value(stocked, "SELECT nextval($1::text::regclass)", f"{table}_id_seq")
            for table in ("orders", "services", "service_addons", "domains")
        ]

    first = await next_ids()
    await load(stocked, SAMPLE)

    assert first == [6, 28, 12, 12]
    assert await next_ids() == [7, 29, 13, 13]


# ---------------------------------------------------------------- several at once


async def test_of_five_loads_at_once_one_does_the_work(database: Database) -> None:
    reports = await asyncio.gather(*(load(database, SAMPLE) for _ in range(5)))

    assert sorted(report.moved for report in reports) == [False, False, False, False, True]
    assert {report.version for report in reports} == {2}


async def test_loads_that_differ_take_turns(stocked: Database) -> None:
    files = [
        {**SAMPLE, "products": [{**entry, "name": f"{entry['name']} {turn}"} for entry in products]}
        for turn, products in enumerate((SAMPLE["products"], SAMPLE["products"][::-1]) * 3)
    ]

    reports = await asyncio.gather(*(load(stocked, file) for file in files))

    assert sorted(report.version for report in reports) == [3, 4, 5, 6, 7, 8]
    assert len({product.name.rpartition(" ")[2] for product in (await read(stocked)).products.values()}) == 1


class Interrupted:
    """A connection that lets somebody else in before its query of the addons, once."""

    def __init__(self, connection: Connection, interrupt: Callable[[], Awaitable[Any]]) -> None:
        self._connection = connection
        self._interrupt: Callable[[], Awaitable[Any]] | None = interrupt

    async def fetch(self, query: str) -> list[Any]:
        if self._interrupt and query == catalog_snapshot.SQL["addons"]:
            interrupt, self._interrupt = self._interrupt, None
            await interrupt()
        return await self._connection.fetch(query)

    async def fetchrow(self, query: str) -> Any:
        return await self._connection.fetchrow(query)


async def test_a_snapshot_is_never_a_mixture_of_two_versions(stocked: Database) -> None:
    file = {name: [{**entry, "name": "then"} for entry in SAMPLE[name]] for name in ("products", "addons")}

    async with stocked.connection() as connection:
        interrupted: Any = Interrupted(connection, lambda: load(stocked, file))
        snapshot = await catalog.read(interrupted)

    assert snapshot.version == 3
    assert snapshot.products[1].name == snapshot.addons[1].name == "then"


async def test_a_snapshot_has_the_credentials_that_its_version_of_them_says(stocked: Database) -> None:
    async def revoke() -> None:
        await change(stocked, lambda connection: credentials.revoke(connection, "IDENT"))

    async with stocked.connection() as connection:
        interrupted: Any = Interrupted(connection, revoke)
        snapshot = await catalog.read(interrupted)

    assert (snapshot.version, snapshot.credentials_version) == (2, 3)
    assert "IDENT" not in snapshot.credentials


# ---------------------------------------------------------------- export


async def test_what_is_exported_is_what_was_loaded(stocked: Database) -> None:
    exported = await export(stocked)

    # What the sample leaves out is written as what it means.
    assert exported["products"] == [
        {**entry, "free_domain": entry["free_domain"] and {**entry["free_domain"], "kind": "once"}}
        for entry in SAMPLE["products"]
    ]
    assert exported["addons"] == [{**entry, "retired": False, "prorata": False} for entry in SAMPLE["addons"]]
    assert exported["tlds"] == sorted(
        ({**entry, "grace": None, "redemption": None} for entry in SAMPLE["tlds"]),
        key=lambda entry: str(entry["tld"]),
    )
    assert exported["promotions"] == [
        {**entry, "values": {}, "requires_existing": True} for entry in SAMPLE["promotions"]
    ]
    assert exported["api_credentials"][0] == {"identifier": "IDENT", "actions": ["addorder"]}
    assert "clients" not in exported
    assert not (await load(stocked, exported)).moved


async def test_what_is_exported_sells_the_same_elsewhere(stocked: Database, database: Database) -> None:
    here = await read(stocked)

    report = await load(database, await export(stocked))

    there = await read(database)
    assert report.notes[0] == (
        "api_credentials[0]: IDENT has no secret here and was left out; `orders credentials add` makes one"
    )
    of_here: dict[str, Any] = {"order_number_key": b"", "credentials_version": 0, "credentials": {}}
    assert replace(there, **of_here) == replace(here, **of_here, affiliates={})


LATE = {
    "products": [
        {**SAMPLE["products"][0], "free_domain": {"cycles": ["annually"], "tlds": [".com"], "kind": "while_renewed"}}
    ],
    "addons": [{**SAMPLE["addons"][0], "retired": True, "prorata": True}],
    "tlds": [
        {
            **SAMPLE["tlds"][0],
            "grace": {"days": 30, "fee": {"EUR": "18.00", "USD": "20.00"}},
            "redemption": {"days": 35, "fee": {"USD": "80.00"}},
        }
    ],
    "promotions": [{**SAMPLE["promotions"][0], "values": {}, "requires_existing": False}],
}


async def test_late_fees_and_flags_of_products_addons_and_codes_are_kept(stocked: Database) -> None:
    await load(stocked, LATE)

    exported = await export(stocked)
    for section, [entry] in LATE.items():
        assert entry in exported[section]


async def test_a_late_fee_that_has_left_the_file_is_gone(stocked: Database) -> None:
    await load(stocked, LATE)

    await load(stocked, {"tlds": [{**SAMPLE["tlds"][0], "grace": {"days": 10, "fee": {"USD": "25.00"}}}]})

    tld = (await read(stocked)).tlds[SAMPLE["tlds"][0]["tld"]]
    assert tld.grace is not None
    assert (tld.grace.days, dict(tld.grace.fee)) == (10, {"USD": Decimal("25.00")})
    assert tld.redemption is None


# ---------------------------------------------------------------- credentials


async def test_a_secret_is_kept_as_an_argon2id_hash(stocked: Database) -> None:
    kept = (await read(stocked)).credentials["SECOND"]

    assert kept.secret_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert kept.actions == frozenset({"addorder", "getorders"})
    assert credentials.is_hash_of(kept.secret_hash, "SECRET-2")


async def test_a_secret_that_changes_is_hashed_anew(stocked: Database) -> None:
    file = {"api_credentials": [{"identifier": "IDENT", "secret": "OTHER", "actions": ["addorder"]}]}

    report = await load(stocked, file)

    kept = (await read(stocked)).credentials["IDENT"]
    assert report == LoadReport({"api_credentials": Count(0, 1, 0)}, version=2, changes=(), notes=())
    assert credentials.is_hash_of(kept.secret_hash, "OTHER")


async def test_a_secret_that_was_replaced_does_not_come_back_with_a_file_that_still_has_it(stocked: Database) -> None:
    made = await change(stocked, lambda connection: credentials.replace(connection, "IDENT"))
    file = {"api_credentials": [{"identifier": "IDENT", "secret": "SECRET", "actions": ["addorder"]}]}

    report = await load(stocked, file)

    kept = (await read(stocked)).credentials["IDENT"]
    assert credentials.is_hash_of(kept.secret_hash, made.secret)
    assert report.notes == (
        "api_credentials[0]: IDENT keeps its new secret: the one here was replaced; take it out of the file",
    )


async def test_a_credential_that_was_revoked_stays_so(stocked: Database) -> None:
    await change(stocked, lambda connection: credentials.revoke(connection, "IDENT"))

    report = await load(stocked, SAMPLE)

    assert report.notes == (
        "api_credentials[0]: IDENT was revoked and stays so; `orders credentials add` makes a new one",
    )
    assert "IDENT" not in (await read(stocked)).credentials


async def test_a_credential_is_made_listed_and_revoked(stocked: Database) -> None:
    made = await change(stocked, lambda connection: credentials.add(connection, ["AddOrder"]))
    snapshot = await read(stocked)
    await change(stocked, lambda connection: credentials.revoke(connection, made.identifier))
    async with stocked.connection() as connection:
        listed = await credentials.list_(connection)

    assert len(made.identifier) == 32
    assert credentials.is_hash_of(snapshot.credentials[made.identifier].secret_hash, made.secret)
    assert snapshot.credentials[made.identifier].actions == frozenset({"addorder"})
    # What is sold is as it was; who may ask has a version of its own.
    assert (snapshot.version, snapshot.credentials_version) == (2, 3)
    assert ((await read(stocked)).version, (await read(stocked)).credentials_version) == (2, 4)
    assert [one.identifier for one in listed if one.revoked_at] == [made.identifier]


async def test_a_credential_that_is_taken_or_not_there_is_told(stocked: Database) -> None:
    with pytest.raises(CredentialError, match="there is a credential IDENT already: `orders credentials replace`"):
        await change(stocked, lambda connection: credentials.add(connection, ["addorder"], "IDENT"))
    with pytest.raises(CredentialError, match="there is no credential GONE in force"):
        await change(stocked, lambda connection: credentials.revoke(connection, "GONE"))
    with pytest.raises(CredentialError, match="name at least one action, such as addorder"):
        await change(stocked, lambda connection: credentials.add(connection, ["add order"]))

    assert ((await read(stocked)).version, (await read(stocked)).credentials_version) == (2, 2)
