-- name: read
-- In one round trip: when it is, which versions of the catalogue and of its
-- credentials count, and all that the requests of a batch name.
-- $1 clients, $2 contacts, $3 services, $4 addons that exist on a service, $5 clients and $6 ASCII names of domains to
-- renew: one element each a domain, $7 clients whose products decide, $8 products with stock, $9 promotions with a limit,
-- $10 clients whose history decides. Columns stand in the order of the fields of what they are read into.
SELECT
    now() AS now,
    (now() AT TIME ZONE coalesce(timezone, 'UTC'))::date AS today,
    version,
    credentials_version,
    ARRAY(
        SELECT
            ROW(
                id, first_name, last_name, company_name, email, language, address1, coalesce(address2, ''), city,
                state, postcode, country, coalesce(tax_id, ''), currency, tax_exempt, group_id, status
            )
        FROM clients
        WHERE id = ANY ($1::bigint[])
    ) AS clients,
    ARRAY(SELECT ROW(id, client_id) FROM contacts WHERE id = ANY ($2::bigint[])) AS contacts,
    ARRAY(
        SELECT ROW(id, client_id, product_id, cycle::text, recurring, domain, status, renewable, next_due)
        FROM services
        WHERE id = ANY ($3::bigint[])
    ) AS services,
    ARRAY(
        SELECT
            ROW(
                service_addons.id, services.client_id, service_id, addon_id, service_addons.cycle::text,
                service_addons.recurring, service_addons.status, service_addons.renewable, service_addons.next_due
            )
        FROM service_addons
        JOIN services ON services.id = service_addons.service_id
        WHERE service_addons.id = ANY ($4::bigint[])
    ) AS addons,
    ARRAY(
        SELECT ROW(domains.id, domains.client_id, domains.name, years, recurring, status, expires, extras)
        FROM domains
        JOIN unnest($5::bigint[], $6::text[]) AS wanted (client_id, name)
            ON wanted.client_id = domains.client_id AND wanted.name = domains.name
        ORDER BY domains.id
    ) AS domains,
    ARRAY(
        -- Of products, those of which the client has a service that lives.
        SELECT ROW(client_id, array_agg(DISTINCT product_id))
        FROM services
        WHERE client_id = ANY ($7::bigint[]) AND status IN ('Pending', 'Active', 'Suspended', 'Completed')
        GROUP BY client_id
    ) AS owned_products,
    ARRAY(SELECT ROW(product_id, quantity) FROM product_stock WHERE product_id = ANY ($8::bigint[])) AS stock,
    ARRAY(SELECT ROW(promotion_id, uses) FROM promotion_uses WHERE promotion_id = ANY ($9::bigint[])) AS uses,
    ARRAY(
        -- Who ordered before, and with which promotions.
        SELECT ROW(client_id, array_agg(DISTINCT promotion_id) FILTER (WHERE promotion_id IS NOT NULL))
        FROM orders
        WHERE client_id = ANY ($10::bigint[])
        GROUP BY client_id
    ) AS history
FROM catalogue

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

-- name: held
-- Of what the requests of a batch need, what somebody else holds at this moment, and who perhaps does.
-- $1 clients, $2 clients whose history decides, $3 services, $4 addons, $5 clients and $6 ASCII names of domains,
-- $7 products with stock, $8 promotions with a limit. What is free is locked as the line would lock it, and let go with
-- the transaction.
WITH free_clients AS MATERIALIZED (
    SELECT id FROM clients WHERE id = ANY ($1::bigint[]) FOR KEY SHARE SKIP LOCKED
),
free_history AS MATERIALIZED (
    SELECT id FROM clients WHERE id = ANY ($2::bigint[]) FOR NO KEY UPDATE SKIP LOCKED
),
free_services AS MATERIALIZED (
    SELECT id FROM services WHERE id = ANY ($3::bigint[]) FOR KEY SHARE SKIP LOCKED
),
free_addons AS MATERIALIZED (
    SELECT id FROM service_addons WHERE id = ANY ($4::bigint[]) FOR KEY SHARE SKIP LOCKED
),
free_domains AS MATERIALIZED (
    SELECT domains.client_id, domains.name
    FROM domains
    JOIN unnest($5::bigint[], $6::text[]) AS wanted (client_id, name)
        ON wanted.client_id = domains.client_id AND wanted.name = domains.name
    FOR KEY SHARE OF domains SKIP LOCKED
),
free_stock AS MATERIALIZED (
    SELECT product_id FROM product_stock WHERE product_id = ANY ($7::bigint[]) FOR NO KEY UPDATE SKIP LOCKED
),
free_uses AS MATERIALIZED (
    SELECT promotion_id FROM promotion_uses WHERE promotion_id = ANY ($8::bigint[]) FOR NO KEY UPDATE SKIP LOCKED
)
SELECT
    ARRAY(
        SELECT id FROM clients WHERE id = ANY ($1::bigint[]) AND id NOT IN (SELECT id FROM free_clients)
    ) AS clients,
    ARRAY(
        SELECT id FROM clients WHERE id = ANY ($2::bigint[]) AND id NOT IN (SELECT id FROM free_history)
    ) AS history_clients,
    ARRAY(
        SELECT id FROM services WHERE id = ANY ($3::bigint[]) AND id NOT IN (SELECT id FROM free_services)
    ) AS services,
    ARRAY(
        SELECT id FROM service_addons WHERE id = ANY ($4::bigint[]) AND id NOT IN (SELECT id FROM free_addons)
    ) AS addons,
    ARRAY(
        SELECT ROW(domains.client_id, domains.name)
        FROM domains
        JOIN unnest($5::bigint[], $6::text[]) AS wanted (client_id, name)
            ON wanted.client_id = domains.client_id AND wanted.name = domains.name
        WHERE (domains.client_id, domains.name) NOT IN (SELECT client_id, name FROM free_domains)
    ) AS domains,
    ARRAY(
        SELECT product_id
        FROM product_stock
        WHERE product_id = ANY ($7::bigint[]) AND product_id NOT IN (SELECT product_id FROM free_stock)
    ) AS stock_products,
    ARRAY(
        SELECT promotion_id
        FROM promotion_uses
        WHERE promotion_id = ANY ($8::bigint[]) AND promotion_id NOT IN (SELECT promotion_id FROM free_uses)
    ) AS limited_promotions,
    ARRAY(
        -- Whoever may have locked a row of these has its table locked in one of these modes.
        SELECT DISTINCT ROW(pg_locks.pid, coalesce(pg_stat_activity.usename::text, ''))
        FROM pg_locks
        JOIN pg_stat_activity ON pg_stat_activity.pid = pg_locks.pid
        WHERE
            pg_locks.granted
            AND pg_locks.pid <> pg_backend_pid()
            AND pg_locks.mode IN ('RowShareLock', 'RowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
            AND pg_locks.relation IN (
                'clients'::regclass, 'services'::regclass, 'service_addons'::regclass, 'domains'::regclass,
                'product_stock'::regclass, 'promotion_uses'::regclass
            )
    ) AS holders
