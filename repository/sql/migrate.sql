-- name: take_turns
-- no parameters; held until the transaction ends. The number is "orders" in ASCII.
SELECT pg_advisory_xact_lock(122537101324915)

-- name: schema_version
-- no parameters
SELECT version_num
FROM alembic_version
