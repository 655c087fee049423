-- name: lock
-- no parameters. Whatever changes the catalogue takes this row first, so that two changes take turns.
SELECT version
FROM catalogue
FOR UPDATE

-- name: move
-- no parameters
UPDATE catalogue
SET version = version + 1
RETURNING version

-- name: move_credentials
-- no parameters
UPDATE catalogue
SET credentials_version = credentials_version + 1
