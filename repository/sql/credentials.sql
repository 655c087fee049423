-- name: add
-- $1 identifier, $2 hash of the secret, $3 actions; returns nothing where the identifier is taken
INSERT INTO api_credentials (identifier, secret_hash, actions)
VALUES ($1, $2, $3)
ON CONFLICT (identifier) WHERE revoked_at IS NULL DO NOTHING
RETURNING id

-- name: list
-- no parameters
SELECT identifier, actions, created_at, revoked_at
FROM api_credentials
ORDER BY revoked_at DESC NULLS FIRST, identifier

-- name: revoke
-- $1 identifier; returns nothing where there is none in force
UPDATE api_credentials
SET revoked_at = now()
WHERE identifier = $1
    AND revoked_at IS NULL
RETURNING id
