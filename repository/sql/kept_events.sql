-- name: bounds
-- Which requests have answers. No parameters
SELECT coalesce(min(request_id), 1) AS first_id, coalesce(max(request_id), 0) AS last_id FROM answers

-- name: stretch
-- Events of answers that the broker has confirmed, of a stretch of requests. What is not confirmed yet, workers publish.
-- $1 first request id, $2 last one, $3 answered since, $4 answered until
SELECT events
FROM answers
WHERE request_id BETWEEN $1 AND $2 AND answered_at >= $3 AND answered_at <= $4 AND published_at IS NOT NULL
ORDER BY request_id
