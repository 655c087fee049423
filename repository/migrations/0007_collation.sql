-- Keys of text are ordered by their bytes (COLLATE "C"), whatever the collation of the database is: under another release
-- of that, an index is in a wrong order, and finds neither repeats nor doubles.
-- The new indexes of tables that grow are built beside workers; the transaction that takes them into use reads no table:
-- an index that is in the new order already is kept as it is, and checks are added as not valid yet. 0008 validates them.
-- Names of domains and numbers of orders stand first in nothing: their indexes keep their names.

-- name: build_inbox_message_id_caller_key
-- The message_id first: whether anything was placed under it, by whomever, is a question too.
CREATE UNIQUE INDEX CONCURRENTLY inbox_message_id_caller_key ON inbox (message_id COLLATE "C", caller COLLATE "C")

-- name: drop_inbox_message_id_caller_key
DROP INDEX CONCURRENTLY inbox_message_id_caller_key

-- name: build_orders_order_number_by_bytes
CREATE UNIQUE INDEX CONCURRENTLY orders_order_number_by_bytes ON orders (order_number COLLATE "C")

-- name: drop_orders_order_number_by_bytes
DROP INDEX CONCURRENTLY orders_order_number_by_bytes

-- name: build_domains_by_client_and_name_bytes
CREATE INDEX CONCURRENTLY domains_by_client_and_name_bytes ON domains (client_id, name COLLATE "C")

-- name: drop_domains_by_client_and_name_bytes
DROP INDEX CONCURRENTLY domains_by_client_and_name_bytes

-- name: build_audit_by_message_id_bytes
CREATE INDEX CONCURRENTLY audit_by_message_id_bytes ON audit (message_id COLLATE "C")

-- name: drop_audit_by_message_id_bytes
DROP INDEX CONCURRENTLY audit_by_message_id_bytes

-- name: build_audit_by_new_message_id_bytes
CREATE INDEX CONCURRENTLY audit_by_new_message_id_bytes
ON audit (new_message_id COLLATE "C")
WHERE new_message_id IS NOT NULL

-- name: drop_audit_by_new_message_id_bytes
DROP INDEX CONCURRENTLY audit_by_new_message_id_bytes

-- name: let_doubles_be
-- A request that a wrong index let in a second time is kept, under a caller that nobody can be.
ALTER TABLE inbox
DROP CONSTRAINT inbox_caller_is_known,
ADD CONSTRAINT inbox_caller_is_known CHECK (caller ~ '^(credential|publisher|caller|double):.') NOT VALID

-- name: part_doubles
-- Of the requests that are there more than once under one key, one keeps the key: the oldest that has an order, else one
-- whose edit has it, else the oldest. So what was placed is never placed again.
-- Keys are made anew of their columns (|| ''): of the columns themselves Postgres believes that they are unique.
WITH keys AS (
    SELECT (message_id || '') COLLATE "C" AS message_id, (caller || '') COLLATE "C" AS caller
    FROM inbox
    GROUP BY 1, 2
    HAVING count(*) > 1
),
ranked AS (
    SELECT
        inbox.id,
        inbox.message_id,
        inbox.caller,
        orders.id AS order_id,
        row_number() OVER same_key AS place,
        first_value(orders.id) OVER same_key AS kept_order_id
    FROM keys
    JOIN inbox ON inbox.message_id || '' = keys.message_id AND inbox.caller || '' = keys.caller
    LEFT JOIN orders ON orders.request_id = inbox.id
    WINDOW same_key AS (
        PARTITION BY keys.message_id, keys.caller
        ORDER BY orders.id IS NULL, inbox.superseded_by IS NULL, inbox.id
    )
)
UPDATE inbox
SET caller = 'double:' || ranked.id || ':' || ranked.caller
FROM ranked
WHERE inbox.id = ranked.id AND ranked.place > 1
RETURNING ranked.message_id, ranked.caller, ranked.order_id, ranked.kept_order_id

