-- name: locks
-- Sessions of this database that wait for a lock, longest first, and who keeps them from it; whether that is a prepared
-- transaction shows as pid 0. What others' sessions do is told to who may see it. $1 how many
SELECT
    waiting.pid,
    coalesce(waiting.usename::text, '') AS "user",
    coalesce(waiting.application_name, '') AS application,
    extract(epoch FROM clock_timestamp() - waiting.state_change)::double precision AS seconds,
    holder.pid AS by_pid,
    coalesce(holding.usename::text, '') AS by_user,
    coalesce(holding.application_name, '') AS by_application
FROM pg_stat_activity AS waiting
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS holder (pid)
LEFT JOIN pg_stat_activity AS holding ON holding.pid = holder.pid
WHERE waiting.datname = current_database() AND waiting.wait_event_type = 'Lock'
ORDER BY waiting.state_change
LIMIT $1

-- name: idle
-- Sessions that have been in a transaction for long, and do nothing: what they have locked stays locked.
-- $1 seconds, $2 how many
SELECT
    pid,
    coalesce(usename::text, '') AS "user",
    coalesce(application_name, '') AS application,
    extract(epoch FROM clock_timestamp() - state_change)::double precision AS seconds
FROM pg_stat_activity
WHERE
    datname = current_database()
    AND state LIKE 'idle in transaction%'
    AND clock_timestamp() - state_change > make_interval(secs => $1)
ORDER BY state_change
LIMIT $2

-- name: prepared
-- Transactions that were prepared long ago, and never ended. $1 seconds
SELECT gid, owner::text AS "user", extract(epoch FROM clock_timestamp() - prepared)::double precision AS seconds
FROM pg_prepared_xacts
WHERE database = current_database() AND clock_timestamp() - prepared > make_interval(secs => $1)
ORDER BY prepared

-- name: transaction_ids
-- How many transaction ids ago the oldest row was written that is not frozen: at two thousand million Postgres stops.
SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()

-- name: rights
-- Tables of ours on which this user lacks a right that a worker needs, each with those that it lacks.
SELECT
    tables.relname::text AS name,
    array_remove(
        ARRAY[
            CASE WHEN NOT has_table_privilege(tables.oid, 'SELECT') THEN 'SELECT' END,
            CASE WHEN NOT has_table_privilege(tables.oid, 'INSERT') THEN 'INSERT' END,
            CASE WHEN NOT has_table_privilege(tables.oid, 'UPDATE') THEN 'UPDATE' END
        ],
        NULL
    ) AS lacks
FROM pg_class AS tables
WHERE
    tables.relkind IN ('r', 'p')
    AND tables.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('alembic_version'))
    AND tables.relname <> 'alembic_version'
    AND NOT (
        has_table_privilege(tables.oid, 'SELECT')
        AND has_table_privilege(tables.oid, 'INSERT')
        AND has_table_privilege(tables.oid, 'UPDATE')
    )
ORDER BY tables.relname
