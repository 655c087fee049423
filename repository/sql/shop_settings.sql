-- name: read
-- no parameters. Null: nobody has set it.
SELECT tax, invoice_grace_days, nameservers, timezone
FROM catalogue

-- name: save
-- $1 settings (JSON text: an object, keys as the columns). What is not in it stays. The catalogue's row is locked.
UPDATE catalogue AS kept
SET
    tax = coalesce(given.tax, kept.tax),
    invoice_grace_days = coalesce(given.invoice_grace_days, kept.invoice_grace_days),
    nameservers = coalesce(given.nameservers, kept.nameservers),
    timezone = coalesce(given.timezone, kept.timezone)
FROM jsonb_populate_record(NULL::catalogue, $1::text::jsonb) AS given
