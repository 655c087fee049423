-- name: begin
-- Lines of acts that begin. $1 actor, $2 the broker's user, $3 id of the run that they are parts of or null,
-- $4 lines: act, thing, why, new_message_id, details (jsonb)
INSERT INTO audit (actor, "by", run_id, act, thing, why, new_message_id, details)
SELECT $1, $2, $3, line.act, line.thing, line.why, line.new_message_id, line.details
FROM jsonb_to_recordset($4::jsonb)
    AS line (position integer, act text, thing text, why text, new_message_id text, details jsonb)
ORDER BY line.position
RETURNING id

-- name: end
-- Lines of acts that have ended. $1 acts: id of the line that began it, details (jsonb)
INSERT INTO audit (actor, "by", run_id, act, thing, why, new_message_id, details, begun_id)
SELECT
    begun.actor, begun."by", begun.run_id, begun.act, begun.thing, begun.why, begun.new_message_id, ended.details,
    begun.id
FROM jsonb_to_recordset($1::jsonb) AS ended (id bigint, details jsonb)
JOIN audit AS begun ON begun.id = ended.id
ORDER BY begun.id

-- name: acts
-- Acts, the newest first; of a run its parts are left out. $1 since or null, $2 until or null, $3 actor or null,
-- $4 act or null, $5 how many at most
SELECT
    begun.id, begun.at AS began_at, begun.actor, begun."by", begun.act, begun.thing, begun.why, begun.new_message_id,
    begun.details, ended.at AS ended_at, ended.details AS outcome
FROM audit AS begun
LEFT JOIN audit AS ended ON ended.begun_id = begun.id
WHERE
    begun.begun_id IS NULL
    AND begun.run_id IS NULL
    AND ($1::timestamptz IS NULL OR begun.at >= $1)
    AND ($2::timestamptz IS NULL OR begun.at <= $2)
    AND ($3::text IS NULL OR begun.actor = $3)
    AND ($4::text IS NULL OR begun.act = $4)
ORDER BY begun.id DESC
LIMIT $5

-- name: about
-- What was done to things, and to what they were made of; oldest first. $1 message ids or names of other things
SELECT
    begun.id, begun.at AS began_at, begun.actor, begun."by", begun.act, begun.thing, begun.why, begun.new_message_id,
    begun.details, ended.at AS ended_at, ended.details AS outcome
FROM audit AS begun
LEFT JOIN audit AS ended ON ended.begun_id = begun.id
WHERE begun.begun_id IS NULL AND (begun.thing = ANY ($1::text[]) OR begun.new_message_id = ANY ($1::text[]))
ORDER BY begun.id

-- name: going_on
-- The newest act that has begun lately and not ended: who is at it. No parameters
SELECT
    begun.id, begun.at AS began_at, begun.actor, begun."by", begun.act, begun.thing, begun.why, begun.new_message_id,
    begun.details, NULL::timestamptz AS ended_at, NULL::jsonb AS outcome
FROM (SELECT * FROM audit ORDER BY id DESC LIMIT 50000) AS begun
WHERE
    begun.begun_id IS NULL
    AND begun.run_id IS NULL
    AND begun.operator IS NULL -- a line of the version before has no end
    AND begun.at > now() - interval '1 day'
    AND NOT EXISTS (SELECT FROM audit AS ended WHERE ended.begun_id = begun.id)
ORDER BY begun.id DESC
LIMIT 1
