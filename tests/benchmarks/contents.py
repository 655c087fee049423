"""What a round has written, table by table, in a form that two programs can be compared by."""

import asyncpg

# Made up anew in every round: ids, what is derived from them, and times.
LEFT_OUT = (
    "id", "order_id", "request_id", "invoice_id", "item_id", "superseded_by", "order_number", "first_seen", "placed_at",
    "answered_at", "published_at", "swept_at",
)  # fmt: skip
TABLES = (
    "inbox", "orders", "services", "service_addons", "domains", "renewals", "invoices", "invoice_lines", "answers",
)  # fmt: skip
# Ids, times and order numbers stand in them as digits; of all else, every byte is compared.
WRITTEN_OUT = {"reply", "events"}

COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = $1 AND column_name <> ALL ($2::text[])
ORDER BY ordinal_position
"""

Contents = dict[str, tuple[int, str]]  # table → rows, digest


async def written(url: str) -> Contents:
    """Digest all rows, sorted by their contents."""
    connection = await asyncpg.connect(url)
    try:
        contents: Contents = {}
        for table in TABLES:
            names = [row["column_name"] for row in await connection.fetch(COLUMNS, table, LEFT_OUT)]
            columns = ", ".join(
                rf"regexp_replace({name}::text, '[0-9a-f]+', '#', 'g')" if name in WRITTEN_OUT else name
                for name in names
                if (table, name) != ("service_addons", "service_id")
            )
            row = await connection.fetchrow(
                f"""
                SELECT count(*), md5(string_agg(line, E'\\n' ORDER BY line COLLATE "C"))
                FROM (SELECT ROW({columns})::text AS line FROM {table}) AS lines
                """
            )
            assert row is not None
            contents[table] = row["count"], row["md5"]
        return contents
    finally:
        await connection.close()


def differences(ours: Contents, others: Contents) -> list[str]:
    return [
        f"{table}: {ours[table][0]} rows and {others[table][0]}"
        + (", with other contents" if ours[table][0] == others[table][0] else "")
        for table in TABLES
        if ours[table] != others[table]
    ]
