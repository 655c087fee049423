-- name: order
-- $1 order id
SELECT order_number, status, currency, amount, payment_method, promotion_code, asked_by, placed_at
FROM orders
WHERE id = $1

-- name: services
-- $1 order id
SELECT id, product_id, domain, cycle, quantity, first_payment, recurring, next_due, status
FROM services
WHERE order_id = $1
ORDER BY id

-- name: service_addons
-- $1 order id
SELECT id, service_id, addon_id, cycle, quantity, first_payment, recurring, next_due, status
FROM service_addons
WHERE order_id = $1
ORDER BY id

-- name: domains
-- $1 order id
SELECT id, name, type, years, extras, first_payment, recurring, nameservers, status
FROM domains
WHERE order_id = $1
ORDER BY id

-- name: renewals
-- $1 order id
SELECT renewals.id, domains.name AS domain, renewals.service_id, service_addon_id, renewals.years, amount, renewals.status
FROM renewals
LEFT JOIN domains ON domains.id = renewals.domain_id
WHERE renewals.order_id = $1
ORDER BY renewals.id

-- name: invoices
-- $1 order id
SELECT id, date, due, subtotal, discount, tax, total, status
FROM invoices
WHERE order_id = $1

-- name: invoice_lines
-- $1 order id
SELECT position, description, amount
FROM invoice_lines
JOIN invoices ON invoices.id = invoice_lines.invoice_id
WHERE invoices.order_id = $1
ORDER BY position

-- name: count_orders
SELECT count(*) FROM orders
