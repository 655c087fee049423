-- Second reading of the money rules. Every new column of what an order makes is null where the version before has written
-- the row: null is "not written yet", and is derived when it is needed.

-- name: build_renewals_open_by_domain
-- What waits for its payment, by what is renewed.
CREATE INDEX CONCURRENTLY renewals_open_by_domain ON renewals (domain_id)
WHERE status = 'Pending' AND domain_id IS NOT NULL

-- name: drop_renewals_open_by_domain
DROP INDEX CONCURRENTLY renewals_open_by_domain

-- name: build_renewals_open_by_service
CREATE INDEX CONCURRENTLY renewals_open_by_service ON renewals (service_id)
WHERE status = 'Pending' AND service_id IS NOT NULL

-- name: drop_renewals_open_by_service
DROP INDEX CONCURRENTLY renewals_open_by_service

-- name: build_renewals_open_by_addon
CREATE INDEX CONCURRENTLY renewals_open_by_addon ON renewals (service_addon_id)
WHERE status = 'Pending' AND service_addon_id IS NOT NULL

-- name: drop_renewals_open_by_addon
DROP INDEX CONCURRENTLY renewals_open_by_addon

-- name: lock
-- In the order in which workers take them, so that whoever is at one of them ends before we have another.
LOCK TABLE inbox, orders, services, service_addons, domains, renewals, products, addons, tlds, promotions
IN ACCESS EXCLUSIVE MODE

-- name: add
ALTER TABLE products ADD COLUMN free_domain_kind text NOT NULL DEFAULT 'once'
    CONSTRAINT products_free_domain_kind_is_known CHECK (free_domain_kind IN ('once', 'while_renewed'));

ALTER TABLE addons
    ADD COLUMN retired boolean NOT NULL DEFAULT false,
    ADD COLUMN prorata boolean NOT NULL DEFAULT false;

ALTER TABLE promotions ADD COLUMN requires_existing boolean NOT NULL DEFAULT true;

-- Days after the expiry, and behind those. Null: not configured.
ALTER TABLE tlds
    ADD COLUMN grace_days smallint CONSTRAINT tlds_grace_days_fit CHECK (grace_days BETWEEN 0 AND 365),
    ADD COLUMN redemption_days smallint
        CONSTRAINT tlds_redemption_days_fit CHECK (redemption_days BETWEEN 0 AND 365);

CREATE TABLE tld_late_fees (
    tld text COLLATE "C" NOT NULL CONSTRAINT tld_late_fees_tld_fkey REFERENCES tlds,
    phase text COLLATE "C" NOT NULL CONSTRAINT tld_late_fees_phase_is_known CHECK (phase IN ('grace', 'redemption')),
    currency text COLLATE "C" NOT NULL CONSTRAINT tld_late_fees_currency_fkey REFERENCES currencies,
    fee numeric(16, 2) NOT NULL CONSTRAINT tld_late_fees_fee_is_charged CHECK (fee >= 0),
    PRIMARY KEY (tld, phase, currency)
);

-- recurring_full: what recurs without the code that lowers `recurring`; null: no code does. discounts_left: for so many
-- renewals more; null beside it: for ever. period_end: the last day that was billed. Checks are not valid yet, so that no
-- table is read; all that they would find is null. 0016 validates them.
ALTER TABLE services
    ADD COLUMN recurring_full numeric(16, 2),
    ADD COLUMN discounts_left integer,
    ADD COLUMN period_end date,
    ADD CONSTRAINT services_discounts_left_is_a_count CHECK (discounts_left >= 0) NOT VALID;

ALTER TABLE service_addons
    ADD COLUMN recurring_full numeric(16, 2),
    ADD COLUMN discounts_left integer,
    ADD COLUMN period_end date,
    ADD CONSTRAINT service_addons_discounts_left_is_a_count CHECK (discounts_left >= 0) NOT VALID;

-- recurring null: the TLD is not renewed at all. free_with: the service with which it is renewed for nothing.
ALTER TABLE domains
    ALTER COLUMN recurring DROP NOT NULL,
    ADD COLUMN recurring_full numeric(16, 2),
    ADD COLUMN discounts_left integer,
    ADD COLUMN period_end date,
    ADD COLUMN free_with bigint,
    ADD CONSTRAINT domains_discounts_left_is_a_count CHECK (discounts_left >= 0) NOT VALID,
    ADD CONSTRAINT domains_free_with_fkey FOREIGN KEY (free_with) REFERENCES services NOT VALID;

ALTER TABLE renewals
    ADD COLUMN period_start date,
    ADD COLUMN period_end date,
    ADD COLUMN late_fee numeric(16, 2);

-- Whether what the order took is written below.
ALTER TABLE orders ADD COLUMN takes_written boolean;

-- What an order took that others want too, or that it must give back: once, by its row.
CREATE TABLE order_takes (
    order_id bigint NOT NULL CONSTRAINT order_takes_order_fkey REFERENCES orders,
    kind text COLLATE "C" NOT NULL CONSTRAINT order_takes_kind_is_known
        CHECK (kind IN ('stock', 'promotion_use', 'service_discount', 'addon_discount')),
    thing_id bigint NOT NULL, -- the product, promotion, service or addon of a service
    units integer NOT NULL CONSTRAINT order_takes_units_are_taken CHECK (units > 0),
    released_at timestamptz, -- null: it has it
    PRIMARY KEY (order_id, kind, thing_id)
);

-- What happened to an order after it was placed: a row for every change, and for a command that changed nothing.
CREATE TABLE order_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL CONSTRAINT order_history_order_fkey REFERENCES orders,
    request_id bigint CONSTRAINT order_history_request_fkey REFERENCES inbox,
    at timestamptz NOT NULL DEFAULT now(),
    from_status text NOT NULL,
    to_status text NOT NULL,
    asked_by text,
    details jsonb NOT NULL DEFAULT '{}', -- what came with it, and why
    CONSTRAINT order_history_is_once_a_request UNIQUE (request_id, order_id)
);

CREATE INDEX order_history_by_order ON order_history (order_id, id);
