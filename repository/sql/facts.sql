-- name: read
-- In one round trip: when it is, which versions of the catalogue and of its
-- credentials count, and all that the requests of a batch name.
-- $1 clients, $2 contacts, $3 services, $4 addons that exist on a service, $5 clients and $6 ASCII names of domains to
-- renew or ordered: one element each a domain, $7 clients whose products decide, $8 products with stock, $9 promotions with a limit,
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
        SELECT
            ROW(
                services.id, services.client_id, product_id, cycle::text, domain, services.status, renewable, next_due,
                coalesce(invoices.status = 'Unpaid', false), services.recurring, recurring_full, discounts_left,
                recurring_full IS NOT NULL OR coalesce(promotions.recurring, false)
            )
        FROM services
        LEFT JOIN invoices ON invoices.order_id = services.order_id
        LEFT JOIN promotions ON promotions.id = services.promotion_id
        WHERE services.id = ANY ($3::bigint[])
    ) AS services,
    ARRAY(
        SELECT
            ROW(
                service_addons.id, services.client_id, service_id, addon_id, service_addons.cycle::text,
                service_addons.status, service_addons.renewable, service_addons.next_due,
                coalesce(invoices.status = 'Unpaid', false), services.status, services.renewable,
                service_addons.recurring, service_addons.recurring_full, service_addons.discounts_left,
                service_addons.recurring_full IS NOT NULL OR coalesce(promotions.recurring, false)
            )
        FROM service_addons
        JOIN services ON services.id = service_addons.service_id
        LEFT JOIN invoices ON invoices.order_id = service_addons.order_id
        LEFT JOIN promotions ON promotions.id = service_addons.promotion_id
        WHERE service_addons.id = ANY ($4::bigint[])
    ) AS addons,
    ARRAY(
        -- What was billed counts as paid where the order that made the domain has no Unpaid invoice.
        SELECT
            ROW(
                domains.id, domains.client_id, domains.name, domains.status, expires,
                CASE WHEN invoices.status IS DISTINCT FROM 'Unpaid' THEN period_end END, free_with, extras
            )
        FROM domains
        JOIN unnest($5::bigint[], $6::text[]) AS wanted (client_id, name)
            ON wanted.client_id = domains.client_id AND wanted.name = domains.name
        LEFT JOIN invoices ON invoices.order_id = domains.order_id
        ORDER BY domains.id
    ) AS domains,
    ARRAY(
        -- Of products, those of which the client has a service that lives.
        SELECT ROW(client_id, array_agg(DISTINCT product_id))
        FROM services
        WHERE client_id = ANY ($7::bigint[]) AND status IN ('Active', 'Suspended')
        GROUP BY client_id
    ) AS owned_products,
    ARRAY(SELECT ROW(product_id, quantity) FROM product_stock WHERE product_id = ANY ($8::bigint[])) AS stock,
    ARRAY(SELECT ROW(promotion_id, uses) FROM promotion_uses WHERE promotion_id = ANY ($9::bigint[])) AS uses,
    ARRAY(
        -- By client and promotion: how many orders count as uses of it, and whether one of them is Active.
        SELECT ROW(client_id, promotion_id, count(*) FILTER (WHERE status <> 'Cancelled'), bool_or(status = 'Active'))
        FROM orders
        WHERE client_id = ANY ($10::bigint[])
        GROUP BY client_id, promotion_id
    ) AS history
FROM catalogue

-- name: open_orders
-- Orders that are not paid and renew something of this. $1 clients and $2 ASCII names of domains: one element each a
-- domain, $3 services, $4 addons. Of an order from before, what it took is told by its promotion.
WITH renewing AS (
    SELECT renewals.order_id
    FROM renewals
    JOIN domains ON domains.id = renewals.domain_id
    JOIN unnest($1::bigint[], $2::text[]) AS wanted (client_id, name)
        ON wanted.client_id = domains.client_id AND wanted.name = domains.name
    WHERE renewals.status = 'Pending'
    UNION
    SELECT order_id FROM renewals WHERE status = 'Pending' AND service_id = ANY ($3::bigint[])
    UNION
    SELECT order_id FROM renewals WHERE status = 'Pending' AND service_addon_id = ANY ($4::bigint[])
)
SELECT
    orders.id,
    orders.order_number,
    orders.client_id,
    orders.status,
    orders.promotion_id,
    CASE
        WHEN invoices.id IS NOT NULL
            THEN ROW(
                invoices.id, invoices.currency, invoices.subtotal, invoices.discount, invoices.tax, invoices.tax2,
                invoices.total
            )
    END AS invoice,
    NOT EXISTS (SELECT FROM services WHERE services.order_id = orders.id)
    AND NOT EXISTS (SELECT FROM service_addons WHERE service_addons.order_id = orders.id)
    AND NOT EXISTS (SELECT FROM domains WHERE domains.order_id = orders.id) AS has_only_renewals,
    ARRAY(
        SELECT
            ROW(
                CASE
                    WHEN domain_id IS NOT NULL THEN 'domain_renewal'
                    WHEN service_id IS NOT NULL THEN 'service_renewal'
                    ELSE 'addon_renewal'
                END,
                coalesce(domain_id, service_id, service_addon_id), period_start, period_end
            )
        FROM renewals
        WHERE renewals.order_id = orders.id AND renewals.status = 'Pending'
        ORDER BY renewals.id
    ) AS renewals,
    CASE
        WHEN orders.takes_written
            THEN ARRAY(
                SELECT ROW(kind, thing_id, units)
                FROM order_takes
                WHERE order_takes.order_id = orders.id AND released_at IS NULL
                ORDER BY kind, thing_id
            )
        ELSE ARRAY(
            SELECT ROW('promotion_use'::text, promotion_id, 1)
            FROM promotion_uses
            WHERE promotion_uses.promotion_id = orders.promotion_id AND promotion_uses.max_uses > 0
        )
    END AS takes
