-- name: tell
-- What a process is now: $1 its run, $2 kind, $3 host, $4 pid, $5 version, $6 hash of its settings, $7 what it knows,
-- $8 deliveries in hand, $9 why it is paused or null. The first time, that is its start.
INSERT INTO processes (run_id, kind, host, pid, version, settings_hash, knows, in_hand, paused)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (run_id) DO UPDATE
SET in_hand = excluded.in_hand, paused = excluded.paused, seen_at = clock_timestamp()

-- name: end
-- $1 the run of a process that ends
UPDATE processes
SET in_hand = 0, paused = NULL, seen_at = clock_timestamp(), ended_at = clock_timestamp()
WHERE run_id = $1

-- name: forget
-- Take out who has been silent for $1 seconds. What somebody else is at is theirs to take out.
DELETE FROM processes
WHERE run_id IN (
    SELECT run_id
    FROM processes
    WHERE seen_at < now() - make_interval(secs => $1)
    FOR UPDATE SKIP LOCKED
)

-- name: running
-- Who has not said that it ends, and for how many seconds each has been silent
SELECT
    run_id, kind, host, pid, version, settings_hash, knows, in_hand, paused, started_at, seen_at,
    extract(epoch FROM clock_timestamp() - seen_at)::float8 AS silent_seconds
FROM processes
WHERE ended_at IS NULL
ORDER BY kind, host, started_at, run_id
