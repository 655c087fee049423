-- name: versions
-- no parameters
SELECT version, credentials_version
FROM catalogue

-- name: catalogue
-- no parameters
SELECT
    version, credentials_version, order_number_key, tax, tax_exempt, tax_note, invoice_grace_days, invoice_number,
    accept_when_paid, date_format, nameservers, timezone, seller
FROM catalogue

-- name: currencies
-- no parameters
SELECT code, prefix, suffix, digits, is_default
FROM currencies
ORDER BY is_default DESC, code

-- name: payment_methods
-- no parameters
SELECT name, display_name, active, position
FROM payment_methods
ORDER BY position, name

-- name: client_groups
-- no parameters
SELECT id, name, discount_percent
FROM client_groups
ORDER BY id

-- name: tax_rules
-- no parameters
SELECT id, level, name, country, state, state_aliases, rate, compound
FROM tax_rules
ORDER BY id

-- name: products
-- no parameters
SELECT
    id, name, type, pay_type, taxed, retired, quantity_rule, stock_controlled, prorata_day, prorata_charge_next_month,
    free_domain_cycles, free_domain_tlds, free_domain_kind
FROM products
ORDER BY id

-- name: product_prices
-- no parameters
SELECT product_id AS id, currency, cycle, price, setup
FROM product_prices

-- name: custom_fields
-- no parameters
SELECT id, product_id, name, type, required, options
FROM custom_fields
ORDER BY position, id

-- name: config_options
-- no parameters
SELECT id, product_id, name, type, quantity_min, quantity_max
FROM config_options
ORDER BY position, id

-- name: config_choices
-- no parameters
SELECT id, option_id, name
FROM config_choices
ORDER BY position, id

-- name: config_choice_prices
-- no parameters
SELECT choice_id AS id, currency, cycle, price, setup
FROM config_choice_prices

-- name: addons
-- no parameters
SELECT id, name, taxed, all_products, retired, prorata
FROM addons
ORDER BY id

-- name: addon_products
-- no parameters
SELECT addon_id, product_id
FROM addon_products
ORDER BY product_id

-- name: addon_prices
-- no parameters
SELECT addon_id AS id, currency, cycle, price, setup
FROM addon_prices

-- name: tlds
-- no parameters
SELECT tld, taxed, epp_required, grace_days, redemption_days
FROM tlds
ORDER BY tld

-- name: tld_late_fees
-- no parameters
SELECT tld, phase, currency, fee
FROM tld_late_fees

-- name: tld_prices
-- no parameters
SELECT tld, currency, kind, years, price
FROM tld_prices
ORDER BY years

-- name: tld_extras
-- no parameters
SELECT tld, currency, extra, price_per_year
FROM tld_extras

-- name: tld_fields
-- no parameters
SELECT tld, name, type, required, options
FROM tld_fields
ORDER BY position, name

-- name: promotions
-- no parameters
SELECT
    id, code, type, value, recurring, recur_for, start_date, end_date, max_uses, once_per_client, new_signups_only,
    existing_clients_only, requires_products, requires_existing, cycles, products, addons, tlds, apply_once
FROM promotions
ORDER BY id

-- name: promotion_values
-- no parameters
SELECT promotion_id, currency, value
FROM promotion_values

-- name: affiliates
-- no parameters
SELECT id, client_id, active
FROM affiliates
ORDER BY id

-- name: credentials
-- no parameters
SELECT
    id,
    identifier,
    secret_hash,
    actions,
    coalesce(caller, 'credential:' || id) AS caller,
    CASE WHEN old_secret_until > now() THEN old_secret_hash END AS old_secret_hash,
    CASE WHEN old_secret_until > now() THEN old_secret_until END AS old_secret_until
FROM api_credentials
WHERE revoked_at IS NULL
ORDER BY identifier

-- name: stock
-- no parameters; for the export only: an order's stock is a fact, not part of the snapshot
SELECT product_id, quantity
FROM product_stock

-- name: promotion_uses
-- no parameters; for the export only
SELECT promotion_id, uses
FROM promotion_uses
