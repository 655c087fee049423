-- name: orders
-- Orders with whoever they are for, as that client is today. $1 order ids
SELECT
    orders.id, order_number, orders.status, orders.placed_at, catalogue_version, asked_by, contact_id, orders.currency,
    amount, payment_method, promotion_id, promotion_code, promotion_type, promotion_value, affiliate_id, warnings,
    placed_on, bill, client_id, first_name, last_name, company_name, email, language, address1,
    coalesce(address2, '') AS address2, city, state, postcode, country, coalesce(tax_id, '') AS tax_id, tax_exempt,
    group_id, clients.status AS client_status, clients.currency AS client_currency
FROM orders
JOIN clients ON clients.id = orders.client_id
WHERE orders.id = ANY ($1::bigint[])

-- name: services
-- Options and custom fields under the names that they have today; the values of fields are nobody's to read: any may be
-- a password. $1 order ids
SELECT
    services.id, order_id, product_id, products.name AS product_name, domain, cycle, services.quantity, first_payment,
    recurring, recurring_full, discounts_left, next_due, period_end, status,
    ARRAY(
        SELECT jsonb_build_array(config_options.name, config_choices.name, chosen.quantity)
        FROM jsonb_to_recordset(services.options) AS chosen (option bigint, choice bigint, quantity integer)
        JOIN config_options ON config_options.id = chosen.option
        LEFT JOIN config_choices ON config_choices.id = chosen.choice
        ORDER BY config_options.position, config_options.id
    ) AS options,
    ARRAY(
        SELECT custom_fields.name
        FROM custom_fields
        WHERE custom_fields.product_id = services.product_id AND services.custom_fields ? custom_fields.id::text
        ORDER BY custom_fields.position, custom_fields.id
    ) AS custom_fields
FROM services
JOIN products ON products.id = services.product_id
WHERE order_id = ANY ($1::bigint[])
ORDER BY services.id

-- name: addons
-- $1 order ids
SELECT
    service_addons.id, order_id, service_id, addon_id, addons.name, cycle, quantity, first_payment, recurring, recurring_full,
    discounts_left, next_due, period_end, status
FROM service_addons
JOIN addons ON addons.id = service_addons.addon_id
WHERE order_id = ANY ($1::bigint[])
ORDER BY service_addons.id

-- name: domains
-- $1 order ids
SELECT
    id, order_id, name, name_unicode, type, years, extras, first_payment, recurring, recurring_full, discounts_left,
    next_due, period_end, expires, nameservers, status
FROM domains
WHERE order_id = ANY ($1::bigint[])
ORDER BY id

-- name: renewals
-- What was renewed, under the name that it has today. $1 order ids
SELECT
    renewals.order_id,
    coalesce(renewals.domain_id, renewals.service_id, renewals.service_addon_id) AS target_id,
    CASE
        WHEN renewals.domain_id IS NOT NULL THEN 'domain_renewal'
        WHEN renewals.service_id IS NOT NULL THEN 'service_renewal'
        ELSE 'addon_renewal'
    END AS kind,
    coalesce(domains.name_unicode, products.name, addons.name) AS name,
    domains.name AS domain,
    renewals.years,
    renewals.cycle,
    renewals.amount,
    renewals.late_fee,
    renewals.period_start,
    renewals.period_end,
    renewals.status
FROM renewals
LEFT JOIN domains ON domains.id = renewals.domain_id
LEFT JOIN services ON services.id = renewals.service_id
LEFT JOIN products ON products.id = services.product_id
LEFT JOIN service_addons ON service_addons.id = renewals.service_addon_id
LEFT JOIN addons ON addons.id = service_addons.addon_id
WHERE renewals.order_id = ANY ($1::bigint[])
ORDER BY renewals.id

-- name: history
-- $1 order ids
SELECT order_id, at, from_status, to_status, asked_by, details
FROM order_history
WHERE order_id = ANY ($1::bigint[])
ORDER BY id

-- name: invoices
-- $1 order ids
SELECT
    id, order_id, date, due, status, payment_method, currency, subtotal, discount, tax, tax2, tax_rate, tax_rate2,
    tax_inclusive, total, taxes, client, seller, tax_note, proforma, number, issued
FROM invoices
LEFT JOIN invoice_numbers ON invoice_id = id
WHERE order_id = ANY ($1::bigint[])

-- name: invoice_lines
-- $1 order ids
SELECT invoices.order_id, kind, item_id, description, amount, taxed
FROM invoices
JOIN invoice_lines ON invoice_lines.invoice_id = invoices.id
WHERE invoices.order_id = ANY ($1::bigint[])
ORDER BY invoice_id, position
