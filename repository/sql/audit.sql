-- name: record
-- $1 operator, $2 action, $3 because, $4 queue, $5 publisher, $6 message id, $7 reason, $8 code, $9 hash of the body,
-- $10 new message id or null, $11 changes (jsonb)
INSERT INTO audit (
    operator, action, because, queue, publisher, message_id, reason, code, body_sha256, new_message_id, changes
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: about
-- What operators did to a message, oldest first. $1 message id
SELECT at, operator, action, because, message_id, new_message_id, changes
FROM audit
WHERE message_id = $1 OR new_message_id = $1
ORDER BY id
