-- name: id
-- no parameters
SELECT id::text
FROM shop

-- name: missing
-- Which of these orders are not there, though nobody was told of it. $1 ids. A standby may be behind for a moment, and
-- says nothing.
SELECT known.id
FROM unnest($1::bigint[]) AS known (id)
WHERE
    known.id > (SELECT gap_to FROM shop)
    AND NOT EXISTS (SELECT FROM orders WHERE orders.id = known.id)
    AND NOT pg_is_in_recovery()
ORDER BY known.id

-- name: home
-- Where the session is: which cluster, on which timeline (null on a standby), in which database. No parameters
SELECT
    (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
    CASE
        WHEN NOT pg_is_in_recovery() THEN
            ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
    END AS timeline,
    (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database_oid

-- name: highest
-- no parameters
SELECT coalesce(max(id), 0)
FROM orders

-- name: leave_gap
-- Let all ids that are given from now on be beyond those that the world may know. Nothing ever goes back.
-- $1 the highest id that is known, of whatever it is; $2 how far beyond
WITH moved AS (
    SELECT
        sequencename,
        setval(
            format('%I.%I', schemaname, sequencename)::regclass,
            greatest(coalesce(last_value, 0), $1::bigint) + $2::bigint
        ) AS position
    FROM pg_sequences
    WHERE schemaname = (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = 'orders_id_seq'::regclass)
)
UPDATE shop
SET gap_to = greatest(gap_to, (SELECT max(position) FILTER (WHERE sequencename = 'orders_id_seq') FROM moved))
RETURNING gap_to

-- name: asynchronous_standbys
-- How many standbys stream, none of which a commit waits for: no backups, and none that take changes one by one.
-- No parameters
SELECT count(*)
FROM pg_stat_replication AS standby
WHERE
    current_setting('synchronous_standby_names') = ''
    AND standby.state IS DISTINCT FROM 'backup'
    AND NOT EXISTS (
        SELECT
        FROM pg_replication_slots AS slot
        WHERE slot.active_pid = standby.pid AND slot.slot_type = 'logical'
    )
