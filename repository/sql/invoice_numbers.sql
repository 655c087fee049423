-- name: lock_series
-- $1 series. Locked until the transaction ends; a series that nobody has begun begins at 1.
INSERT INTO invoice_series AS kept (series)
VALUES ($1)
ON CONFLICT (series) DO UPDATE
SET next = kept.next
RETURNING next

-- name: numbers_of
-- $1 invoice ids
SELECT invoice_id, number
FROM invoice_numbers
WHERE invoice_id = ANY ($1::bigint[])

-- name: taken
-- $1 numbers; returns those that an invoice has
SELECT number
FROM invoice_numbers
WHERE number = ANY ($1::text[])

-- name: give
-- $1 series, which is locked, $2 invoice ids, $3 positions, the last of them the greatest, and $4 numbers: one element each an
-- invoice, $5 the day
WITH given AS (
    INSERT INTO invoice_numbers (invoice_id, number, series, position, issued)
    SELECT invoice_id, number, $1, position, $5::date
    FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS fresh (invoice_id, position, number)
)
UPDATE invoice_series
SET next = $3[cardinality($3)] + 1
WHERE series = $1

-- name: go_on_at
-- $1 series, $2 its next number. Never back: what was given stays given.
INSERT INTO invoice_series AS kept (series, next)
VALUES ($1, $2)
ON CONFLICT (series) DO UPDATE
SET next = greatest(kept.next, excluded.next)
RETURNING next

-- name: following
-- $1 series; none where it has not begun
SELECT next
FROM invoice_series
WHERE series = $1

-- name: today
-- no parameters
SELECT (now() AT TIME ZONE coalesce(timezone, 'UTC'))::date
FROM catalogue
