-- A caller outlives its secrets: several credentials may be one caller's, and a secret may be replaced.

-- name: validate
-- What 0007 has added as not valid yet, and what Postgres has forgotten of columns that it changed. Locks nobody out.
ALTER TABLE inbox VALIDATE CONSTRAINT inbox_caller_is_known;
ALTER TABLE inbox VALIDATE CONSTRAINT inbox_message_id_fits;
ALTER TABLE orders VALIDATE CONSTRAINT orders_order_number_has_ten_digits;
ANALYZE inbox, orders, domains, audit;

-- name: add
ALTER TABLE api_credentials
-- null: a caller of its own, credential:<id>
ADD COLUMN caller text COLLATE "C"
    CONSTRAINT api_credentials_caller_is_known CHECK (caller ~ '^(credential|publisher|caller):.'),
-- The secret before this one, and until when it is taken as well. Kept for good: a file that still has it brings it not back.
ADD COLUMN old_secret_hash text,
ADD COLUMN old_secret_until timestamptz,
ADD CONSTRAINT api_credentials_old_secret_has_an_end
    CHECK (num_nulls(old_secret_hash, old_secret_until) IN (0, 2));
