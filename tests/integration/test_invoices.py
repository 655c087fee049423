"""An invoice says who owes whom what, with which tax, until when: for good (addorder.md 5.11, 5.12 and 6)."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.test_commands import orders
from tests.shop import Shop

SELLER = {"name": "Hosting Ltd", "address": "1 High Street\nLeeds LS1 1AA", "country": "GB", "tax_id": "GB 123 4567 89"}
TAXED = {"clientid": 7, "pid": 18, "paymentmethod": "paypal"}  # 100.00, to a client in Great Britain, whose VAT is 20 %
EXEMPT = {**TAXED, "clientid": 3}  # there, too
CLIENT = """
    UPDATE clients
    SET
        first_name = 'Ada', last_name = 'Lovelace', company_name = 'Analytical Ltd', address1 = '12 St James''s Square',
        address2 = 'Flat 2', city = 'London', postcode = 'SW1Y 4LB', state = 'London', tax_id = 'GB 999 9999 73'
    WHERE id = $1
"""
ADA = {
    "name": "Ada Lovelace", "company": "Analytical Ltd", "address1": "12 St James's Square", "address2": "Flat 2",
    "city": "London", "state": "London", "postcode": "SW1Y 4LB", "country": "GB", "tax_id": "GB 999 9999 73",
}  # fmt: skip


async def load(shop: Shop, **settings: Any) -> None:
    ended = await orders(shop, "catalog", "load", "-", "--force", stdin=json.dumps({"settings": settings}))
    assert ended.returncode == 0, ended.stderr


async def told(shop: Shop, body: dict[str, Any], message_id: str = "mine") -> dict[str, dict[str, Any]]:
    """Order, and return what is said of it, by type."""
    await shop.publish(body, message_id=message_id)
    events = await shop.until_events(message_id, "order.added", "email.order-confirmation")
    return {event.type: event.data for event in events}


def adds_up(bill: dict[str, Any], total: str) -> bool:
    """Whether the lines come to the total, by what stands beside them alone."""
    lines = sum(Decimal(line["amount"]) for line in bill["lines"])
    taxes = sum(Decimal(tax["amount"]) for tax in bill["taxes"])
    net = Decimal(bill["subtotal"]) - Decimal(bill["discount"])
    taxed = sum(Decimal(line["amount"]) for line in bill["lines"] if line["taxed"])
    contained = taxes if bill["tax_inclusive"] else 0
    bases = [Decimal(tax["base"]) for tax in bill["taxes"] if tax["level"] == 1]
    return (
        lines == net
        and net + (0 if bill["tax_inclusive"] else taxes) == Decimal(bill[total])
        and all(base == taxed - contained for base in bases)
    )


# ---------------------------------------------------------------- the mails


async def test_the_mail_of_an_invoice_is_all_that_an_accountant_needs(shop: Shop) -> None:
    await load(shop, seller=SELLER, invoice_number="{year}-{number:05}", invoice_grace_days=14, date_format="%d %b %Y")
    await shop.database.execute(CLIENT, 7)
    await shop.stop_clock("2026-11-23T20:00Z")
    await shop.start_worker()

    said = await told(shop, {**TAXED, "addons": "1"})

    [service] = await shop.fetch("SELECT id FROM services WHERE order_id IS NOT NULL")
    [addon] = await shop.fetch("SELECT id FROM service_addons WHERE order_id IS NOT NULL")
    mail = said["email.invoice-created"]
    invoice = mail["invoice"]
    assert mail["to"] == {**ADA, "email": "client7@example.com", "language": "english", "tax_exempt": False}
    assert invoice == {
        "id": 1,
        "number": None,
        "proforma": True,
        "issued": None,
        "date": "2026-11-23",
        "due": "2026-12-07",
        "status": "Unpaid",
        "lines": [
            {
                "kind": "service", "relid": service["id"], "description": "Taxed plan (23 Nov 2026 - 22 Dec 2026)",
                "amount": "100.00", "taxed": True, "period_end": "2026-12-22",
            },
            {
                "kind": "addon", "relid": addon["id"], "description": "Addon - SSL (23 Nov 2026 - 22 Dec 2026)",
                "amount": "2.00", "taxed": False, "period_end": "2026-12-22",
            },
        ],
        "subtotal": "102.00",
        "discount": "0.00",
        "taxes": [{"level": 1, "name": "VAT", "rate": "20.000", "base": "100.00", "amount": "20.00"}],
        "tax_inclusive": False,
        "total": "122.00",
        "tax_note": None,
        "seller": SELLER,
        "currency": {"code": "USD", "prefix": "$", "suffix": " USD"},
        "paymentmethod": "PayPal",
        "ordernum": invoice["ordernum"],
    }  # fmt: skip
    assert adds_up(invoice, "total")


async def test_the_confirmation_and_the_event_say_the_same(shop: Shop) -> None:
    await load(shop, seller=SELLER, invoice_number="{number}", invoice_grace_days=14)
    await shop.database.execute(CLIENT, 7)
    await shop.start_worker()

    said = await told(shop, {**TAXED, "promocode": "demopromo", "affid": 3})

    added, mail, confirmed = (
        said[name] for name in ("order.added", "email.invoice-created", "email.order-confirmation")
    )
    invoice = mail["invoice"]
    # 10 % off 100.00, and 20 % of 90.00
    assert (invoice["subtotal"], invoice["discount"], invoice["total"]) == ("100.00", "10.00", "108.00")
    assert [line["kind"] for line in invoice["lines"]] == ["service", "promotion"]
    shared = ("subtotal", "discount", "taxes", "tax_inclusive", "due")
    assert [added[name] for name in shared] == [invoice[name] for name in shared]
    mailed = (*shared, "lines", "date", "status", "number", "proforma", "tax_note", "seller", "currency")
    assert [confirmed[name] for name in mailed] == [invoice[name] for name in mailed]
    assert (added["amount"], confirmed["amount"]) == (invoice["total"],) * 2
    assert confirmed["to"] == mail["to"]
    assert (added["paymentmethod"], added["paymentmethodname"], added["affiliateid"]) == ("paypal", "PayPal", 3)
    assert added["invoice"] == {
        "id": added["invoiceid"], "number": None, "proforma": True, "issued": None, "date": invoice["date"],
        "due": invoice["due"], "status": "Unpaid", "client": {**ADA, "tax_exempt": False}, "seller": SELLER,
        "tax_note": None,
    }  # fmt: skip
    assert adds_up(invoice, "total")
    assert adds_up(confirmed, "amount")


async def test_without_an_invoice_the_confirmation_has_the_tax_too(shop: Shop) -> None:
    await load(shop, seller=SELLER, invoice_grace_days=14)
    await shop.stop_clock("2026-11-23T20:00Z")
    await shop.start_worker()

    said = await told(shop, {**TAXED, "noinvoice": True})

    confirmed = said["email.order-confirmation"]
    assert "email.invoice-created" not in said
    assert confirmed["taxes"] == [{"level": 1, "name": "VAT", "rate": "20.000", "base": "100.00", "amount": "20.00"}]
    assert (confirmed["amount"], confirmed["due"], confirmed["seller"]) == ("120.00", "2026-12-07", SELLER)
    assert said["order.added"]["taxes"] == confirmed["taxes"]
    assert adds_up(confirmed, "amount")


async def test_an_exempt_client_of_a_shop_whose_prices_contain_tax_pays_without_it_and_is_told_why(shop: Shop) -> None:
    await load(shop, tax="inclusive", tax_exempt="deduct", tax_note="Reverse charge", seller=SELLER)
    await shop.start_worker()

    exempt = (await told(shop, EXEMPT))["email.invoice-created"]
    other = (await told(shop, TAXED, "other"))["email.invoice-created"]

    invoice = exempt["invoice"]
    assert exempt["to"]["tax_exempt"] is True
    # 100.00 / 1.20
    assert (invoice["total"], invoice["taxes"], invoice["tax_inclusive"]) == ("83.33", [], False)
    assert invoice["tax_note"] == "Reverse charge"
    taxed = other["invoice"]
    assert (taxed["total"], taxed["tax_inclusive"], taxed["tax_note"]) == ("100.00", True, None)
    assert taxed["taxes"] == [{"level": 1, "name": "VAT", "rate": "20.000", "base": "83.33", "amount": "16.67"}]
    assert adds_up(invoice, "total")
    assert adds_up(taxed, "total")
    [row] = await shop.fetch(
        "SELECT recurring, first_payment FROM services WHERE client_id = 3 AND order_id IS NOT NULL"
    )
    assert (str(row["recurring"]), str(row["first_payment"])) == ("100.00", "83.33")


# ---------------------------------------------------------------- what is kept


async def test_an_invoice_keeps_whom_it_named_and_what_it_said(shop: Shop) -> None:
    await load(shop, seller=SELLER, tax_note="Reverse charge")
    await shop.database.execute(CLIENT, 3)
    await shop.start_worker()
    await told(shop, EXEMPT)
    await told(shop, TAXED, "other")

    await load(shop, seller={"name": "Bought Ltd"}, tax_note="Something else")
    await shop.database.execute("UPDATE clients SET first_name = '-', last_name = '-', tax_id = NULL, country = 'FR'")
    await shop.database.execute("UPDATE tax_rules SET name = 'Sales tax', rate = 99")
    shown = [await orders(shop, "show", name, "--json") for name in ("mine", "other")]

    exempt, taxed = (json.loads(one.stdout)["requests"][0]["order"]["invoices"][0] for one in shown)
    assert exempt["client"] == {**ADA, "tax_exempt": True}
    assert (exempt["seller"], exempt["tax_note"], exempt["taxes"]) == (SELLER, "Reverse charge", [])
    assert taxed["taxes"] == [{"level": 1, "name": "VAT", "rate": "20.000", "base": "100.00", "amount": "20.00"}]
    assert (taxed["tax_note"], taxed["number"], taxed["proforma"]) == ("", None, False)


async def test_orders_show_tells_a_person_all_of_it(shop: Shop) -> None:
    await load(shop, seller=SELLER, tax_note="Reverse charge", invoice_number="{year}-{number:05}", tax="inclusive")
    await shop.database.execute(CLIENT, 3)
    await shop.stop_clock("2026-11-23T20:00Z")
    await shop.start_worker()
    await told(shop, {**EXEMPT, "priceoverride": "0"})
    await told(shop, TAXED, "owed")
    await told(shop, {**TAXED, "noinvoice": True}, "none")

    paid, owed, none = [
        " ".join((await orders(shop, "show", name)).stdout.split()) for name in ("mine", "owed", "none")
    ]

    for words in (
        "number 2026-00001 of 2026-11-23, Paid",
        "to Ada Lovelace, Analytical Ltd, 12 St James's Square, Flat 2, SW1Y 4LB London, London, GB,",
        "tax id GB 999 9999 73, exempt of tax",
        "from Hosting Ltd, 1 High Street, Leeds LS1 1AA, GB, tax id GB 123 4567 89",
        "Reverse charge",
    ):
        assert words in paid
    for words in ("pro forma, Unpaid", "VAT 20 % of 83.33, contained 16.67", "total 100.00 USD"):
        assert words in owed
    for words in ("no invoice due 2026-11-23", "VAT 20 % of 83.33, contained 16.67", "total 100.00 USD"):
        assert words in none


async def test_a_line_of_a_product_names_its_options_and_its_setup_fee(shop: Shop) -> None:
    await shop.stop_clock("2026-11-23T20:00Z")
    await shop.start_worker()
    body = {"clientid": 1, "pid": 21, "paymentmethod": "paypal", "configoptions": {"52": 1}}

    [line] = (await told(shop, body))["email.invoice-created"]["invoice"]["lines"]

    first, *rows = line["description"].split("\n")
    assert first.endswith("(23/11/2026 - 22/12/2026)")
    assert rows[-1] == "Setup: 6.00"  # 5.00, and 1.00 of the option
    assert "Managed: Yes" in rows
    [kept] = await shop.fetch("SELECT description FROM invoice_lines WHERE kind = 'service'")
    assert kept["description"] == line["description"]


# ---------------------------------------------------------------- the version before


async def test_what_the_version_before_placed_is_told_without_what_it_did_not_write_down(shop: Shop) -> None:
    await shop.start_worker()
    await told(shop, TAXED)
    await told(shop, {**TAXED, "noinvoice": True}, "none")
    await shop.database.execute(
        "UPDATE invoices SET taxes = NULL, client = NULL, seller = NULL, tax_note = NULL, proforma = NULL"
    )
    await shop.database.execute("UPDATE orders SET bill = NULL")

    invoiced, none = [await orders(shop, "show", name) for name in ("mine", "none")]

    words = " ".join(invoiced.stdout.split())
    assert (invoiced.returncode, none.returncode) == (0, 0)
    assert "tax 20 % 20.00" in words
    assert "total 120.00 USD" in words


@pytest.mark.parametrize("state", ["new york", " New York", "NY"])
async def test_a_client_is_taxed_however_the_state_is_written(shop: Shop, state: str) -> None:
    await shop.database.execute("UPDATE tax_rules SET state_aliases = '{NY}' WHERE state = 'New York'")
    await shop.database.execute("UPDATE clients SET state = $1 WHERE id = 14", state)
    await shop.start_worker()

    invoice = (await told(shop, {**TAXED, "clientid": 14}))["email.invoice-created"]["invoice"]

    assert [(tax["name"], tax["amount"]) for tax in invoice["taxes"]] == [("Sales tax", "8.88")]  # 8.875
