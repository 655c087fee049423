-- name: allocate
-- Ids for everything that is about to be written. $1 orders, $2 services, $3 addons, $4 domains, $5 invoices: how many
SELECT
    ARRAY(SELECT nextval('orders_id_seq') FROM generate_series(1, $1::integer)) AS orders,
    ARRAY(SELECT nextval('services_id_seq') FROM generate_series(1, $2::integer)) AS services,
    ARRAY(SELECT nextval('service_addons_id_seq') FROM generate_series(1, $3::integer)) AS service_addons,
    ARRAY(SELECT nextval('domains_id_seq') FROM generate_series(1, $4::integer)) AS domains,
    ARRAY(SELECT nextval('invoices_id_seq') FROM generate_series(1, $5::integer)) AS invoices

-- name: place
-- Write the orders of a batch with all that is born with them, and what their requests were answered: one round trip,
-- whatever is in it. Foreign keys are checked when the whole is written.
-- Each a json array, with keys as the columns below: $1 orders, $2 services, $3 addons of services, $4 domains,
-- $5 renewals, $6 invoices, $7 invoice lines.
-- $8 ids of requests, $9 outcomes, $10 replays, $11 replies, $12 events: one element each an answer, its events a line
-- each. Not one json array: to take texts of thousands of characters out of it costs more than all the rest.
WITH
ordered AS (
    INSERT INTO orders (
        id, order_number, request_id, client_id, contact_id, status, currency, amount, payment_method, promotion_id,
        promotion_code, promotion_type, promotion_value, affiliate_id, client_ip, notes, nameservers, asked_by,
        catalogue_version, warnings, placed_on, bill
    )
    SELECT
        id, order_number, request_id, client_id, contact_id, 'Pending', currency, amount, payment_method, promotion_id,
        promotion_code, promotion_type, promotion_value, affiliate_id, client_ip, notes, nameservers, asked_by,
        catalogue_version, warnings, placed_on, bill
    FROM json_to_recordset($1::json) AS placed (
        id bigint,
        order_number text,
        request_id bigint,
        client_id bigint,
        contact_id bigint,
        currency text,
        amount numeric,
        payment_method text,
        promotion_id bigint,
        promotion_code text,
        promotion_type text,
        promotion_value numeric,
        affiliate_id bigint,
        client_ip inet,
        notes text,
        nameservers text[],
        asked_by text,
        catalogue_version bigint,
        warnings text[],
        placed_on date,
        bill jsonb
    )
),
new_services AS (
    INSERT INTO services (
        id, order_id, client_id, product_id, domain, cycle, quantity, first_payment, recurring, promotion_id, next_due,
        custom_fields, options, ns1_prefix, ns2_prefix, root_password_encrypted, status
    )
    SELECT
        id, order_id, client_id, product_id, domain, cycle, quantity, first_payment, recurring, promotion_id, next_due,
        custom_fields, options, ns1_prefix, ns2_prefix, decode(root_password_encrypted, 'base64'), 'Pending'
    FROM json_to_recordset($2::json) AS service (
        id bigint,
        order_id bigint,
        client_id bigint,
        product_id bigint,
        domain text,
        cycle text,
        quantity integer,
        first_payment numeric,
        recurring numeric,
        promotion_id bigint,
        next_due date,
        custom_fields jsonb,
        options jsonb,
        ns1_prefix text,
        ns2_prefix text,
        root_password_encrypted text
    )
),
new_addons AS (
    INSERT INTO service_addons (
        id, order_id, service_id, addon_id, cycle, quantity, first_payment, recurring, promotion_id, next_due, status
    )
    SELECT
        id, order_id, service_id, addon_id, cycle, quantity, first_payment, recurring, promotion_id, next_due, 'Pending'
    FROM json_to_recordset($3::json) AS addon (
        id bigint,
        order_id bigint,
        service_id bigint,
        addon_id bigint,
        cycle text,
        quantity integer,
        first_payment numeric,
        recurring numeric,
        promotion_id bigint,
        next_due date
    )
),
new_domains AS (
    INSERT INTO domains (
        id, order_id, client_id, contact_id, name, name_unicode, type, years, extras, first_payment, recurring,
        promotion_id, next_due, nameservers, fields, idn_language, epp_code_encrypted, status
    )
    SELECT
        id, order_id, client_id, contact_id, name, name_unicode, type, years, extras, first_payment, recurring,
        promotion_id, next_due, nameservers, fields, idn_language, decode(epp_code_encrypted, 'base64'), 'Pending'
    FROM json_to_recordset($4::json) AS domain (
        id bigint,
        order_id bigint,
        client_id bigint,
        contact_id bigint,
        name text,
        name_unicode text,
        type text,
        years smallint,
        extras text[],
        first_payment numeric,
        recurring numeric,
        promotion_id bigint,
        next_due date,
        nameservers text[],
        fields jsonb,
        idn_language text,
        epp_code_encrypted text
    )
),
new_renewals AS (
    INSERT INTO renewals (order_id, domain_id, service_id, service_addon_id, years, cycle, amount, status)
    SELECT order_id, domain_id, service_id, service_addon_id, years, cycle, amount, 'Pending'
    FROM json_to_recordset($5::json) AS renewal (
        order_id bigint,
        domain_id bigint,
        service_id bigint,
        service_addon_id bigint,
        years smallint,
        cycle text,
        amount numeric
    )
),
new_invoices AS (
    INSERT INTO invoices (
        id, order_id, client_id, date, due, currency, subtotal, discount, tax, tax2, tax_rate, tax_rate2, tax_inclusive,
        total, payment_method, status, taxes, client, seller, tax_note, proforma
    )
    SELECT
        id, order_id, client_id, date, due, currency, subtotal, discount, tax, tax2, tax_rate, tax_rate2, tax_inclusive,
        total, payment_method, status, taxes, client, seller, tax_note, proforma
    FROM json_to_recordset($6::json) AS invoice (
        id bigint,
        order_id bigint,
        client_id bigint,
        date date,
        due date,
        currency text,
        subtotal numeric,
        discount numeric,
        tax numeric,
        tax2 numeric,
        tax_rate numeric,
        tax_rate2 numeric,
        tax_inclusive boolean,
        total numeric,
        payment_method text,
        status text,
        taxes jsonb,
        client jsonb,
        seller jsonb,
        tax_note text,
        proforma boolean
    )
),
new_invoice_lines AS (
    INSERT INTO invoice_lines (invoice_id, position, kind, item_id, description, amount, taxed)
    SELECT invoice_id, position, kind, item_id, description, amount, taxed
    FROM json_to_recordset($7::json) AS line (
        invoice_id bigint,
        position smallint,
        kind text,
        item_id bigint,
        description text,
        amount numeric,
        taxed boolean
    )
),
remembered AS (
    INSERT INTO answers (request_id, outcome, replays, reply, events)
    SELECT request_id, outcome, replays, reply::json, string_to_array(events, E'\n')
    FROM unnest($8::bigint[], $9::text[], $10::integer[], $11::text[], $12::text[])
        AS answer (request_id, outcome, replays, reply, events)
    ON CONFLICT (request_id) DO UPDATE
    SET
        outcome = EXCLUDED.outcome,
        replays = EXCLUDED.replays,
        reply = EXCLUDED.reply,
        events = EXCLUDED.events,
        answered_at = now(),
        published_at = NULL
)
SELECT

-- name: take_stock
-- $1 product ids, $2 units: one element each a product. Locked in the order of their ids, so that nobody deadlocks.
UPDATE product_stock
SET quantity = product_stock.quantity - taken.units
FROM (
    SELECT product_stock.product_id, wanted.units
    FROM product_stock
    JOIN unnest($1::bigint[], $2::integer[]) AS wanted (product_id, units)
        ON wanted.product_id = product_stock.product_id
    ORDER BY product_stock.product_id
    FOR UPDATE OF product_stock
) AS taken
WHERE product_stock.product_id = taken.product_id

-- name: count_uses
-- $1 promotion ids, $2 uses: one element each a promotion. Locked as above.
UPDATE promotion_uses
SET uses = promotion_uses.uses + counted.uses
FROM (
    SELECT promotion_uses.promotion_id, wanted.uses
    FROM promotion_uses
    JOIN unnest($1::bigint[], $2::integer[]) AS wanted (promotion_id, uses)
        ON wanted.promotion_id = promotion_uses.promotion_id
    ORDER BY promotion_uses.promotion_id
    FOR UPDATE OF promotion_uses
) AS counted
WHERE promotion_uses.promotion_id = counted.promotion_id