-- name: lock
-- In the order in which workers take them, so that whoever is at one of them ends before we have another.
LOCK TABLE
    inbox, clients, domains, orders, invoices, audit,
    api_credentials, currencies, payment_methods, product_prices, config_choice_prices, addon_prices,
    tlds, tld_prices, tld_extras, tld_fields, promotions, promotion_values
IN ACCESS EXCLUSIVE MODE

-- name: swap
ALTER TABLE inbox
DROP CONSTRAINT inbox_caller_message_id_key,
DROP CONSTRAINT inbox_caller_is_known,
DROP CONSTRAINT inbox_message_id_fits;

ALTER TABLE inbox
ALTER COLUMN caller TYPE text COLLATE "C",
ALTER COLUMN message_id TYPE text COLLATE "C";

ALTER TABLE inbox
ADD CONSTRAINT inbox_message_id_caller_key UNIQUE USING INDEX inbox_message_id_caller_key,
ADD CONSTRAINT inbox_caller_is_known CHECK (caller ~ '^(credential|publisher|caller|double):.') NOT VALID,
ADD CONSTRAINT inbox_message_id_fits CHECK (length(message_id) BETWEEN 1 AND 128) NOT VALID;

ALTER TABLE orders
DROP CONSTRAINT orders_order_number_key,
DROP CONSTRAINT orders_order_number_has_ten_digits;

ALTER TABLE orders ALTER COLUMN order_number TYPE text COLLATE "C";

ALTER TABLE orders
ADD CONSTRAINT orders_order_number_key UNIQUE USING INDEX orders_order_number_by_bytes,
ADD CONSTRAINT orders_order_number_has_ten_digits CHECK (order_number ~ '^[0-9]{10}$') NOT VALID;

DROP INDEX domains_by_client_and_name;
ALTER TABLE domains ALTER COLUMN name TYPE text COLLATE "C";
ALTER INDEX domains_by_client_and_name_bytes RENAME TO domains_by_client_and_name;

DROP INDEX audit_by_message_id, audit_by_new_message_id;
ALTER TABLE audit
ALTER COLUMN message_id TYPE text COLLATE "C",
ALTER COLUMN new_message_id TYPE text COLLATE "C";
ALTER INDEX audit_by_message_id_bytes RENAME TO audit_by_message_id;
ALTER INDEX audit_by_new_message_id_bytes RENAME TO audit_by_new_message_id;

-- Tables of the catalogue are small: their indexes are built here and now. Foreign keys to them are not checked anew.
ALTER TABLE currencies ALTER COLUMN code TYPE text COLLATE "C";
ALTER TABLE payment_methods ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE product_prices
ALTER COLUMN currency TYPE text COLLATE "C",
ALTER COLUMN cycle TYPE billing_cycle COLLATE "C";
ALTER TABLE config_choice_prices
ALTER COLUMN currency TYPE text COLLATE "C",
ALTER COLUMN cycle TYPE billing_cycle COLLATE "C";
ALTER TABLE addon_prices
ALTER COLUMN currency TYPE text COLLATE "C",
ALTER COLUMN cycle TYPE billing_cycle COLLATE "C";
ALTER TABLE tlds ALTER COLUMN tld TYPE text COLLATE "C";
ALTER TABLE tld_prices
ALTER COLUMN tld TYPE text COLLATE "C",
ALTER COLUMN currency TYPE text COLLATE "C",
ALTER COLUMN kind TYPE text COLLATE "C";
ALTER TABLE tld_extras
ALTER COLUMN tld TYPE text COLLATE "C",
ALTER COLUMN currency TYPE text COLLATE "C",
ALTER COLUMN extra TYPE domain_extra COLLATE "C";
ALTER TABLE tld_fields
ALTER COLUMN tld TYPE text COLLATE "C",
ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE promotion_values ALTER COLUMN currency TYPE text COLLATE "C";
ALTER TABLE api_credentials ALTER COLUMN identifier TYPE text COLLATE "C";

-- The column stays as it is: "C" would fold the case of ASCII letters only.
DROP INDEX promotions_code_key;
CREATE UNIQUE INDEX promotions_code_key ON promotions (lower(code) COLLATE "C");
