-- name: take_turn
-- no parameters; held until the session ends. The number is "orders" in ASCII.
SELECT pg_try_advisory_lock(122537101324915)

-- name: whose_turn
-- Who has the lock of `take_turn`: of a number the two halves are listed. no parameters
SELECT
    pid, usename, application_name, extract(epoch FROM clock_timestamp() - backend_start) AS seconds,
    left(regexp_replace(query, '\s+', ' ', 'g'), 60) AS query
FROM pg_locks
JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND (classid, objid) = (122537101324915 >> 32, 122537101324915 & 4294967295)

-- name: in_the_way
-- Who keeps a session from the lock that it waits for, the oldest first; pid 0 is a prepared transaction. $1 its pid
SELECT
    blocking.pid, usename, application_name, extract(epoch FROM clock_timestamp() - xact_start) AS seconds,
    left(regexp_replace(query, '\s+', ' ', 'g'), 60) AS query
FROM (SELECT DISTINCT unnest(pg_blocking_pids($1)) AS pid) AS blocking
LEFT JOIN pg_stat_activity ON pg_stat_activity.pid = blocking.pid
WHERE blocking.pid = 0 OR xact_start IS NOT NULL
ORDER BY xact_start

-- name: set_bounds
-- $1 lock_timeout, $2 statement_timeout, until the transaction ends
SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)

-- name: is_valid
-- $1 name of an index; null: there is none. One that was begun and not finished is not valid.
SELECT indisvalid
FROM pg_index
WHERE indexrelid = to_regclass($1)

-- name: schema_version
-- no parameters
SELECT version_num
FROM alembic_version
