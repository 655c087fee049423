-- name: read
-- no parameters. Null: nobody has set it.
SELECT
    tax, tax_exempt, tax_note, invoice_grace_days, invoice_number, accept_when_paid, date_format, nameservers, timezone,
    seller
FROM catalogue

-- name: save
-- $1 settings (jsonb: an object, keys as the columns). What is not in it stays. The catalogue's row is locked.
UPDATE catalogue AS kept
SET
    tax = coalesce(given.tax, kept.tax),
    tax_exempt = coalesce(given.tax_exempt, kept.tax_exempt),
    tax_note = coalesce(given.tax_note, kept.tax_note),
    invoice_grace_days = coalesce(given.invoice_grace_days, kept.invoice_grace_days),
    invoice_number = coalesce(given.invoice_number, kept.invoice_number),
    accept_when_paid = coalesce(given.accept_when_paid, kept.accept_when_paid),
    date_format = coalesce(given.date_format, kept.date_format),
    nameservers = coalesce(given.nameservers, kept.nameservers),
    timezone = coalesce(given.timezone, kept.timezone),
    seller = coalesce(given.seller, kept.seller)
FROM jsonb_populate_record(NULL::catalogue, $1::jsonb) AS given

-- name: said_next
-- $1 where a file says that the present series of invoice numbers goes on. Returns what the last one said, or null.
WITH before AS (
    SELECT invoice_next
    FROM catalogue
)
UPDATE catalogue
SET invoice_next = $1
RETURNING (SELECT invoice_next FROM before)
