-- name: probe
-- Write something and change nothing: a server that has become a standby refuses, and one that waits for its own standby
-- commits nothing. A row that another probe has, which may hang in such a commit, is not waited for: the message is written
-- all the same.
WITH ours AS (
    SELECT only_row
    FROM catalogue
    FOR UPDATE SKIP LOCKED
),
touched AS (
    UPDATE catalogue
    SET only_row = catalogue.only_row
    FROM ours
    WHERE catalogue.only_row = ours.only_row
)
SELECT pg_logical_emit_message(true, 'orders', 'probe')

-- name: ask_for_room
-- Take half a megabyte of the disk where our tables grow, for this transaction alone: on a full one the update of a row
-- finds its place, and an order does not. Who may have no temporary tables is not asked.
DO $$
BEGIN
    IF has_database_privilege(current_database(), 'TEMPORARY') THEN
        CREATE TEMPORARY TABLE room ON COMMIT DROP AS
        SELECT repeat('x', 1900) AS filling FROM generate_series(1, 256); -- of a length that is not compressed
    END IF;
END $$

-- name: begin_session
-- $1 names of settings, $2 their values, for as long as the session lasts; returns the encoding of the database
SELECT current_setting('server_encoding') AS encoding, array_agg(set_config(name, value, false)) AS settings
FROM unnest($1::text[], $2::text[]) AS setting (name, value)

-- name: now
-- no parameters
SELECT clock_timestamp()

-- name: pid
-- no parameters
SELECT pg_backend_pid()

-- name: be_hasty
-- For this transaction alone. $1 how long to wait for a lock
SELECT set_config('lock_timeout', $1::text, true)
