-- name: range
-- Where answers that are old enough can lie. Requests are numbered in the order in which they were first seen, and an
-- answer is never older than its request: from the first request on that is too young, all answers are. It is found by
-- halving, so that neither prune nor the workers need an index over times. $1 age in days
WITH RECURSIVE halves (older_than, low, high) AS (
    SELECT now() - make_interval(days => $1), coalesce(min(id), 1), coalesce(max(id), 0) + 1
    FROM inbox
    UNION ALL
    SELECT
        older_than,
        CASE WHEN is_old THEN middle + 1 ELSE low END,
        CASE WHEN is_old THEN high ELSE middle END
    FROM halves
    CROSS JOIN LATERAL (SELECT (low + high) / 2) AS half (middle)
    CROSS JOIN LATERAL (
        SELECT coalesce((SELECT first_seen < older_than FROM inbox WHERE id >= middle ORDER BY id LIMIT 1), false)
    ) AS seen (is_old)
    WHERE low < high
)
SELECT older_than, coalesce((SELECT min(request_id) FROM answers), high) AS first_id, high AS end_id
FROM halves
WHERE low >= high

-- name: stretch
-- Where a stretch of answers ends; null where there are none. $1 request id at which it begins, $2 at which the last one
-- ends, $3 how many answers it has
SELECT max(request_id)
FROM (SELECT request_id FROM answers WHERE request_id >= $1 AND request_id < $2 ORDER BY request_id LIMIT $3) AS stretch

-- name: prune
-- Take the old answers of a stretch. $1 its first request id, $2 its last one, $3 answered before
-- An answer whose messages are not confirmed is the sweep's, and stays; so does one that somebody else is at, because
-- waiting for it could deadlock. By ctid: what is locked stays where it is, and no plan can go astray.
WITH pruned AS (
    DELETE FROM answers
    WHERE ctid = ANY (ARRAY(
        SELECT ctid
        FROM answers
        WHERE request_id BETWEEN $1 AND $2 AND answered_at < $3 AND published_at IS NOT NULL
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING outcome
)
SELECT
    count(*) FILTER (WHERE outcome = 'placed') AS placed,
    count(*) FILTER (WHERE outcome = 'rejected') AS rejected
FROM pruned

-- name: count
-- What `prune` would take. The parameters are the same.
SELECT
    count(*) FILTER (WHERE outcome = 'placed') AS placed,
    count(*) FILTER (WHERE outcome = 'rejected') AS rejected
FROM answers
WHERE request_id BETWEEN $1 AND $2 AND answered_at < $3 AND published_at IS NOT NULL

-- name: unpublished
-- Answers that are old enough and stay, because the broker has not confirmed their messages. $1 answered before
SELECT count(*)
FROM answers
WHERE published_at IS NULL AND answered_at < $1
