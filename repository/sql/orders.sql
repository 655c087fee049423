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
-- $5 renewals, $6 invoices, $7 invoice lines, $8 what the orders take that is counted.
-- $9 ids of requests, $10 outcomes, $11 replays, $12 replies, $13 events: one element each an answer, its events a line
-- each. Not one json array: to take texts of thousands of characters out of it costs more than all the rest.
WITH
ordered AS (
    INSERT INTO orders (
        id, order_number, request_id, client_id, contact_id, status, currency, amount, payment_method, promotion_id,
        promotion_code, promotion_type, promotion_value, affiliate_id, client_ip, notes, nameservers, asked_by,
        catalogue_version, warnings, placed_on, takes_written, bill
    )
    SELECT
        id, order_number, request_id, client_id, contact_id, 'Pending', currency, amount, payment_method, promotion_id,
        promotion_code, promotion_type, promotion_value, affiliate_id, client_ip, notes, nameservers, asked_by,
        catalogue_version, warnings, placed_on, takes_written, bill
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
        takes_written boolean,
        bill jsonb
    )
),
new_services AS (
    INSERT INTO services (
        id, order_id, client_id, product_id, domain, cycle, quantity, first_payment, recurring, recurring_full,
        discounts_left, promotion_id, next_due, period_end, custom_fields, options, ns1_prefix, ns2_prefix, root_password_encrypted, status
    )
    SELECT
        id, order_id, client_id, product_id, domain, cycle, quantity, first_payment, recurring, recurring_full,
        discounts_left, promotion_id, next_due, period_end, custom_fields, options, ns1_prefix, ns2_prefix, decode(root_password_encrypted, 'base64'), 'Pending'
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
        recurring_full numeric,
        discounts_left integer,
        promotion_id bigint,
        next_due date,
        period_end date,
        custom_fields jsonb,
        options jsonb,
        ns1_prefix text,
        ns2_prefix text,
        root_password_encrypted text
    )
),
new_addons AS (
    INSERT INTO service_addons (
        id, order_id, service_id, addon_id, cycle, quantity, first_payment, recurring, recurring_full, discounts_left,
        promotion_id, next_due, period_end, status
    )
    SELECT
        id, order_id, service_id, addon_id, cycle, quantity, first_payment, recurring, recurring_full, discounts_left,
        promotion_id, next_due, period_end, 'Pending'
    FROM json_to_recordset($3::json) AS addon (
        id bigint,
        order_id bigint,
        service_id bigint,
        addon_id bigint,
        cycle text,
        quantity integer,
        first_payment numeric,
        recurring numeric,
        recurring_full numeric,
        discounts_left integer,
        promotion_id bigint,
        next_due date,
        period_end date
    )
),
new_domains AS (
    INSERT INTO domains (
        id, order_id, client_id, contact_id, name, name_unicode, type, years, extras, first_payment, recurring,
        recurring_full, discounts_left, promotion_id, next_due, period_end, free_with, nameservers, fields, idn_language, epp_code_encrypted, status
    )
    SELECT
        id, order_id, client_id, contact_id, name, name_unicode, type, years, extras, first_payment, recurring,
        recurring_full, discounts_left, promotion_id, next_due, period_end, free_with, nameservers, fields, idn_language, decode(epp_code_encrypted, 'base64'), 'Pending'
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
        recurring_full numeric,
        discounts_left integer,
        promotion_id bigint,
        next_due date,
        period_end date,
        free_with bigint,
        nameservers text[],
        fields jsonb,
        idn_language text,
        epp_code_encrypted text
    )
),
new_renewals AS (
    INSERT INTO renewals (
        order_id, domain_id, service_id, service_addon_id, years, cycle, amount, period_start, period_end, late_fee, status
    )
    SELECT
        order_id, domain_id, service_id, service_addon_id, years, cycle, amount, period_start, period_end, late_fee, status
    FROM json_to_recordset($5::json) AS renewal (
        order_id bigint,
        domain_id bigint,
        service_id bigint,
        service_addon_id bigint,
        years smallint,
        cycle text,
        amount numeric,
        period_start date,
        period_end date,
        late_fee numeric,
        status text
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
taken AS (
    INSERT INTO order_takes (order_id, kind, thing_id, units)
    SELECT order_id, kind, thing_id, units
    FROM json_to_recordset($8::json) AS take (order_id bigint, kind text, thing_id bigint, units integer)
),
remembered AS (
    INSERT INTO answers (request_id, outcome, replays, reply, events)
    SELECT request_id, outcome, replays, reply::json, string_to_array(events, E'\n')
    FROM unnest($9::bigint[], $10::text[], $11::integer[], $12::text[], $13::text[])
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
-- $1 product ids, $2 units, negative to give back: one element each a product. Locked in the order of their ids, so that nobody deadlocks.
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
-- $1 promotion ids, $2 uses, negative to give back: one element each a promotion. Locked as above. A limit that is below
-- the uses is kept as these uses: what is given back does not open such a code again.
UPDATE promotion_uses
SET
    uses = promotion_uses.uses + counted.uses,
    max_uses = CASE
        WHEN counted.uses < 0 AND promotion_uses.max_uses > 0
            THEN least(promotion_uses.max_uses, greatest(counted.max_uses, promotion_uses.uses + counted.uses))
        ELSE promotion_uses.max_uses
    END
FROM (
    SELECT promotion_uses.promotion_id, wanted.uses, promotions.max_uses
    FROM promotion_uses
    JOIN promotions ON promotions.id = promotion_uses.promotion_id
    JOIN unnest($1::bigint[], $2::integer[]) AS wanted (promotion_id, uses)
        ON wanted.promotion_id = promotion_uses.promotion_id
    ORDER BY promotion_uses.promotion_id
    FOR UPDATE OF promotion_uses
) AS counted
WHERE promotion_uses.promotion_id = counted.promotion_id

-- name: take_service_discounts
-- $1 service ids, $2 how many, negative to give back: one element each a service. Their rows are locked.
UPDATE services
SET discounts_left = services.discounts_left - taken.units
FROM unnest($1::bigint[], $2::integer[]) AS taken (id, units)
WHERE services.id = taken.id

-- name: take_addon_discounts
-- $1 ids of addons of services, $2 how many: as above.
UPDATE service_addons
SET discounts_left = service_addons.discounts_left - taken.units
FROM unnest($1::bigint[], $2::integer[]) AS taken (id, units)
WHERE service_addons.id = taken.id

-- name: move_periods
-- What is renewed by orders that are paid as they are placed. $1 a json array of renewals, as in place
WITH renewed AS (
    SELECT domain_id, service_id, service_addon_id, period_end
    FROM json_to_recordset($1::json) AS renewal (
        domain_id bigint, service_id bigint, service_addon_id bigint, period_end date
    )
),
services_renewed AS (
    UPDATE services
    SET next_due = renewed.period_end + 1, period_end = renewed.period_end
    FROM renewed
    WHERE services.id = renewed.service_id
),
addons_renewed AS (
    UPDATE service_addons
    SET next_due = renewed.period_end + 1, period_end = renewed.period_end
    FROM renewed
    WHERE service_addons.id = renewed.service_addon_id
)
UPDATE domains
SET next_due = renewed.period_end + 1, period_end = renewed.period_end
FROM renewed
WHERE domains.id = renewed.domain_id

-- name: cancel
-- Cancel orders that others take the place of, with what hangs on them. Their rows are locked.
-- $1 a json array, one object an order: id, request_id, asked_by, from_status, details
-- $2 a json array of what they give back: order_id, kind, thing_id, units
WITH changed AS (
    SELECT id, request_id, from_status, asked_by, details
    FROM json_to_recordset($1::json) AS change (
        id bigint, request_id bigint, from_status text, asked_by text, details jsonb
    )
),
cancelled_orders AS (
    UPDATE orders
    SET status = 'Cancelled', takes_written = true
    FROM changed
    WHERE orders.id = changed.id
),
cancelled_renewals AS (
    UPDATE renewals
    SET status = 'Cancelled'
    FROM changed
    WHERE renewals.order_id = changed.id AND renewals.status = 'Pending'
),
cancelled_invoices AS (
    UPDATE invoices
    SET status = 'Cancelled'
    FROM changed
    WHERE invoices.order_id = changed.id AND invoices.status = 'Unpaid'
),
released AS (
    INSERT INTO order_takes AS kept (order_id, kind, thing_id, units, released_at)
    SELECT order_id, kind, thing_id, units, now()
    FROM json_to_recordset($2::json) AS take (order_id bigint, kind text, thing_id bigint, units integer)
    ON CONFLICT (order_id, kind, thing_id) DO UPDATE
    SET released_at = excluded.released_at
)
INSERT INTO order_history (order_id, request_id, from_status, to_status, asked_by, details)
SELECT id, request_id, from_status, 'Cancelled', asked_by, details
FROM changed
