-- Each of these leads to orders by one thing, newest first, a stretch at a time; `matching` keeps those of a stretch
-- that are so in every other respect.

-- name: by_invoice
-- $1 invoice id, $2 order id before which, $3 how many
SELECT order_id AS id FROM invoices WHERE id = $1 AND order_id < $2 ORDER BY order_id DESC LIMIT $3

-- name: by_domain
-- Orders of a service at this domain, of the domain itself or of its renewal. $1 names, $2 order id before which, $3 how
-- many
SELECT id
FROM (
    SELECT order_id AS id FROM services WHERE domain COLLATE "C" = ANY ($1::text[]) AND domain IS NOT NULL
    UNION
    SELECT order_id FROM domains WHERE name COLLATE "C" = ANY ($1::text[])
    UNION
    SELECT renewals.order_id
    FROM domains
    JOIN renewals ON renewals.domain_id = domains.id
    WHERE domains.name COLLATE "C" = ANY ($1::text[])
) AS meant
WHERE id < $2
ORDER BY id DESC
LIMIT $3

-- name: by_email
-- Case does not matter. $1 e-mail address, $2 order id before which, $3 how many
SELECT orders.id
FROM clients
JOIN orders ON orders.client_id = clients.id
WHERE lower(clients.email) COLLATE "C" = lower($1) AND orders.id < $2
ORDER BY orders.id DESC
LIMIT $3

-- name: by_client
-- $1 client id, $2 order id before which, $3 how many
SELECT id FROM orders WHERE client_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3

-- name: by_product
-- $1 product id, $2 order id before which, $3 how many
SELECT DISTINCT order_id AS id
FROM services
WHERE product_id = $1 AND order_id IS NOT NULL AND order_id < $2
ORDER BY order_id DESC
LIMIT $3

-- name: by_version
-- $1 version of the catalogue, $2 order id before which, $3 how many
SELECT id FROM orders WHERE catalogue_version = $1 AND id < $2 ORDER BY id DESC LIMIT $3

-- name: by_time
-- $1 since, $2 until, $3 how many to leave out, $4 how many
SELECT id
FROM orders
WHERE placed_at >= $1 AND placed_at <= $2
ORDER BY placed_at DESC, id DESC
OFFSET $3
LIMIT $4

-- name: newest
-- $1 order id before which, $2 how many
SELECT id FROM orders WHERE id < $1 ORDER BY id DESC LIMIT $2

-- name: matching
-- $1 order ids, $2 client id or null, $3 e-mail or null, $4 names of a domain or null, $5 invoice id or null, $6 product id
-- or null, $7 since or null, $8 until or null, $9 version of the catalogue or null
SELECT
    orders.id, orders.order_number, orders.placed_at, orders.client_id, orders.status, orders.currency, orders.amount,
    orders.asked_by, orders.catalogue_version, invoices.id AS invoice_id, inbox.message_id,
    ARRAY(
        SELECT products.name || coalesce(' ' || services.domain, '')
        FROM services
        JOIN products ON products.id = services.product_id
        WHERE services.order_id = orders.id
        ORDER BY services.id
        LIMIT 10
    ) || ARRAY(SELECT name FROM domains WHERE domains.order_id = orders.id ORDER BY domains.id LIMIT 10) AS items
FROM orders
JOIN clients ON clients.id = orders.client_id
LEFT JOIN invoices ON invoices.order_id = orders.id
LEFT JOIN inbox ON inbox.id = orders.request_id
WHERE
    orders.id = ANY ($1::bigint[])
    AND ($2::bigint IS NULL OR orders.client_id = $2)
    AND ($3::text IS NULL OR lower(clients.email) = lower($3))
    AND (
        $4::text[] IS NULL
        OR EXISTS (SELECT FROM services WHERE services.order_id = orders.id AND services.domain = ANY ($4))
        OR EXISTS (SELECT FROM domains WHERE domains.order_id = orders.id AND domains.name = ANY ($4))
        OR EXISTS (
            SELECT FROM renewals
            JOIN domains ON domains.id = renewals.domain_id
            WHERE renewals.order_id = orders.id AND domains.name = ANY ($4)
        )
    )
    AND ($5::bigint IS NULL OR invoices.id = $5)
    AND (
        $6::bigint IS NULL
        OR EXISTS (SELECT FROM services WHERE services.order_id = orders.id AND services.product_id = $6)
    )
    AND ($7::timestamptz IS NULL OR orders.placed_at >= $7)
    AND ($8::timestamptz IS NULL OR orders.placed_at <= $8)
    AND ($9::bigint IS NULL OR orders.catalogue_version = $9)
ORDER BY orders.id DESC
