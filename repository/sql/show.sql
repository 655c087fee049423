-- name: find
-- Requests and orders that a person may mean: an order id, an order number or a message_id, of whichever caller.
-- $1 order id or null, $2 order number or message_id
WITH meant AS (
    SELECT id AS order_id, request_id
    FROM orders
    WHERE id = $1
    UNION
    SELECT id, request_id
    FROM orders
    WHERE order_number = $2
    UNION
    SELECT orders.id, inbox.id
    FROM inbox
    LEFT JOIN orders ON orders.request_id = inbox.id
    WHERE inbox.message_id = $2
)
SELECT
    meant.order_id,
    inbox.id AS request_id,
    inbox.caller,
    api_credentials.identifier AS credential,
    inbox.message_id,
    inbox.first_seen,
    inbox.deliveries,
    answers.outcome,
    answers.replays,
    answers.reply,
    answers.events,
    answers.answered_at,
    answers.published_at
FROM meant
LEFT JOIN inbox ON inbox.id = meant.request_id
LEFT JOIN answers ON answers.request_id = meant.request_id
LEFT JOIN api_credentials ON 'credential:' || api_credentials.id = inbox.caller
ORDER BY inbox.first_seen, meant.order_id

-- name: count_orders
-- no parameters
SELECT count(*) FROM orders WHERE request_id IS NOT NULL

-- name: activity
-- Orders that came by request. No index knows when they were placed; their ids grow with time, so the newest hundred
-- thousand are looked at and no more.
-- no parameters
WITH newest AS MATERIALIZED (
    SELECT id, placed_at
    FROM orders
    WHERE request_id IS NOT NULL
    ORDER BY id DESC
    LIMIT 100000
)
SELECT
    (SELECT id FROM newest ORDER BY id DESC LIMIT 1) AS last_order_id,
    (SELECT placed_at FROM newest ORDER BY id DESC LIMIT 1) AS last_order_at,
    count(*) FILTER (WHERE placed_at > now() - interval '1 minute') AS last_minute,
    count(*) FILTER (WHERE placed_at > now() - interval '1 hour') AS last_hour,
    count(*) FILTER (WHERE placed_at > now() - interval '1 hour') < 100000 AS counted_all,
    (SELECT version FROM catalogue) AS catalogue_version,
    now() AS now
FROM newest

-- name: condition
-- no parameters
SELECT
    current_setting('server_version') AS version,
    clock_timestamp() AS now,
    pg_is_in_recovery() AS is_standby,
    current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit

-- name: collations
-- The collations by which the database sorts text, with their releases: that by which its indexes were built, and that of
-- this server. no parameters
SELECT
    format('the collation of database %I', datname) AS name,
    datcollversion AS built_with,
    pg_database_collation_actual_version(oid) AS found,
    format('REINDEX DATABASE %I; ALTER DATABASE %1$I REFRESH COLLATION VERSION', datname) AS refresh
FROM pg_database
WHERE datname = current_database()
UNION ALL
SELECT
    format('collation %I', collname),
    collversion,
    pg_collation_actual_version(oid),
    format('REINDEX DATABASE %I; ALTER COLLATION %I REFRESH VERSION', current_database(), collname)
FROM pg_collation
WHERE oid IN (
    SELECT attcollation
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i')
)

-- name: catalogue_has
-- no parameters; a column for each thing that there must be one of
SELECT
    EXISTS (SELECT FROM currencies) AS currencies,
    EXISTS (SELECT FROM payment_methods WHERE active) AS active_payment_methods
