-- name: claim
-- $1 callers, $2 message ids, $3 fingerprints, $4 fingerprint versions, $5 deliveries: one element each a key.
-- A request that another transaction is claiming is waited for. Keys are taken in the order of their index, which is the
-- same on every server and for every worker, so that two batches with the same keys wait instead of deadlocking.
INSERT INTO inbox (caller, message_id, fingerprint, fingerprint_version, deliveries)
SELECT request.caller, request.message_id, request.fingerprint, request.fingerprint_version, request.deliveries
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::integer[])
    AS request (caller, message_id, fingerprint, fingerprint_version, deliveries)
ORDER BY request.message_id COLLATE "C", request.caller COLLATE "C"
ON CONFLICT (message_id, caller) DO UPDATE
SET deliveries = inbox.deliveries + EXCLUDED.deliveries
RETURNING id, caller, message_id, fingerprint, fingerprint_version, (xmax = 0) AS is_new

-- name: recall
-- What the requests were answered. $1 request ids
-- A statement of its own: an answer that was committed while the claim waited is not in the claim's snapshot.
SELECT
    inbox.id AS request_id,
    orders.id AS order_id,
    superseding.message_id AS superseded_by,
    answers.outcome,
    answers.replays,
    answers.reply::text AS reply, -- as it was written, to the byte
    answers.events,
    answers.answered_at,
    answers.published_at IS NOT NULL AS is_published
FROM inbox
LEFT JOIN answers ON answers.request_id = inbox.id
LEFT JOIN orders ON orders.request_id = inbox.id
LEFT JOIN inbox AS superseding ON superseding.id = inbox.superseded_by
WHERE inbox.id = ANY ($1::bigint[])

-- name: supersede
-- $1 ids of requests that were edited, $2 of those that were placed in their stead
UPDATE inbox
SET superseded_by = superseded.by_id
FROM unnest($1::bigint[], $2::bigint[]) AS superseded (id, by_id)
WHERE inbox.id = superseded.id

-- name: judge_anew
-- Requests that came before with other content, and were not placed. $1 request ids, $2 fingerprints, $3 versions
UPDATE inbox
SET fingerprint = request.fingerprint, fingerprint_version = request.fingerprint_version
FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS request (id, fingerprint, fingerprint_version)
WHERE inbox.id = request.id

-- name: mark_published
-- $1 request ids, $2 when each was answered: a rejection that was judged anew meanwhile is another answer. One that
-- somebody else is at is skipped: waiting for it here could deadlock, and a mark that is missing costs one more publishing
-- of the same ids by the sweep.
UPDATE answers
SET published_at = now()
WHERE request_id IN (
    SELECT answers.request_id
    FROM answers
    JOIN unnest($1::bigint[], $2::timestamptz[]) AS mark (request_id, answered_at)
        ON mark.request_id = answers.request_id AND mark.answered_at = answers.answered_at
    WHERE answers.published_at IS NULL
    FOR UPDATE OF answers SKIP LOCKED
)

-- name: placed_under
-- $1 message id. Whoever's it is.
SELECT orders.id
FROM inbox
JOIN orders ON orders.request_id = inbox.id
WHERE inbox.message_id = $1
ORDER BY orders.id
LIMIT 1

-- name: sweep
-- Take answers that nobody can publish any more, because their request is gone. Whoever takes one has it for a while.
-- $1 age in seconds from which on this is so, $2 how many at most. A time so far ahead is of before the clock was set
-- back: nobody knows how old that is, and the same event twice is better than none.
UPDATE answers
SET swept_at = now()
WHERE request_id IN (
    SELECT request_id
    FROM answers
    WHERE
        published_at IS NULL
        AND answered_at NOT BETWEEN now() - make_interval(secs => $1) AND now() + make_interval(secs => $1)
        AND (
            swept_at IS NULL
            OR swept_at NOT BETWEEN now() - make_interval(secs => $1) AND now() + make_interval(secs => $1)
        )
    ORDER BY answered_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
RETURNING request_id, outcome, replays, reply::text AS reply, events, answered_at, false AS is_published

-- name: unpublished
-- An answer of the future is of before the clock was set back: its age is not known, and none is negative.
SELECT count(*) AS count, greatest(extract(epoch FROM now() - min(answered_at)), 0) AS oldest_seconds
FROM answers
WHERE published_at IS NULL
