-- name: probe
-- Write something and change nothing: a server that is full, or has become a standby, refuses.
UPDATE catalogue
SET only_row = only_row
