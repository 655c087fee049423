"""Fifty orders as the worker places them: the pattern that million.py multiplies."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from repository import inbox
from repository.database import Connection, Database
from tests.deliveries import context_of, delivery
from worker.pipeline.carry_out import carry_out
from worker.pipeline.context import Context
from worker.pipeline.outcomes import Outcome, OutcomeKind

WORD = "pattern-"  # what message ids and domains of the pattern begin with

# Clients, products and codes are those of the sample catalogue.
FIRST: Sequence[Mapping[str, Any]] = (
    *(
        {
            "clientid": client,
            "pid": [1],
            "domain": [f"{WORD}{client}-{number}.com"],
            "domaintype": ["register"],
            "billingcycle": ["monthly"],
            "addons": ["1,3"],
            "customfields": [{"1": "Google"}],
            "configoptions": [{"1": 999, "2": 1, "3": 2}],
        }
        for client in (1, 3, 10)
        for number in range(6)
    ),
    *({"clientid": client, "pid": [1, 5, 7], "domain": [f"{WORD}{client}.com"]} for client in (1, 3, 10, 11, 20)),
    *(
        {
            "clientid": client,
            "domain": [f"{WORD}{client}-{number}.com", f"{WORD}{client}-{number}.co.uk"],
            "domaintype": ["register", "register"],
            "regperiod": [1, 2],
            "promocode": "COMHALF",
        }
        for client in (1, 3)
        for number in (10, 11, 12)
    ),
    *({"clientid": client, "pid": [7]} for client in (1, 3, 10, 11, 12, 13, 14, 20, 24)),
    {"clientid": 1, "pid": [7], "promocode": "not-known"},
    {"clientid": 1, "pid": [5], "hostname": ["web1"], "rootpw": ["no-secret"], "notes": "leave it at the door"},
)
ADDONS_ONLY, SERVICE_RENEWALS, DOMAIN_RENEWALS = 4, 3, 3  # for what the first part of the pattern has made
REJECTED = {"clientid": 1, "pid": [7], "paymentmethod": "bitcoin"}


PLACED = len(FIRST) + ADDONS_ONLY + SERVICE_RENEWALS + DOMAIN_RENEWALS


async def place(database: Database) -> None:
    context = context_of(database)
    await context.open()
    placed = [OutcomeKind.PLACED]
    assert await _carry_out(context, FIRST) == placed * len(FIRST)
    async with database.transaction() as connection:
        second = await _second(connection)
    assert await _carry_out(context, second) == placed * len(second)
    assert await _carry_out(context, [REJECTED], "rejected-") == [OutcomeKind.REJECTED]
    assert await _carry_out(context, FIRST[:1]) == [OutcomeKind.REPEATED]


async def _carry_out(context: Context, bodies: Sequence[Mapping[str, Any]], word: str = WORD) -> list[OutcomeKind]:
    """Carry out what a storefront would have sent, and mark it as published."""
    batch = [
        delivery(tag, f"{word}{hashlib.sha256(orjson.dumps(body)).hexdigest()}", body)
        for tag, body in enumerate(bodies)
    ]
    ended: list[Outcome] = []
    while len(ended) < len(batch):  # of a client's renewals there is one in a batch
        told = {one.reading.delivery.tag for one in ended}
        ended += await carry_out([one for one in batch if one.tag not in told], context)
    async with context.database.transaction() as connection:
        await inbox.mark_published(connection, [one.mark for one in ended if one.mark])
    return [one.kind for one in ended]


async def _second(connection: Connection) -> list[Mapping[str, Any]]:
    """Make what the first part has placed active, as if it had been paid, and order what needs active things."""
    services = await connection.fetch(ACTIVATE_SERVICES)
    domains = await connection.fetch(ACTIVATE_DOMAINS)
    addons_only = [
        {"clientid": row["client_id"], "addonid": 1, "serviceid": row["id"]} for row in services[:ADDONS_ONLY]
    ]
    service_renewals = [
        {"clientid": row["client_id"], "servicerenewals": [row["id"]]} for row in services[-SERVICE_RENEWALS:]
    ]
    domain_renewals = [
        {"clientid": row["client_id"], "domainrenewals": {row["name"]: 1}} for row in domains[-DOMAIN_RENEWALS:]
    ]
    return [*addons_only, *service_renewals, *domain_renewals]


ACTIVATE_SERVICES = """
    WITH active AS (
        UPDATE services
        SET status = 'Active'
        WHERE order_id IN (SELECT id FROM orders WHERE request_id IS NOT NULL) AND product_id = 1
        RETURNING id, client_id, order_id
    ),
    paid AS (
        UPDATE invoices
        SET status = 'Paid'
        WHERE order_id IN (SELECT order_id FROM active)
    )
    SELECT id, client_id FROM active ORDER BY id
