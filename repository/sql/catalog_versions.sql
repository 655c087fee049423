-- name: lock
-- no parameters. Whatever changes the catalogue takes this row first, so that two changes take turns.
SELECT version
FROM catalogue
FOR UPDATE

-- name: present
-- no parameters
SELECT version
FROM catalogue

-- name: record
-- $1 by whom, $2 act, $3 the version that a rollback goes back to, or null, $4 changes (jsonb: an array of objects with keys
-- as the columns)
WITH moved AS (
    UPDATE catalogue
    SET version = version + 1
    RETURNING version
),
made AS (
    INSERT INTO catalog_versions (version, made_by, act, back_to)
    SELECT version, $1, $2, $3
    FROM moved
),
changed AS (
    INSERT INTO catalog_changes (version, section, key, before, after)
    SELECT moved.version, change.section, change.key, change.before, change.after
    FROM moved
    CROSS JOIN jsonb_to_recordset($4::jsonb) AS change (section text, key text, before jsonb, after jsonb)
)
SELECT version
FROM moved

-- name: move_credentials
-- no parameters
UPDATE catalogue
SET credentials_version = credentials_version + 1

-- name: history
-- Every version since the first that was recorded, and those between that were not. $1 how many at most
SELECT
    number AS version,
    made_at,
    coalesce(made_by, '') AS made_by,
    coalesce(act, 'unrecorded') AS act,
    back_to,
    (SELECT count(*) FROM catalog_changes WHERE catalog_changes.version = number) AS count
FROM generate_series((SELECT min(version) FROM catalog_versions), (SELECT version FROM catalogue)) AS number
LEFT JOIN catalog_versions ON catalog_versions.version = number
ORDER BY number DESC
LIMIT $1

-- name: changes_of
-- $1 version, $2 how many at most; null: all. In one order everywhere: by section, ids as numbers.
SELECT section, key, before, after
FROM catalog_changes
WHERE version = $1
ORDER BY section, length(key), key
LIMIT $2

-- name: between
-- What the versions after $1 up to $2 changed, taken together: from the first state of each entry to its last
SELECT section, key, before, after
FROM (
    SELECT
        section, key,
        (array_agg(before ORDER BY version))[1] AS before,
        (array_agg(after ORDER BY version DESC))[1] AS after
    FROM catalog_changes
    WHERE version > $1 AND version <= $2
    GROUP BY section, key
) AS entry
WHERE before IS DISTINCT FROM after
ORDER BY section, length(key), key

-- name: first_unknown
-- The first of the versions after $1 up to $2 of which nobody knows what it changed; null: all are known
SELECT min(number)
FROM generate_series($1::bigint + 1, $2::bigint) AS number
LEFT JOIN catalog_versions ON catalog_versions.version = number
WHERE coalesce(act, 'migrate') = 'migrate'
