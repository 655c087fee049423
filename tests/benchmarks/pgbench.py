"""The database alone: pgbench writes the rows of one such order in a transaction, prepared, with nothing else running.

Its scripts are made from orders that our worker has placed, one of each kind, in equal parts: constant data, ids from
the sequences. All statements of a transaction go out together (pgbench's pipeline mode), so that no time is spent on
the way. What an order reads and locks, and the stock that it takes, are left out: that flatters pgbench.
"""

import asyncio
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from deploy.local.postgres import program_folder
from tests.benchmarks.servers import BenchmarkFailed

CLIENTS = 8
THREADS = 2

# The rows of an order by the id of its request, and what takes the place of ids. None: left to the column's default.
ROWS: Mapping[str, tuple[str, Mapping[str, str | None]]] = {
    "inbox": ("id = $1", {"id": None, "message_id": "gen_random_uuid()", "superseded_by": "NULL"}),
    "orders": (
        "request_id = $1",
        {
            "id": None,
            "order_number": "(1000000000 + currval('orders_id_seq'))::text",
            "request_id": "currval('inbox_id_seq')",
        },
    ),
    "services": ("order_id = (SELECT id FROM orders WHERE request_id = $1)", {"id": None}),
    "service_addons": ("order_id = (SELECT id FROM orders WHERE request_id = $1)", {"id": None}),
    "domains": ("order_id = (SELECT id FROM orders WHERE request_id = $1)", {"id": None}),
    "renewals": ("order_id = (SELECT id FROM orders WHERE request_id = $1)", {"id": None}),
    "invoices": ("order_id = (SELECT id FROM orders WHERE request_id = $1)", {"id": None}),
    "invoice_lines": (
        "invoice_id = (SELECT invoices.id FROM invoices JOIN orders ON orders.id = order_id WHERE request_id = $1)",
        {"invoice_id": "currval('invoices_id_seq')"},
    ),
    "answers": ("request_id = $1", {"request_id": "currval('inbox_id_seq')"}),
}
NOW = {"first_seen", "placed_at", "answered_at", "published_at", "swept_at"}  # left to the columns' defaults

_RATE = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


async def write_scripts(url: str, folder: Path, requests: Mapping[str, str]) -> list[Path]:
    """Write a script for each kind of order, from the one that was placed for a message_id."""
    connection = await asyncpg.connect(url)
    try:
        scripts = []
        for kind, message_id in requests.items():
            request_id = await connection.fetchval("SELECT id FROM inbox WHERE message_id = $1", message_id)
            statements = [await _insert(connection, table, request_id) for table in ROWS]
            lines = ["\\startpipeline", "BEGIN;", *filter(None, statements), "COMMIT;", "\\endpipeline"]
            script = folder / f"{kind.replace(' ', '-')}.sql"
            script.write_text("\n".join(lines) + "\n", encoding="utf-8")
            scripts.append(script)
        return scripts
    finally:
        await connection.close()


async def _insert(connection: asyncpg.Connection, table: str, request_id: int) -> str | None:
    where, others = ROWS[table]
    names = [
        row["attname"]
        for row in await connection.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
            table,
        )
    ]
    names = [name for name in names if name not in NOW and not (name in others and others[name] is None)]
    columns = ", ".join(f"quote_nullable({name}::text)" for name in names)
    rows = await connection.fetch(f"SELECT ARRAY[{columns}] AS written FROM {table} WHERE {where}", request_id)
    if not rows:
        return None
    new_services = await _ids(connection, "services", request_id)
    values = [
        [others.get(name) or _reference(name, value, new_services) for name, value in zip(names, row[0], strict=True)]
        for row in rows
    ]
    tuples = ", ".join(f"({', '.join(row)})" for row in values)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {tuples};".replace("\n", " ")


def _reference(name: str, value: str, new_services: set[str]) -> str:
    if name == "order_id":
        return "currval('orders_id_seq')"
    if name == "service_id" and value.strip("'") in new_services:
        return "currval('services_id_seq')"
    if ":" in value:  # names a variable of pgbench's, in a literal as well
        return value.replace("'", "E'", 0 if value.startswith("E") else 1).replace(":", r"\x3a")
    return value


async def _ids(connection: asyncpg.Connection, table: str, request_id: int) -> set[str]:
    where, _ = ROWS[table]
    return {str(row["id"]) for row in await connection.fetch(f"SELECT id FROM {table} WHERE {where}", request_id)}


async def rate(url: str, scripts: list[Path], seconds: int) -> float:
    """Run the scripts and return transactions a second."""
    command = [
        str(program_folder() / "pgbench"),
        "--no-vacuum",
        f"--client={CLIENTS}",
        f"--jobs={THREADS}",
        f"--time={seconds}",
        "--protocol=prepared",
        *(f"--file={script}" for script in scripts),
        url,
    ]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    told, faults = await process.communicate()
    found = _RATE.search(told.decode())
    if process.returncode or found is None or "failed transactions: 0" not in told.decode():
        raise BenchmarkFailed(f"pgbench: {faults.decode()[-2000:]}{told.decode()[-2000:]}")
    return float(found[1])
