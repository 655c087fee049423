"""`orders price`: what a request would cost and why, and that asking changes nothing."""

import asyncio
import json
import re
from typing import Any

import phpserialize
import pytest

from tests.integration.test_commands import run
from tests.shop import Shop

ADDRESSED: dict[str, object] = {"clientid": 10, "paymentmethod": "paypal"}
FORM = "clientid=10&paymentmethod=paypal&pid=1&addons=1&promocode=demopromo"
WRITTEN_TO = ("orders", "inbox", "answers", "invoices", "services", "product_stock", "promotion_uses")


async def price(shop: Shop, *arguments: str, stdin: str = "") -> tuple[int, str]:
    url = shop.environment["ORDERS_POSTGRES_URL"]
    ended = await asyncio.to_thread(run, "price", *arguments, stdin=stdin, ORDERS_POSTGRES_URL=url)
    assert not ended.stderr
    return ended.returncode, ended.stdout


async def quoted(shop: Shop, request: dict[str, object]) -> dict[str, Any]:
    _, printed = await price(shop, "--json", stdin=json.dumps(request))
    quote: dict[str, Any] = json.loads(printed)
    return quote


async def test_what_was_quoted_is_what_is_ordered(shop: Shop) -> None:
    await shop.start_worker()
    request = {**ADDRESSED, "pid": 1, "addons": "1", "promocode": "demopromo"}

    quote = await quoted(shop, request)
    asked = await shop.publish(request)
    caused = await shop.until_events(str(asked.message_id), "order.added", "email.invoice-created")
    [added, mail] = [event for event in caused if event.type != "email.order-confirmation"]

    # 9.95 + 2.00, less 10 % of each: 1.00 and 0.20. The product is taxed with 5 % of 8.95: 0.45; and on top with
    # 9.975 % of 9.40: 0.94.
    assert (quote["subtotal"], quote["discount"], quote["amount"]) == ("11.95", "1.20", "12.14")
    assert quote["amount"] == added.data["amount"]
    shared = ("lines", "subtotal", "discount", "taxes", "tax_inclusive", "due")
    for line in mail.data["invoice"]["lines"]:
        line["relid"] = None  # what is not ordered yet has no id
    assert {name: quote[name] for name in shared} == {name: mail.data["invoice"][name] for name in shared}
    for item, ordered in zip(quote["items"], added.data["items"], strict=True):
        assert ordered == {**{name: item.get(name) for name in ordered}, "id": ordered["id"]}


async def test_a_refused_request_is_quoted_with_the_very_faults_of_its_rejection(shop: Shop) -> None:
    await shop.start_worker()
    request = {**ADDRESSED, "pid": [1, 77], "billingcycle": ["triennially"]}

    quote = await quoted(shop, request)
    asked = await shop.publish(request)
    [rejected] = await shop.until_events(str(asked.message_id), "order.rejected")

    said = ("code", "message", "faults")
    assert [fault["code"] for fault in quote["faults"]] == ["cycle_not_offered", "product_not_found"]
    assert {name: quote[name] for name in said} == {name: rejected.data[name] for name in said}


async def test_asking_writes_nothing_and_waits_for_nobody(shop: Shop) -> None:
    before = [await shop.count(table) for table in WRITTEN_TO]
    form = "clientid=1&paymentmethod=paypal&pid=11&promocode=ONCEEACH"

    async with shop.database.acquire() as worker, worker.transaction():
        await worker.execute("SELECT FROM product_stock FOR UPDATE")
        await worker.execute("SELECT FROM clients FOR UPDATE")
        answers = [await price(shop, "--form", form) for _ in range(2)]

    # There is one of product 11: who asks twice has not bought it once.
    assert [status for status, _ in answers] == [0, 0]
    assert [await shop.count(table) for table in WRITTEN_TO] == before


async def test_a_person_reads_what_each_amount_is_made_of(shop: Shop) -> None:
    _, taxed = await price(shop, "--form", FORM)
    _, made_up = await price(
        shop,
        *("--form", "clientid=1&paymentmethod=paypal&pid=1&billingcycle=annually&domain=a.com&domaintype=register"),
        *("--form", "clientid=1&paymentmethod=paypal&pid=12&qty=3&noinvoice=on&affid=99"),
        *("--form", "clientid=1&paymentmethod=paypal&pid=26&priceoverride=1.50"),
        *("--form", "clientid=1&paymentmethod=paypal&pid=4"),
    )

    for words in (
        r"Starter \(\S+ - \S+\) +9\.95",
        r"price 9\.95, taxed, then 9\.95 monthly",
        r"Promotional Code: demopromo - 10\.00% One Time Discount +-1\.00",
        r"price 2\.00, not taxed, then 2\.00 monthly",
        r"discounts +-1\.20",
        r"GST 5 % of 8\.95 +0\.45",
        r"QST 9\.975 % of 9\.40 +0\.94",
        r"to be paid now +12\.14 USD",
        r"an invoice of \S+, due \S+",
    ):
        assert re.search(words, taxed), words
    for words in (
        r"free with the product 0\.00, then 14\.95 for a year",
        r"3 x Team seats .* +35\.00",
        r"price for 3 15\.00, setup fee 20\.00, then 15\.00 monthly",
        r"no invoice: noinvoice",
        r"warning: affid: affiliate 99 is not known",
        r"price asked for \(priceoverride\) 1\.50, then 1\.50 monthly",
        r"no invoice: everything is free",
    ):
        assert re.search(words, made_up), words


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("clientid=1&paymentmethod=paypal&pid=9", "it would be rejected: out_of_stock"),
        ("clientid=1&paymentmethod=paypal", "No items added to cart so order cannot proceed"),
        ("clientid=1&paymentmethod=paypal&pid=x&affid=y", "pid[0]: must be a whole number such as 7"),
        ("action=getclients&clientid=1", "action: this queue takes addorder only"),
    ],
)
async def test_a_refusal_is_told_in_words_and_ends_with_status_1(shop: Shop, form: str, words: str) -> None:
    status, printed = await price(shop, "--form", form)

    assert status == 1
    assert words in printed


async def test_a_request_may_come_in_each_of_the_encodings(shop: Shop) -> None:
    values = {**ADDRESSED, "pid": 1, "addons": "1", "promocode": "demopromo"}

    bodies = (FORM, json.dumps(values), phpserialize.dumps(values).decode())
    printed = {(await price(shop, stdin=body))[1] for body in bodies}
    lines = (await price(shop, "--json", stdin=f"{json.dumps(values)}\n{json.dumps(values)}\n"))[1].splitlines()

    assert len(printed) == 1
    assert "12.14 USD" in printed.pop()
    assert [json.loads(line)["amount"] for line in lines] == ["12.14", "12.14"]
