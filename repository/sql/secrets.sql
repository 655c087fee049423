-- name: root_passwords
-- A stretch of what is encrypted, locked. $1 id behind which to go on, $2 how many at most
SELECT id, root_password_encrypted AS sealed
FROM services
WHERE id > $1 AND root_password_encrypted IS NOT NULL
ORDER BY id
LIMIT $2
FOR NO KEY UPDATE

-- name: replace_root_passwords
-- $1 ids, $2 what is encrypted anew
UPDATE services
SET root_password_encrypted = anew.sealed
FROM unnest($1::bigint[], $2::bytea[]) AS anew (id, sealed)
WHERE services.id = anew.id

-- name: epp_codes
-- A stretch of what is encrypted, locked. $1 id behind which to go on, $2 how many at most
SELECT id, epp_code_encrypted AS sealed
FROM domains
WHERE id > $1 AND epp_code_encrypted IS NOT NULL
ORDER BY id
LIMIT $2
FOR NO KEY UPDATE

-- name: replace_epp_codes
-- $1 ids, $2 what is encrypted anew
UPDATE domains
SET epp_code_encrypted = anew.sealed
FROM unnest($1::bigint[], $2::bytea[]) AS anew (id, sealed)
WHERE domains.id = anew.id

-- name: custom_fields
-- A stretch of what is encrypted, locked: with the text of each service's fields. $1 id, $2 how many at most
SELECT id, convert_to(custom_fields::text, 'UTF8') AS sealed
FROM services
WHERE id > $1 AND custom_fields @? '$.*.sealed'
ORDER BY id
LIMIT $2
FOR NO KEY UPDATE

-- name: replace_custom_fields
-- $1 ids, $2 texts of all fields of a service
UPDATE services
SET custom_fields = convert_from(anew.fields, 'UTF8')::jsonb
FROM unnest($1::bigint[], $2::bytea[]) AS anew (id, fields)
WHERE services.id = anew.id

-- name: letters
-- A stretch of the dead letters that their queue did not take, locked. $1 id behind which to go on, $2 how many at most
SELECT id, body AS sealed
FROM unsent
WHERE id > $1 AND kind = 'letter'
ORDER BY id
LIMIT $2
FOR NO KEY UPDATE

-- name: replace_letters
-- $1 ids, $2 what is encrypted anew
UPDATE unsent
SET body = anew.sealed
FROM unnest($1::text[], $2::bytea[]) AS anew (id, sealed)
WHERE unsent.id = anew.id

-- name: sample
-- Some of what is encrypted, of the first and of the last services and domains, and of kept dead letters: old keys and
-- new. $1 how many rows are looked at on each side, $2 how many are taken of each kind
WITH services_there AS (
    (SELECT root_password_encrypted, custom_fields FROM services ORDER BY id LIMIT $1)
    UNION ALL
    (SELECT root_password_encrypted, custom_fields FROM services ORDER BY id DESC LIMIT $1)
),
domains_there AS (
    (SELECT epp_code_encrypted FROM domains ORDER BY id LIMIT $1)
    UNION ALL
    (SELECT epp_code_encrypted FROM domains ORDER BY id DESC LIMIT $1)
)
(SELECT root_password_encrypted AS sealed FROM services_there WHERE root_password_encrypted IS NOT NULL LIMIT $2)
UNION
(SELECT epp_code_encrypted FROM domains_there WHERE epp_code_encrypted IS NOT NULL LIMIT $2)
UNION
(
    SELECT convert_to(jsonb_path_query_first(custom_fields, '$.*.sealed') #>> '{}', 'UTF8')
    FROM services_there
    WHERE custom_fields @? '$.*.sealed'
    LIMIT $2
)
UNION
(SELECT body FROM unsent WHERE kind = 'letter' LIMIT $2)

-- name: newest_signature
-- Under which format and key the newest request was signed. No parameters
SELECT fingerprint_version FROM inbox ORDER BY id DESC LIMIT 1
