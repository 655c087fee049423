-- name: probe
-- Write something and change nothing: a server that is full, or has become a standby, refuses.
UPDATE catalogue
SET only_row = only_row

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
