-- name: moment
-- The database's time, its date in UTC, and the catalogue's version.
SELECT now() AS now, (now() AT TIME ZONE 'UTC')::date AS today, version
FROM catalogue

-- name: clients
-- $1 client ids
SELECT
    id, first_name, last_name, company_name, email, language, state, country, currency, tax_exempt, group_id, status
FROM clients
WHERE id = ANY ($1::bigint[])

-- name: contacts
-- $1 contact ids
SELECT id, client_id
FROM contacts
WHERE id = ANY ($1::bigint[])

-- name: services
-- $1 service ids
SELECT id, client_id, product_id, cycle, recurring, domain, status, renewable, next_due
FROM services
WHERE id = ANY ($1::bigint[])

-- name: service_addons
-- $1 ids of addons that exist on a service
SELECT
    service_addons.id,
    services.client_id,
    service_addons.service_id,
    service_addons.addon_id,
    service_addons.cycle,
    service_addons.recurring,
    service_addons.status,
    service_addons.renewable,
    service_addons.next_due
FROM service_addons
JOIN services ON services.id = service_addons.service_id
WHERE service_addons.id = ANY ($1::bigint[])

-- name: domains
-- $1 client ids, $2 ASCII names: one element each a domain to renew
SELECT domains.id, domains.client_id, domains.name, years, recurring, status, expires, extras
FROM domains
JOIN unnest($1::bigint[], $2::text[]) AS wanted (client_id, name)
    ON wanted.client_id = domains.client_id AND wanted.name = domains.name
ORDER BY domains.id

-- name: owned_products
-- Products of which the clients have a service that lives. $1 client ids
SELECT client_id, array_agg(DISTINCT product_id) AS products
FROM services
WHERE client_id = ANY ($1::bigint[]) AND status IN ('Pending', 'Active', 'Suspended', 'Completed')
GROUP BY client_id

-- name: stock
-- $1 product ids
SELECT product_id, quantity
FROM product_stock
WHERE product_id = ANY ($1::bigint[])

-- name: promotion_uses
-- $1 promotion ids
SELECT promotion_id, uses
FROM promotion_uses
WHERE promotion_id = ANY ($1::bigint[])

-- name: lock_stock
-- $1 product ids. Locked in the order of their ids.
SELECT product_id, quantity
FROM product_stock
WHERE product_id = ANY ($1::bigint[])
ORDER BY product_id
FOR UPDATE

-- name: lock_promotion_uses
-- $1 promotion ids. Locked in the order of their ids.
SELECT promotion_id, uses
FROM promotion_uses
WHERE promotion_id = ANY ($1::bigint[])
ORDER BY promotion_id
FOR UPDATE

-- name: lock_clients
-- Clients whose history decides. $1 client ids. Not against foreign keys: orders of others may go on.
SELECT id
FROM clients
WHERE id = ANY ($1::bigint[])
ORDER BY id
FOR NO KEY UPDATE

-- name: history
-- Who ordered before, and with which promotions. $1 client ids
SELECT client_id, array_agg(DISTINCT promotion_id) FILTER (WHERE promotion_id IS NOT NULL) AS promotions
FROM orders
WHERE client_id = ANY ($1::bigint[])
GROUP BY client_id
