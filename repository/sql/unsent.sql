-- name: keep
-- $1 ids, $2 kinds, $3 destinations, $4 bodies: one element each a message. One that is kept already stays as it is.
INSERT INTO unsent (id, kind, destination, body)
SELECT id, kind, destination, body
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS message (id, kind, destination, body)
ON CONFLICT (id) DO NOTHING

-- name: bytes_of_letters
SELECT coalesce(sum(octet_length(body)), 0)::bigint
FROM unsent
WHERE kind = 'letter'

-- name: forget
-- $1 ids of messages that have arrived
DELETE FROM unsent
WHERE id = ANY ($1::text[])

-- name: take_due
-- Of each destination the oldest message, if its time has come: after $1 seconds, twice as long after each try, $2 at most.
-- What was tried further ahead than that was tried before the clock was set back, and its time has come too.
-- Whoever takes one has it: where two take the same, the second sees that it was tried meanwhile.
WITH RECURSIVE destinations (kind, destination) AS (
    (SELECT kind, destination FROM unsent ORDER BY kind, destination LIMIT 1)
    UNION ALL
    SELECT following.kind, following.destination
    FROM destinations
    CROSS JOIN LATERAL (
        SELECT kind, destination
        FROM unsent
        WHERE (kind, destination) > (destinations.kind, destinations.destination)
        ORDER BY kind, destination
        LIMIT 1
    ) AS following
),
oldest AS (
    SELECT first.id, first.tried_at
    FROM destinations
    CROSS JOIN LATERAL (
        SELECT id, since, tries, tried_at
        FROM unsent
        WHERE kind = destinations.kind AND destination = destinations.destination
        ORDER BY since, id
        LIMIT 1
    ) AS first
    WHERE
        coalesce(tried_at, since) + make_interval(secs => least($1 * 2 ^ least(tries, 20), $2)) <= now()
        OR coalesce(tried_at, since) > now() + make_interval(secs => $2)
)
UPDATE unsent
SET tries = unsent.tries + 1, tried_at = now()
FROM oldest
WHERE unsent.id = oldest.id AND unsent.tried_at IS NOT DISTINCT FROM oldest.tried_at
RETURNING unsent.id, unsent.kind, unsent.destination, unsent.body, unsent.since

-- name: take_next
-- The oldest messages of a destination that takes them again. $1 kind, $2 destination, $3 how many at most, $4 seconds
-- for which one that somebody has taken is theirs. Only a trial counts as a try: what is left of these is tried soon.
UPDATE unsent
SET tried_at = now()
WHERE id IN (
    SELECT id
    FROM unsent
    WHERE
        kind = $1
        AND destination = $2
        AND (
            tried_at IS NULL
            OR tried_at NOT BETWEEN now() - make_interval(secs => $4) AND now() + make_interval(secs => $4)
        )
    ORDER BY since, id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, destination, body, since

-- name: summary
SELECT kind, destination, count(*) AS count, greatest(extract(epoch FROM now() - min(since)), 0) AS oldest_seconds
FROM unsent
GROUP BY kind, destination
ORDER BY kind, destination
