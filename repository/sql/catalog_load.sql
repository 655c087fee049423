-- ---------------------------------------------------------------- what a load must know

-- name: currencies
-- no parameters
SELECT code, digits, is_default
FROM currencies

-- name: look_up
-- $1 what the file mentions (JSON text: an array of {section, key}); returns what exists, with its owner ('': nobody's)
SELECT wanted.section, wanted.key, found.owner
FROM jsonb_to_recordset($1::text::jsonb) AS wanted (section text, key text)
CROSS JOIN LATERAL (
    SELECT CASE wanted.section
        WHEN 'currencies' THEN (SELECT '' FROM currencies WHERE code = wanted.key)
        WHEN 'payment_methods' THEN (SELECT '' FROM payment_methods LIMIT 1)
        WHEN 'client_groups' THEN (SELECT '' FROM client_groups WHERE id = wanted.key::bigint)
        WHEN 'clients' THEN (SELECT '' FROM clients WHERE id = wanted.key::bigint)
        WHEN 'products' THEN (SELECT '' FROM products WHERE id = wanted.key::bigint)
        WHEN 'addons' THEN (SELECT '' FROM addons WHERE id = wanted.key::bigint)
        WHEN 'tlds' THEN (SELECT '' FROM tlds WHERE tld = wanted.key)
        WHEN 'time_zones' THEN (SELECT '' FROM pg_timezone_names WHERE name = wanted.key)
        WHEN 'custom_fields' THEN (SELECT product_id::text FROM custom_fields WHERE id = wanted.key::bigint)
        WHEN 'config_options' THEN (SELECT product_id::text FROM config_options WHERE id = wanted.key::bigint)
        WHEN 'config_choices' THEN (SELECT option_id::text FROM config_choices WHERE id = wanted.key::bigint)
        WHEN 'promotion_codes' THEN (
            SELECT id::text FROM promotions WHERE lower(code) COLLATE "C" = lower(wanted.key)
        )
        WHEN 'orders' THEN (SELECT order_number FROM orders WHERE id = wanted.key::bigint)
        WHEN 'order_numbers' THEN (SELECT id::text FROM orders WHERE order_number = wanted.key)
        WHEN 'services' THEN (SELECT client_id::text FROM services WHERE id = wanted.key::bigint)
        WHEN 'service_addons' THEN (SELECT service_id::text FROM service_addons WHERE id = wanted.key::bigint)
        WHEN 'domains' THEN (SELECT name FROM domains WHERE id = wanted.key::bigint)
    END AS owner
) AS found
WHERE found.owner IS NOT NULL

-- name: has_recurring
-- no parameters; whether there is anything that is paid again and again
SELECT
    EXISTS (SELECT FROM services)
    OR EXISTS (SELECT FROM service_addons)
    OR EXISTS (SELECT FROM domains)

-- name: secret_hashes
-- $1 identifiers (text array); a null hash: the credential was revoked
SELECT
    identifier,
    max(secret_hash) FILTER (WHERE revoked_at IS NULL) AS secret_hash,
    max(old_secret_hash) FILTER (WHERE revoked_at IS NULL) AS old_secret_hash
FROM api_credentials
WHERE identifier = ANY ($1::text[])
GROUP BY identifier

-- ---------------------------------------------------------------- a load
-- Every save_… takes a section of the file as JSON text: an array, one object an entry, keys as the columns. It returns
-- the entries that it changed: their key, and whether the entry itself is new (xmax is 0 in a row that was inserted
-- and not updated). Rows are written in the order of their keys, as orders lock them, so that they can't deadlock.

-- name: save_currencies
-- $1 currencies
INSERT INTO currencies AS kept (code, prefix, suffix, digits, is_default)
SELECT code, prefix, suffix, digits, is_default
FROM jsonb_populate_recordset(NULL::currencies, $1::text::jsonb)
ORDER BY code
ON CONFLICT (code) DO UPDATE
SET (prefix, suffix, digits, is_default) = (excluded.prefix, excluded.suffix, excluded.digits, excluded.is_default)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING code AS key, xmax = 0 AS is_new

-- name: save_default_currency
-- $1 currencies. Run before save_currencies: there is one default at any moment.
UPDATE currencies AS kept
SET is_default = false
FROM jsonb_populate_recordset(NULL::currencies, $1::text::jsonb) AS given
WHERE given.is_default
    AND kept.is_default
    AND kept.code <> given.code
RETURNING kept.code AS key, false AS is_new

-- name: save_payment_methods
-- $1 payment methods
INSERT INTO payment_methods AS kept (name, display_name, active, position)
SELECT name, display_name, active, position
FROM jsonb_populate_recordset(NULL::payment_methods, $1::text::jsonb)
ORDER BY name
ON CONFLICT (name) DO UPDATE
SET (display_name, active, position) = (excluded.display_name, excluded.active, excluded.position)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING name AS key, xmax = 0 AS is_new

-- name: save_client_groups
-- $1 client groups
INSERT INTO client_groups AS kept (id, name, discount_percent)
SELECT id, name, discount_percent
FROM jsonb_populate_recordset(NULL::client_groups, $1::text::jsonb)
ORDER BY id
ON CONFLICT (id) DO UPDATE
SET (name, discount_percent) = (excluded.name, excluded.discount_percent)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING id AS key, xmax = 0 AS is_new

-- name: save_tax_rules
-- $1 tax rules
INSERT INTO tax_rules AS kept (id, level, name, country, state, state_aliases, rate, compound)
SELECT id, level, name, country, state, state_aliases, rate, compound
FROM jsonb_populate_recordset(NULL::tax_rules, $1::text::jsonb)
ORDER BY id
ON CONFLICT (id) DO UPDATE
SET (level, name, country, state, state_aliases, rate, compound) = (
    excluded.level, excluded.name, excluded.country, excluded.state, excluded.state_aliases, excluded.rate,
    excluded.compound
)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING id AS key, xmax = 0 AS is_new

-- name: delete_tax_rules
-- $1 ids. Of a rollback: nothing refers to them, and one that stayed would stand before a rule that is less particular.
DELETE FROM tax_rules
WHERE id = ANY ($1::bigint[])

-- name: save_products
-- $1 products
INSERT INTO products AS kept (
    id, name, type, pay_type, taxed, retired, quantity_rule, stock_controlled, prorata_day, prorata_charge_next_month,
    free_domain_cycles, free_domain_tlds, free_domain_kind
)
SELECT
    given.id, given.name, given.type, given.pay_type, given.taxed, given.retired, given.quantity_rule,
    given.stock_controlled, given.prorata_day, given.prorata_charge_next_month, given.free_domain_cycles,
    given.free_domain_tlds, given.free_domain_kind
FROM jsonb_array_elements($1::text::jsonb) AS entry
CROSS JOIN LATERAL jsonb_populate_record(
    NULL::products,
    entry || jsonb_build_object(
        'prorata_day', entry #> '{prorata,day}',
        'prorata_charge_next_month', entry #> '{prorata,charge_next_month}',
        'free_domain_cycles', coalesce(entry #> '{free_domain,cycles}', '[]'),
        'free_domain_tlds', coalesce(entry #> '{free_domain,tlds}', '[]'),
        'free_domain_kind', coalesce(entry #> '{free_domain,kind}', '"once"')
    )
) AS given
ORDER BY given.id
ON CONFLICT (id) DO UPDATE
SET (
    name, type, pay_type, taxed, retired, quantity_rule, stock_controlled, prorata_day, prorata_charge_next_month,
    free_domain_cycles, free_domain_tlds, free_domain_kind
) = (
    excluded.name, excluded.type, excluded.pay_type, excluded.taxed, excluded.retired, excluded.quantity_rule,
    excluded.stock_controlled, excluded.prorata_day, excluded.prorata_charge_next_month, excluded.free_domain_cycles,
    excluded.free_domain_tlds, excluded.free_domain_kind
)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING id AS key, xmax = 0 AS is_new

-- name: save_product_stock
-- $1 products. Only the first time that a product is under stock control: from then on its sales count it down.
INSERT INTO product_stock (product_id, quantity)
SELECT id, stock_quantity
FROM jsonb_to_recordset($1::text::jsonb) AS product (id bigint, stock_controlled boolean, stock_quantity integer)
WHERE stock_controlled
ORDER BY id
ON CONFLICT (product_id) DO NOTHING
RETURNING product_id AS key, false AS is_new

-- name: save_product_prices
-- $1 products. A null price is not offered: its row goes.
WITH given AS (
    SELECT product.id AS product_id, currency.key AS currency, cycle.key AS cycle, amount.price, amount.setup
    FROM jsonb_to_recordset($1::text::jsonb) AS product (id bigint, prices jsonb)
    CROSS JOIN LATERAL jsonb_each(product.prices) AS currency
    CROSS JOIN LATERAL jsonb_each(currency.value) AS cycle
    CROSS JOIN LATERAL jsonb_to_record(cycle.value) AS amount (price numeric, setup numeric)
),
withdrawn AS (
    DELETE FROM product_prices AS kept
    USING given
    WHERE given.price IS NULL
        AND (kept.product_id, kept.currency, kept.cycle) = (given.product_id, given.currency, given.cycle)
    RETURNING kept.product_id
),
saved AS (
    INSERT INTO product_prices AS kept (product_id, currency, cycle, price, setup)
    SELECT product_id, currency, cycle, price, setup
    FROM given
    WHERE price IS NOT NULL
    ORDER BY product_id, currency, cycle
    ON CONFLICT (product_id, currency, cycle) DO UPDATE
    SET (price, setup) = (excluded.price, excluded.setup)
    WHERE kept.* IS DISTINCT FROM excluded.*
    RETURNING kept.product_id
)
SELECT product_id AS key, false AS is_new
FROM (SELECT product_id FROM withdrawn UNION SELECT product_id FROM saved) AS changed

-- name: save_custom_fields
-- $1 products
INSERT INTO custom_fields AS kept (id, product_id, name, type, required, options, position)
SELECT given.id, product.id, given.name, given.type, given.required, given.options, field.position
FROM jsonb_to_recordset($1::text::jsonb) AS product (id bigint, custom_fields jsonb)
CROSS JOIN LATERAL jsonb_array_elements(product.custom_fields) WITH ORDINALITY AS field (value, position)
CROSS JOIN LATERAL jsonb_populate_record(NULL::custom_fields, field.value) AS given
ORDER BY given.id
ON CONFLICT (id) DO UPDATE
SET (name, type, required, options, position)
    = (excluded.name, excluded.type, excluded.required, excluded.options, excluded.position)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING kept.product_id AS key, false AS is_new

-- name: save_config_options
-- $1 products
INSERT INTO config_options AS kept (id, product_id, name, type, quantity_min, quantity_max, position)
SELECT given.id, product.id, given.name, given.type, given.quantity_min, given.quantity_max, option.position
FROM jsonb_to_recordset($1::text::jsonb) AS product (id bigint, config_options jsonb)
CROSS JOIN LATERAL jsonb_array_elements(product.config_options) WITH ORDINALITY AS option (value, position)
CROSS JOIN LATERAL jsonb_populate_record(NULL::config_options, option.value) AS given
ORDER BY given.id
ON CONFLICT (id) DO UPDATE
SET (name, type, quantity_min, quantity_max, position)
    = (excluded.name, excluded.type, excluded.quantity_min, excluded.quantity_max, excluded.position)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING kept.product_id AS key, false AS is_new

-- name: save_config_choices
-- $1 products
INSERT INTO config_choices AS kept (id, option_id, name, position)
SELECT given.id, option.id, given.name, choice.position
FROM jsonb_to_recordset($1::text::jsonb) AS product (config_options jsonb)
CROSS JOIN LATERAL jsonb_to_recordset(product.config_options) AS option (id bigint, choices jsonb)
CROSS JOIN LATERAL jsonb_array_elements(option.choices) WITH ORDINALITY AS choice (value, position)
CROSS JOIN LATERAL jsonb_populate_record(NULL::config_choices, choice.value) AS given
ORDER BY given.id
ON CONFLICT (id) DO UPDATE
SET (name, position) = (excluded.name, excluded.position)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING (SELECT product_id FROM config_options WHERE config_options.id = kept.option_id) AS key, false AS is_new

-- name: save_config_choice_prices
-- $1 products. A null price is not offered: its row goes.
WITH given AS (
    SELECT choice.id AS choice_id, currency.key AS currency, cycle.key AS cycle, amount.price, amount.setup
    FROM jsonb_to_recordset($1::text::jsonb) AS product (config_options jsonb)
    CROSS JOIN LATERAL jsonb_to_recordset(product.config_options) AS option (choices jsonb)
    CROSS JOIN LATERAL jsonb_to_recordset(option.choices) AS choice (id bigint, prices jsonb)
    CROSS JOIN LATERAL jsonb_each(choice.prices) AS currency
    CROSS JOIN LATERAL jsonb_each(currency.value) AS cycle
    CROSS JOIN LATERAL jsonb_to_record(cycle.value) AS amount (price numeric, setup numeric)
),
withdrawn AS (
    DELETE FROM config_choice_prices AS kept
    USING given
    WHERE given.price IS NULL
        AND (kept.choice_id, kept.currency, kept.cycle) = (given.choice_id, given.currency, given.cycle)
    RETURNING kept.choice_id
),
saved AS (
    INSERT INTO config_choice_prices AS kept (choice_id, currency, cycle, price, setup)
    SELECT choice_id, currency, cycle, price, setup
    FROM given
    WHERE price IS NOT NULL
    ORDER BY choice_id, currency, cycle
    ON CONFLICT (choice_id, currency, cycle) DO UPDATE
    SET (price, setup) = (excluded.price, excluded.setup)
    WHERE kept.* IS DISTINCT FROM excluded.*
    RETURNING kept.choice_id
)
SELECT config_options.product_id AS key, false AS is_new
FROM (SELECT choice_id FROM withdrawn UNION SELECT choice_id FROM saved) AS changed
JOIN config_choices ON config_choices.id = changed.choice_id
JOIN config_options ON config_options.id = config_choices.option_id

-- name: save_addons
-- $1 addons. No list of products: offered with all of them.
INSERT INTO addons AS kept (id, name, taxed, all_products, retired, prorata)
SELECT id, name, taxed, products IS NULL, retired, prorata
FROM jsonb_to_recordset($1::text::jsonb) AS addon (
    id bigint, name text, taxed boolean, products bigint[], retired boolean, prorata boolean
)
ORDER BY id
ON CONFLICT (id) DO UPDATE
SET (name, taxed, all_products, retired, prorata)
    = (excluded.name, excluded.taxed, excluded.all_products, excluded.retired, excluded.prorata)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING id AS key, xmax = 0 AS is_new

-- name: save_addon_products
-- $1 addons. The list is a value of the addon, so it is replaced: a product that has left it goes.
WITH given AS (
    SELECT id, products
    FROM jsonb_to_recordset($1::text::jsonb) AS addon (id bigint, products bigint[])
),
taken_off AS (
    DELETE FROM addon_products AS kept
    USING given
    WHERE kept.addon_id = given.id
        AND kept.product_id <> ALL (coalesce(given.products, '{}'))
    RETURNING kept.addon_id
),
added AS (
    INSERT INTO addon_products (addon_id, product_id)
    SELECT given.id, product_id
    FROM given
    CROSS JOIN LATERAL unnest(given.products) AS product_id
    ORDER BY given.id, product_id
    ON CONFLICT (addon_id, product_id) DO NOTHING
    RETURNING addon_id
)
SELECT addon_id AS key, false AS is_new
FROM (SELECT addon_id FROM taken_off UNION SELECT addon_id FROM added) AS changed

-- name: save_addon_prices
-- $1 addons. A null price is not offered: its row goes.
WITH given AS (
    SELECT addon.id AS addon_id, currency.key AS currency, cycle.key AS cycle, amount.price, amount.setup
    FROM jsonb_to_recordset($1::text::jsonb) AS addon (id bigint, prices jsonb)
    CROSS JOIN LATERAL jsonb_each(addon.prices) AS currency
    CROSS JOIN LATERAL jsonb_each(currency.value) AS cycle
    CROSS JOIN LATERAL jsonb_to_record(cycle.value) AS amount (price numeric, setup numeric)
),
withdrawn AS (
    DELETE FROM addon_prices AS kept
    USING given
    WHERE given.price IS NULL
        AND (kept.addon_id, kept.currency, kept.cycle) = (given.addon_id, given.currency, given.cycle)
    RETURNING kept.addon_id
),
saved AS (
    INSERT INTO addon_prices AS kept (addon_id, currency, cycle, price, setup)
    SELECT addon_id, currency, cycle, price, setup
    FROM given
    WHERE price IS NOT NULL
    ORDER BY addon_id, currency, cycle
    ON CONFLICT (addon_id, currency, cycle) DO UPDATE
    SET (price, setup) = (excluded.price, excluded.setup)
    WHERE kept.* IS DISTINCT FROM excluded.*
    RETURNING kept.addon_id
)
SELECT addon_id AS key, false AS is_new
FROM (SELECT addon_id FROM withdrawn UNION SELECT addon_id FROM saved) AS changed

-- name: save_tlds
-- $1 TLDs
INSERT INTO tlds AS kept (tld, taxed, epp_required, grace_days, redemption_days)
SELECT
    entry ->> 'tld', (entry ->> 'taxed')::boolean, (entry ->> 'epp_required')::boolean,
    (entry #>> '{grace,days}')::smallint, (entry #>> '{redemption,days}')::smallint
FROM jsonb_array_elements($1::text::jsonb) AS entry
ORDER BY 1
ON CONFLICT (tld) DO UPDATE
SET (taxed, epp_required, grace_days, redemption_days)
    = (excluded.taxed, excluded.epp_required, excluded.grace_days, excluded.redemption_days)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING tld AS key, xmax = 0 AS is_new

-- name: save_tld_late_fees
-- $1 TLDs. The fees are a value of the TLD, so they are replaced: one that has left them goes.
WITH given AS (
    SELECT entry ->> 'tld' AS tld, phase, fee.key AS currency, fee.value::numeric AS fee
    FROM jsonb_array_elements($1::text::jsonb) AS entry
    CROSS JOIN unnest(ARRAY['grace', 'redemption']) AS phase
    CROSS JOIN LATERAL jsonb_each_text(coalesce(entry #> ARRAY[phase, 'fee'], '{}')) AS fee
    WHERE fee.value IS NOT NULL
),
withdrawn AS (
    DELETE FROM tld_late_fees AS kept
    USING jsonb_array_elements($1::text::jsonb) AS entry
    WHERE kept.tld = entry ->> 'tld'
        AND NOT EXISTS (
            SELECT
            FROM given
            WHERE (given.tld, given.phase, given.currency) = (kept.tld, kept.phase, kept.currency)
        )
    RETURNING kept.tld
),
saved AS (
    INSERT INTO tld_late_fees AS kept (tld, phase, currency, fee)
    SELECT tld, phase, currency, fee
    FROM given
    ORDER BY tld, phase, currency
    ON CONFLICT (tld, phase, currency) DO UPDATE
    SET fee = excluded.fee
    WHERE kept.* IS DISTINCT FROM excluded.*
    RETURNING kept.tld
)
SELECT tld AS key, false AS is_new
FROM (SELECT tld FROM withdrawn UNION SELECT tld FROM saved) AS changed

-- name: save_tld_prices
-- $1 TLDs. A null price is not offered: its row goes.
WITH given AS (
    SELECT domain.tld, currency.key AS currency, kind.key AS kind, term.key::smallint AS years,
        term.value::numeric AS price
    FROM jsonb_to_recordset($1::text::jsonb) AS domain (tld text, prices jsonb)
    CROSS JOIN LATERAL jsonb_each(domain.prices) AS currency
    CROSS JOIN LATERAL jsonb_each(currency.value) AS kind
    CROSS JOIN LATERAL jsonb_each_text(kind.value) AS term
),
withdrawn AS (
    DELETE FROM tld_prices AS kept
    USING given
    WHERE given.price IS NULL
        AND (kept.tld, kept.currency, kept.kind, kept.years) = (given.tld, given.currency, given.kind, given.years)
    RETURNING kept.tld
),
saved AS (
    INSERT INTO tld_prices AS kept (tld, currency, kind, years, price)
    SELECT tld, currency, kind, years, price
    FROM given
    WHERE price IS NOT NULL
    ORDER BY tld, currency, kind, years
    ON CONFLICT (tld, currency, kind, years) DO UPDATE
    SET price = excluded.price
    WHERE kept.* IS DISTINCT FROM excluded.*
    RETURNING kept.tld
)
SELECT tld AS key, false AS is_new
FROM (SELECT tld FROM withdrawn UNION SELECT tld FROM saved) AS changed

-- name: save_tld_extras
-- $1 TLDs. A null price is not offered: its row goes.
WITH given AS (
    SELECT domain.tld, currency.key AS currency, extra.key AS extra, extra.value::numeric AS price_per_year
    FROM jsonb_to_recordset($1::text::jsonb) AS domain (tld text, extras jsonb)
    CROSS JOIN LATERAL jsonb_each(domain.extras) AS currency
    CROSS JOIN LATERAL jsonb_each_text(currency.value) AS extra
),
withdrawn AS (
    DELETE FROM tld_extras AS kept
    USING given
    WHERE given.price_per_year IS NULL
        AND (kept.tld, kept.currency, kept.extra) = (given.tld, given.currency, given.extra)
    RETURNING kept.tld
),
saved AS (
    INSERT INTO tld_extras AS kept (tld, currency, extra, price_per_year)
    SELECT tld, currency, extra, price_per_year
    FROM given
    WHERE price_per_year IS NOT NULL
    ORDER BY tld, currency, extra
    ON CONFLICT (tld, currency, extra) DO UPDATE
    SET price_per_year = excluded.price_per_year
    WHERE kept.* IS DISTINCT FROM excluded.*
    RETURNING kept.tld
)
SELECT tld AS key, false AS is_new
FROM (SELECT tld FROM withdrawn UNION SELECT tld FROM saved) AS changed

-- name: save_tld_fields
-- $1 TLDs
INSERT INTO tld_fields AS kept (tld, name, type, required, options, position)
SELECT domain.tld, given.name, given.type, given.required, given.options, field.position
FROM jsonb_to_recordset($1::text::jsonb) AS domain (tld text, fields jsonb)
CROSS JOIN LATERAL jsonb_array_elements(domain.fields) WITH ORDINALITY AS field (value, position)
CROSS JOIN LATERAL jsonb_populate_record(NULL::tld_fields, field.value) AS given
ORDER BY domain.tld, given.name
ON CONFLICT (tld, name) DO UPDATE
SET (type, required, options, position) = (excluded.type, excluded.required, excluded.options, excluded.position)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING kept.tld AS key, false AS is_new

-- name: save_promotions
-- $1 promotions
INSERT INTO promotions AS kept (
    id, code, type, value, recurring, recur_for, start_date, end_date, max_uses, once_per_client, new_signups_only,
    existing_clients_only, requires_products, requires_existing, cycles, products, addons, tlds, apply_once
)
SELECT
    given.id, given.code, given.type, given.value, given.recurring, given.recur_for, given.start_date, given.end_date,
    given.max_uses, given.once_per_client, given.new_signups_only, given.existing_clients_only,
    given.requires_products, given.requires_existing, given.cycles, given.products, given.addons, given.tlds,
    given.apply_once
FROM jsonb_array_elements($1::text::jsonb) AS entry
CROSS JOIN LATERAL jsonb_populate_record(NULL::promotions, entry || (entry -> 'applies_to')) AS given
ORDER BY given.id
ON CONFLICT (id) DO UPDATE
SET (
    code, type, value, recurring, recur_for, start_date, end_date, max_uses, once_per_client, new_signups_only,
    existing_clients_only, requires_products, requires_existing, cycles, products, addons, tlds, apply_once
) = (
    excluded.code, excluded.type, excluded.value, excluded.recurring, excluded.recur_for, excluded.start_date,
    excluded.end_date, excluded.max_uses, excluded.once_per_client, excluded.new_signups_only,
    excluded.existing_clients_only, excluded.requires_products, excluded.requires_existing, excluded.cycles,
    excluded.products, excluded.addons, excluded.tlds, excluded.apply_once
)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING id AS key, xmax = 0 AS is_new

-- name: save_promotion_values
-- $1 promotions. A null value is none for that currency: its row goes.
WITH given AS (
    SELECT promotion.id AS promotion_id, amount.key AS currency, amount.value::numeric AS value
    FROM jsonb_to_recordset($1::text::jsonb) AS promotion (id bigint, values jsonb)
    CROSS JOIN LATERAL jsonb_each_text(promotion.values) AS amount
),
withdrawn AS (
    DELETE FROM promotion_values AS kept
    USING given
    WHERE given.value IS NULL
        AND (kept.promotion_id, kept.currency) = (given.promotion_id, given.currency)
    RETURNING kept.promotion_id
),
saved AS (
    INSERT INTO promotion_values AS kept (promotion_id, currency, value)
    SELECT promotion_id, currency, value
    FROM given
    WHERE value IS NOT NULL
    ORDER BY promotion_id, currency
    ON CONFLICT (promotion_id, currency) DO UPDATE
    SET value = excluded.value
    WHERE kept.* IS DISTINCT FROM excluded.*
    RETURNING kept.promotion_id
)
SELECT promotion_id AS key, false AS is_new
FROM (SELECT promotion_id FROM withdrawn UNION SELECT promotion_id FROM saved) AS changed

-- name: save_promotion_uses
-- $1 promotions. Uses are set once, then orders count them. A limit below the uses so far ends the promotion: it is
-- kept as these uses, because a promotion is never oversold.
INSERT INTO promotion_uses AS kept (promotion_id, uses, max_uses)
SELECT id, CASE WHEN max_uses = 0 THEN uses ELSE least(uses, max_uses) END, max_uses
FROM jsonb_to_recordset($1::text::jsonb) AS promotion (id bigint, uses integer, max_uses integer)
ORDER BY id
ON CONFLICT (promotion_id) DO UPDATE
SET max_uses = CASE WHEN excluded.max_uses = 0 THEN 0 ELSE greatest(excluded.max_uses, kept.uses) END
WHERE kept.max_uses <> CASE WHEN excluded.max_uses = 0 THEN 0 ELSE greatest(excluded.max_uses, kept.uses) END
RETURNING promotion_id AS key, false AS is_new

-- name: save_clients
-- $1 clients. What an entry does not name stays as it is.
INSERT INTO clients AS kept (
    id, first_name, last_name, company_name, email, language, address1, address2, city, postcode, state, country,
    phonenumber, tax_id, currency, tax_exempt, group_id, credit, status
)
SELECT
    given.id, given.first_name, given.last_name, given.company_name, given.email, given.language, given.address1,
    coalesce(given.address2, there.address2), given.city, given.postcode, given.state, given.country,
    coalesce(given.phonenumber, there.phonenumber), coalesce(given.tax_id, there.tax_id), given.currency,
    given.tax_exempt, given.group_id, given.credit, given.status
FROM jsonb_populate_recordset(NULL::clients, $1::text::jsonb) AS given
LEFT JOIN clients AS there ON there.id = given.id
ORDER BY given.id
ON CONFLICT (id) DO UPDATE
SET (
    first_name, last_name, company_name, email, language, address1, address2, city, postcode, state, country,
    phonenumber, tax_id, currency, tax_exempt, group_id, credit, status
) = (
    excluded.first_name, excluded.last_name, excluded.company_name, excluded.email, excluded.language,
    excluded.address1, excluded.address2, excluded.city, excluded.postcode, excluded.state, excluded.country,
    excluded.phonenumber, excluded.tax_id, excluded.currency, excluded.tax_exempt, excluded.group_id, excluded.credit,
    excluded.status
)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING id AS key, xmax = 0 AS is_new

-- name: save_contacts
-- $1 contacts
INSERT INTO contacts AS kept (id, client_id, first_name, last_name, company_name, email)
SELECT id, client_id, first_name, last_name, company_name, email
FROM jsonb_populate_recordset(NULL::contacts, $1::text::jsonb)
ORDER BY id
ON CONFLICT (id) DO UPDATE
SET (client_id, first_name, last_name, company_name, email)
    = (excluded.client_id, excluded.first_name, excluded.last_name, excluded.company_name, excluded.email)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING id AS key, xmax = 0 AS is_new

-- name: save_affiliates
-- $1 affiliates
INSERT INTO affiliates AS kept (id, client_id, active)
SELECT id, client_id, active
FROM jsonb_populate_recordset(NULL::affiliates, $1::text::jsonb)
ORDER BY id
ON CONFLICT (id) DO UPDATE
SET (client_id, active) = (excluded.client_id, excluded.active)
WHERE kept.* IS DISTINCT FROM excluded.*
RETURNING id AS key, xmax = 0 AS is_new

-- name: save_api_credentials
-- $1 credentials with their hashes
INSERT INTO api_credentials AS kept (identifier, secret_hash, actions)
SELECT identifier, secret_hash, actions
FROM jsonb_populate_recordset(NULL::api_credentials, $1::text::jsonb)
ORDER BY identifier
ON CONFLICT (identifier) WHERE revoked_at IS NULL DO UPDATE
SET (secret_hash, actions) = (excluded.secret_hash, excluded.actions)
WHERE (kept.secret_hash, kept.actions) IS DISTINCT FROM (excluded.secret_hash, excluded.actions)
RETURNING identifier AS key, xmax = 0 AS is_new

-- name: save_orders
-- $1 earlier orders. What they were made of is not told: no amount, and the first payment method stands for the one
-- they were placed with.
INSERT INTO orders (
    id, order_number, client_id, status, placed_at, placed_on, currency, amount, payment_method, promotion_id,
    promotion_code, promotion_type, promotion_value
)
SELECT
    given.id, given.order_number, given.client_id, given.status, given.placed_on AT TIME ZONE 'UTC', given.placed_on,
    clients.currency, 0, method.name, promotions.id, promotions.code, promotions.type, promotions.value
FROM jsonb_to_recordset($1::text::jsonb) AS given (
    id bigint,
    order_number text,
    client_id bigint,
    status text,
    placed_on timestamp,
    promotion text
)
JOIN clients ON clients.id = given.client_id
LEFT JOIN promotions ON lower(promotions.code) COLLATE "C" = lower(given.promotion)
CROSS JOIN (SELECT name FROM payment_methods ORDER BY active DESC, position, name LIMIT 1) AS method
ORDER BY given.id
ON CONFLICT (id) DO NOTHING
RETURNING id AS key, true AS is_new

-- name: save_services
-- $1 services
INSERT INTO services (
    id, client_id, product_id, domain, cycle, quantity, first_payment, recurring, recurring_full, discounts_left,
    next_due, period_end, renewable, status
)
SELECT
    id, client_id, product_id, domain, cycle, quantity, recurring, recurring, recurring_full, discounts_left,
    next_due, period_end, renewable, status
FROM jsonb_populate_recordset(NULL::services, $1::text::jsonb)
ORDER BY id
ON CONFLICT (id) DO NOTHING
RETURNING id AS key, true AS is_new

-- name: save_service_addons
-- $1 addons of services; they fall due with their service
INSERT INTO service_addons (
    id, service_id, addon_id, cycle, quantity, first_payment, recurring, recurring_full, discounts_left, next_due,
    period_end, renewable, status
)
SELECT
    given.id, given.service_id, given.addon_id, given.cycle, 1, given.recurring, given.recurring,
    given.recurring_full, given.discounts_left, services.next_due, given.period_end, given.renewable, given.status
FROM jsonb_populate_recordset(NULL::service_addons, $1::text::jsonb) AS given
JOIN services ON services.id = given.service_id
ORDER BY given.id
ON CONFLICT (id) DO NOTHING
RETURNING id AS key, true AS is_new

-- name: save_domains
-- $1 domains; they fall due when they expire
INSERT INTO domains (
    id, client_id, name, name_unicode, years, first_payment, recurring, next_due, expires, period_end, free_with, status
)
SELECT
    id, client_id, name, name_unicode, years, coalesce(recurring, 0), recurring, expires, expires, period_end, free_with,
    status
FROM jsonb_populate_recordset(NULL::domains, $1::text::jsonb)
ORDER BY id
ON CONFLICT (id) DO NOTHING
RETURNING id AS key, true AS is_new

-- name: raise_sequence
-- $1 table, $2 the highest id that was loaded into it: rows made later take higher ones
SELECT setval(sequence::regclass, $2)
FROM pg_get_serial_sequence($1, 'id') AS sequence
WHERE nextval(sequence::regclass) <= $2
