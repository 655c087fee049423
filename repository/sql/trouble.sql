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
-- Tables and sequences of ours on which this user lacks a right that a worker needs, each with those that it lacks.
WITH needed (name, kind, lacks) AS (
    SELECT
        one.relname::text,
        CASE one.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END,
        CASE
            WHEN one.relkind = 'S' THEN
                ARRAY[CASE WHEN NOT has_sequence_privilege(one.oid, 'USAGE') THEN 'USAGE' END]
            ELSE
                ARRAY[
                    CASE WHEN NOT has_table_privilege(one.oid, 'SELECT') THEN 'SELECT' END,
                    CASE WHEN NOT has_table_privilege(one.oid, 'INSERT') THEN 'INSERT' END,
                    CASE WHEN NOT has_table_privilege(one.oid, 'UPDATE') THEN 'UPDATE' END,
                    -- What the broker took, and who has fallen silent, is taken out by workers.
                    CASE
                        WHEN one.relname IN ('unsent', 'processes') AND NOT has_table_privilege(one.oid, 'DELETE')
                            THEN 'DELETE'
                    END
                ]
        END
    FROM pg_class AS one
    WHERE
        (
            one.relkind IN ('r', 'p')
            -- Ids that we hand out ourselves; those of the other tables take no right.
            OR one.relkind = 'S' AND EXISTS (
                SELECT
                FROM pg_depend AS owned
                JOIN pg_attribute AS owner ON owner.attrelid = owned.refobjid AND owner.attnum = owned.refobjsubid
                WHERE owned.objid = one.oid AND owner.attidentity = 'd'
            )
        )
        AND one.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('alembic_version'))
        AND one.relname <> 'alembic_version'
)
SELECT name, kind, array_remove(lacks, NULL) AS lacks
FROM needed
WHERE array_remove(lacks, NULL) <> '{}'
ORDER BY kind DESC, name

-- name: sequences
-- Sequences of ours that have given out nine tenths of what they have, as far as this user may see it.
SELECT sequencename::text AS name, last_value, max_value
FROM pg_sequences
WHERE
    schemaname = (
        SELECT nspname
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = to_regclass('alembic_version')
    )
    AND last_value > 0.9 * max_value
ORDER BY name

-- name: standbys
-- Which standbys a commit waits for, by the settings of this session; how many sessions send to standbys, and of those
-- that are known to be one of them, how many. Only who may see others' sessions is told whether one is.
SELECT
    CASE
        WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN ''
        ELSE current_setting('synchronous_standby_names')
    END AS wanted,
    count(pid)::integer AS there,
    count(pid) FILTER (WHERE sync_state IS NULL OR sync_state IN ('sync', 'quorum'))::integer AS waited_for
FROM (VALUES (true)) AS once
LEFT JOIN pg_stat_replication ON true

-- name: room
-- How many sessions of $1 there may be in this database, and how many others are open. What is kept for superusers is
-- not for us; a limit of this user or of this database may be lower than that of the server.
WITH sessions AS (
    SELECT
        datname,
        usename,
        datname = current_database() AND application_name = $1 AS is_ours
    FROM pg_stat_activity
    WHERE datname IS NOT NULL AND usename IS NOT NULL
),
limits (name, most, others) AS (
    SELECT
        'max_connections',
        current_setting('max_connections')::integer
            - current_setting('superuser_reserved_connections')::integer
            - coalesce(current_setting('reserved_connections', true)::integer, 0),
        (SELECT count(*) FROM sessions WHERE NOT is_ours)
    UNION ALL
    SELECT
        format('the connection limit of user %s', rolname),
        rolconnlimit,
        (SELECT count(*) FROM sessions WHERE NOT is_ours AND usename = rolname)
    FROM pg_roles
    WHERE rolname = current_user AND rolconnlimit >= 0
    UNION ALL
    SELECT
        format('the connection limit of database %s', database.datname),
        datconnlimit,
        (SELECT count(*) FROM sessions WHERE NOT is_ours AND datname = database.datname)
    FROM pg_database AS database
    WHERE datname = current_database() AND datconnlimit >= 0
)
SELECT name, most, others::integer
FROM limits
ORDER BY most - others
LIMIT 1
