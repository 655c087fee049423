"""`orders find`: orders by what they have, the newest first, and that not all were looked at."""

import json
from datetime import timedelta
from typing import Any

import pytest

from repository import find as archive
from repository.database import Database
from repository.find import Criteria
from tests.integration.test_commands import orders
from tests.shop import Shop

ORDER: dict[str, Any] = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}


async def found(shop: Shop, *options: str) -> list[int]:
    ended = await orders(shop, "find", "--json", *options)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line)["id"] for line in ended.stdout.splitlines()]


async def test_an_order_is_found_by_each_thing_that_it_has_and_by_several(shop: Shop) -> None:
    await shop.start_worker()
    plain = await shop.ask(ORDER)
    hosted = await shop.ask(
        {**ORDER, "clientid": 10, "pid": 1, "domain": "BÜCHER.example.com", "billingcycle": "monthly"}
    )
    registered = await shop.ask({**ORDER, "pid": [], "domain": ["found.com"], "domaintype": ["register"]})
    renewed = await shop.ask({"clientid": 1, "paymentmethod": "paypal", "domainrenewals": {"domain1.com": 1}})
    ids = [reply["orderid"] for reply in (plain, hosted, registered, renewed)]
    [client] = await shop.fetch("SELECT email FROM clients WHERE id = 10")
    [version] = await shop.fetch("SELECT version FROM catalogue")

    assert await found(shop, "--client", "10") == [ids[1]]
    assert await found(shop, "--email", client["email"].upper()) == [ids[1]]
    assert await found(shop, "--domain", "found.com") == [ids[2]]
    assert await found(shop, "--domain", "bücher.example.com") == [ids[1]]
    assert await found(shop, "--domain", "xn--bcher-kva.example.com") == [ids[1]]
    assert ids[3] in await found(shop, "--domain", "domain1.com")
    assert await found(shop, "--invoice", str(registered["invoiceid"])) == [ids[2]]
    assert ids[1] in await found(shop, "--product", "1")
    assert await found(shop, "--catalogue-version", str(version["version"]), "--since", "1h") == ids[::-1]
    assert await found(shop, "--client", "1", "--product", "7", "--since", "1h") == [ids[0]]
    assert await found(shop, "--client", "10", "--product", "7") == []
    assert await found(shop, "--until", "2001-01-01") == []
    assert (await found(shop, "--limit", "2")) == ids[:1:-1]


async def test_a_screen_says_what_is_in_an_order_and_that_there_may_be_more(shop: Shop) -> None:
    await shop.start_worker()
    reply = await shop.ask({**ORDER, "pid": 1, "domain": "mine.com"})
    await shop.ask(ORDER)

    shown = await orders(shop, "find", "--client", "1", "--since", "1h")
    short = await orders(shop, "find", "--since", "1h", "--limit", "1")
    nobody = await orders(shop, "find", "--client", "99")

    [line] = [line for line in shown.stdout.splitlines() if line.split()[:1] == [str(reply["orderid"])]]
    assert line.split()[4:7] == ["1", "9.95", "USD"]
    assert "  Starter mine.com" in shown.stdout.splitlines()
    assert short.stderr == "the newest 1; there may be more: narrow it down, or give --limit\n"
    assert (nobody.returncode, nobody.stdout) == (0, "no order is so\n")


async def test_a_search_is_bounded_and_says_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    await shop.start_worker()
    for _ in range(5):
        await shop.ask(ORDER)
    monkeypatch.setattr(archive, "AT_ONCE", 2)
    monkeypatch.setattr(archive, "LOOKED_AT_MAX", 4)
    async with Database(shop.environment["ORDERS_POSTGRES_URL"]) as database, database.snapshot() as connection:
        now = await connection.fetchval("SELECT now()")
        bounded = await archive.find(connection, Criteria(product_id=99), 50)
        by_time = await archive.find(connection, Criteria(since=now - timedelta(hours=1), product_id=None), 3)
        nothing = await archive.find(connection, Criteria(email="nobody@example.com"), 50)

    assert (bounded.orders, bounded.is_whole) == ([], True)  # led to by the product itself
    assert (len(by_time.orders), by_time.is_whole) == (3, False)
    assert (nothing.orders, nothing.is_whole) == ([], True)