FROM renewing
JOIN orders ON orders.id = renewing.order_id
LEFT JOIN invoices ON invoices.order_id = orders.id
WHERE orders.status IN ('Pending', 'Active') AND (invoices.id IS NULL OR invoices.status = 'Unpaid')
ORDER BY orders.id

-- name: lock_renewed
-- Parameters as those of open_orders. One kind after the other, each by its ids: a kind is begun when the one before is
-- locked, because it asks for it. Not against foreign keys.
WITH renewing AS MATERIALIZED (
    SELECT renewals.order_id
    FROM renewals
    JOIN domains ON domains.id = renewals.domain_id
    JOIN unnest($1::bigint[], $2::text[]) AS wanted (client_id, name)
        ON wanted.client_id = domains.client_id AND wanted.name = domains.name
    WHERE renewals.status = 'Pending'
    UNION
    SELECT order_id FROM renewals WHERE status = 'Pending' AND service_id = ANY ($3::bigint[])
    UNION
    SELECT order_id FROM renewals WHERE status = 'Pending' AND service_addon_id = ANY ($4::bigint[])
),
locked_orders AS MATERIALIZED (
    SELECT id
    FROM orders
    WHERE id IN (SELECT order_id FROM renewing)
    ORDER BY id
    FOR NO KEY UPDATE
),
locked_invoices AS MATERIALIZED (
    SELECT id
    FROM invoices
    WHERE order_id IN (SELECT id FROM locked_orders)
    ORDER BY id
    FOR NO KEY UPDATE
),
locked_services AS MATERIALIZED (
    SELECT id
    FROM services
    WHERE id = ANY ($3::bigint[]) AND (SELECT count(*) FROM locked_invoices) >= 0
    ORDER BY id
    FOR NO KEY UPDATE
),
locked_addons AS MATERIALIZED (
    SELECT id
    FROM service_addons
    WHERE id = ANY ($4::bigint[]) AND (SELECT count(*) FROM locked_services) >= 0
    ORDER BY id
    FOR NO KEY UPDATE
),
locked_domains AS MATERIALIZED (
    SELECT domains.id
    FROM domains
    JOIN unnest($1::bigint[], $2::text[]) AS wanted (client_id, name)
        ON wanted.client_id = domains.client_id AND wanted.name = domains.name
    WHERE (SELECT count(*) FROM locked_addons) >= 0
    ORDER BY domains.id
    FOR NO KEY UPDATE OF domains
)
SELECT count(*) FROM locked_domains

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
-- Clients whose history decides, or who renew something. $1 client ids. Not against foreign keys: orders of others may go on.
SELECT id
FROM clients
WHERE id = ANY ($1::bigint[])
ORDER BY id
FOR NO KEY UPDATE

-- name: held
-- Of what the requests of a batch need, what somebody else holds at this moment, and who perhaps does.
-- $1 clients, $2 those of whom one request is carried out at a time, $3 services, $4 addons, $5 clients and $6 ASCII names of domains,
-- $7 products with stock, $8 promotions with a limit. What is free is locked as the line would lock it, and let go with
-- the transaction.
WITH free_clients AS MATERIALIZED (
    SELECT id FROM clients WHERE id = ANY ($1::bigint[]) FOR KEY SHARE SKIP LOCKED
),
free_locked AS MATERIALIZED (
    SELECT id FROM clients WHERE id = ANY ($2::bigint[]) FOR NO KEY UPDATE SKIP LOCKED
),
free_services AS MATERIALIZED (
    SELECT id FROM services WHERE id = ANY ($3::bigint[]) FOR NO KEY UPDATE SKIP LOCKED
),
free_addons AS MATERIALIZED (
    SELECT id FROM service_addons WHERE id = ANY ($4::bigint[]) FOR NO KEY UPDATE SKIP LOCKED
),
free_domains AS MATERIALIZED (
    SELECT domains.client_id, domains.name
    FROM domains
    JOIN unnest($5::bigint[], $6::text[]) AS wanted (client_id, name)
        ON wanted.client_id = domains.client_id AND wanted.name = domains.name
    FOR NO KEY UPDATE OF domains SKIP LOCKED
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
        SELECT id FROM clients WHERE id = ANY ($2::bigint[]) AND id NOT IN (SELECT id FROM free_locked)
    ) AS locked_clients,
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