"""
ACTIVATE_DOMAINS = """
    WITH active AS (
        UPDATE domains
        SET status = 'Active', expires = next_due + 365
        WHERE order_id IN (SELECT id FROM orders WHERE request_id IS NOT NULL) AND name LIKE '%.com'
        RETURNING id, client_id, name
    )
    SELECT id, client_id, name FROM active ORDER BY id
"""

# The rows of the pattern, numbered from 1. `place` is that of their order; a request that was rejected has none.
NUMBERED = """
    CREATE SCHEMA pattern;
    CREATE TABLE pattern.clients AS
    SELECT row_number() OVER (ORDER BY id) AS rank, clients.*
    FROM clients
    WHERE id IN (SELECT client_id FROM orders WHERE request_id IS NOT NULL);

    CREATE TABLE pattern.inbox AS
    SELECT row_number() OVER (ORDER BY inbox.id) AS rank, place, inbox.*
    FROM inbox
    LEFT JOIN (
        SELECT row_number() OVER (ORDER BY id) AS place, request_id
        FROM orders
        WHERE request_id IS NOT NULL
    ) AS placed ON placed.request_id = inbox.id;

    CREATE TABLE pattern.orders AS
    SELECT
        inbox.place,
        clients.rank AS client_rank,
        inbox.rank AS request_rank,
        orders.*
    FROM orders
    JOIN pattern.clients ON clients.id = orders.client_id
    JOIN pattern.inbox ON inbox.id = orders.request_id;

    CREATE TABLE pattern.services AS
    SELECT row_number() OVER (ORDER BY services.id) AS rank, place, client_rank, services.*
    FROM services
    JOIN pattern.orders ON orders.id = services.order_id;

    CREATE TABLE pattern.service_addons AS
    SELECT
        row_number() OVER (ORDER BY service_addons.id) AS rank,
        orders.place,
        services.rank AS service_rank,
        service_addons.*
    FROM service_addons
    JOIN pattern.orders ON orders.id = service_addons.order_id
    JOIN pattern.services ON services.id = service_addons.service_id;

    CREATE TABLE pattern.domains AS
    SELECT row_number() OVER (ORDER BY domains.id) AS rank, place, client_rank, domains.*
    FROM domains
    JOIN pattern.orders ON orders.id = domains.order_id;

    CREATE TABLE pattern.renewals AS
    SELECT
        row_number() OVER (ORDER BY renewals.id) AS rank,
        orders.place,
        services.rank AS service_rank,
        domains.rank AS domain_rank,
        renewals.*
    FROM renewals
    JOIN pattern.orders ON orders.id = renewals.order_id
    LEFT JOIN pattern.services ON services.id = renewals.service_id
    LEFT JOIN pattern.domains ON domains.id = renewals.domain_id;

    CREATE TABLE pattern.invoices AS
    SELECT row_number() OVER (ORDER BY invoices.id) AS rank, place, orders.client_rank, invoices.*
    FROM invoices
    JOIN pattern.orders ON orders.id = invoices.order_id;

    -- A promotion stands right below what it is for.
    CREATE TABLE pattern.invoice_lines AS
    WITH lines AS (
        SELECT
            row_number() OVER (ORDER BY invoices.id, position) AS rank,
            place,
            invoices.rank AS invoice_rank,
            CASE kind WHEN 'promotion' THEN lag(kind) OVER (ORDER BY invoices.id, position) ELSE kind END AS item_kind,
            invoice_lines.*
        FROM invoice_lines
        JOIN pattern.invoices ON invoices.id = invoice_lines.invoice_id
    )
    SELECT coalesce(services.rank, service_addons.rank, domains.rank) AS item_rank, lines.*
    FROM lines
    LEFT JOIN pattern.services ON services.id = item_id AND item_kind LIKE 'service%'
    LEFT JOIN pattern.service_addons ON service_addons.id = item_id AND item_kind LIKE 'addon%'
    LEFT JOIN pattern.domains ON domains.id = item_id AND item_kind LIKE 'domain%';

    CREATE TABLE pattern.answers AS
    SELECT
        orders.place,
        orders.client_rank,
        inbox.rank AS request_rank,
        invoices.rank AS invoice_rank,
        answers.*
    FROM answers
    JOIN pattern.inbox ON inbox.id = answers.request_id
    LEFT JOIN pattern.orders ON orders.request_id = answers.request_id
    LEFT JOIN pattern.invoices ON invoices.order_id = orders.id;

    CREATE TABLE pattern.numbers (number bigint PRIMARY KEY, order_number text);
"""
