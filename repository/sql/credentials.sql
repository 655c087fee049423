-- name: add
-- $1 identifier, $2 hash of the secret, $3 actions, $4 caller; returns nothing where the identifier is taken
-- Without a caller: that of the credential that had this identifier before, else one of its own.
INSERT INTO api_credentials (identifier, secret_hash, actions, caller)
SELECT
    $1::text,
    $2::text,
    $3::text[],
    coalesce(
        $4::text,
        (
            SELECT coalesce(caller, 'credential:' || id)
            FROM api_credentials
            WHERE identifier = $1
            ORDER BY id DESC
            LIMIT 1
        )
    )
ON CONFLICT (identifier) WHERE revoked_at IS NULL DO NOTHING
RETURNING coalesce(caller, 'credential:' || id)

-- name: is_there
-- $1 id of a credential, in force or not
SELECT EXISTS (SELECT FROM api_credentials WHERE id = $1)

-- name: list
-- no parameters
SELECT
    identifier,
    coalesce(caller, 'credential:' || id) AS caller,
    actions,
    created_at,
    revoked_at,
    CASE WHEN old_secret_until > now() AND revoked_at IS NULL THEN old_secret_until END AS old_secret_until
FROM api_credentials
ORDER BY revoked_at DESC NULLS FIRST, identifier

-- name: replace
-- $1 identifier, $2 hash of its new secret, $3 seconds that the old one is taken as well; returns nothing where there is
-- none in force
UPDATE api_credentials
SET
    secret_hash = $2,
    old_secret_hash = secret_hash,
    old_secret_until = now() + make_interval(secs => $3)
WHERE identifier = $1
    AND revoked_at IS NULL
RETURNING coalesce(caller, 'credential:' || id) AS caller, old_secret_until

-- name: revoke
-- $1 identifier; returns nothing where there is none in force
UPDATE api_credentials
SET revoked_at = now()
WHERE identifier = $1
    AND revoked_at IS NULL
RETURNING coalesce(caller, 'credential:' || id)
