"""A worker of the version before the shop's settings: python -m tests.faults.older_worker.

It knows its environment only, and its statements know nothing that 0006_settings.sql and 0014_invoices.sql add.
"""

import sys
from collections.abc import Mapping
from typing import Any, cast

from repository import catalog_snapshot, facts, orders, shop_settings
from schemas.shop_settings import Given
from worker import __main__ as program
from worker.settings import Settings

SETTINGS = """, tax, tax_exempt, tax_note, invoice_grace_days, invoice_number,
    accept_when_paid, date_format, nameservers, timezone, seller"""
OF_AN_INVOICE = """
        status text,
        taxes jsonb,
        client jsonb,
        seller jsonb,
        tax_note text,
        proforma boolean"""
OTHERWISE = (
    (facts.SQL, "read", "coalesce(timezone, 'UTC')", "'UTC'"),
    (facts.SQL, "read", "    credentials_version,", "    1 AS credentials_version,"),
    (catalog_snapshot.SQL, "versions", "credentials_version", "1 AS credentials_version"),
    (catalog_snapshot.SQL, "catalogue", "credentials_version", "1 AS credentials_version"),
    (facts.SQL, "read", "coalesce(address2, '')", "''"),
    (facts.SQL, "read", "coalesce(tax_id, '')", "''"),
    (catalog_snapshot.SQL, "catalogue", SETTINGS, ""),
    (catalog_snapshot.SQL, "tax_rules", "state_aliases", "'{}'::text[] AS state_aliases"),
    (orders.SQL, "place", "catalogue_version, warnings, placed_on, takes_written, bill", "catalogue_version, warnings"),
    (
        orders.SQL,
        "place",
        "warnings text[],\n        placed_on date,\n        takes_written boolean,\n        bill jsonb",
        "warnings text[]",
    ),
    (orders.SQL, "place", ", status, taxes, client, seller, tax_note, proforma", ", status"),
    (orders.SQL, "place", OF_AN_INVOICE, "\n        status text"),
)


def put(module: Any, name: str, stand_in: Any) -> None:
    assert hasattr(module, name)
    setattr(module, name, stand_in)


def main() -> None:
    for statements, name, now, before in OTHERWISE:
        assert now in statements[name], f"{name} does not say {now!r} any more"
        cast("dict[str, str]", statements)[name] = statements[name].replace(now, before)
    of_environment = Settings.read().first_values

    def given(_row: Mapping[str, Any]) -> Given:
        return of_environment

    async def fill(_connection: object, _first: Given, *, by: str) -> Given:  # noqa: ARG001  # as the real one is called
        return of_environment

    put(shop_settings, "given", given)
    put(shop_settings, "fill", fill)
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
