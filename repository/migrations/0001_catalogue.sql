-- What the shop sells and to whom: the catalogue, the clients and what they own.
-- Money is numeric(16,2) in the currency's major unit. Names of states are those of addorder.md.

-- One row. `version` moves with every change of the catalogue; `order_number_key` belongs to the database and never
-- changes, because two keys would let two orders share a number.
CREATE TABLE catalogue (
    only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT catalogue_has_one_row CHECK (only_row),
    version bigint NOT NULL DEFAULT 1,
    order_number_key uuid NOT NULL DEFAULT gen_random_uuid()
);

INSERT INTO catalogue DEFAULT VALUES;

CREATE TABLE currencies (
    code text PRIMARY KEY CONSTRAINT currencies_code_is_iso CHECK (code ~ '^[A-Z]{3}$'),
    prefix text NOT NULL,
    suffix text NOT NULL,
    digits smallint NOT NULL CONSTRAINT currencies_digits_fit CHECK (digits BETWEEN 0 AND 2),
    is_default boolean NOT NULL
);

CREATE UNIQUE INDEX currencies_one_default ON currencies (is_default) WHERE is_default;

CREATE TABLE payment_methods (
    name text PRIMARY KEY,
    display_name text NOT NULL,
    active boolean NOT NULL,
    position integer NOT NULL
);

CREATE TABLE client_groups (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    discount_percent numeric(5, 2) NOT NULL
        CONSTRAINT client_groups_discount_is_percent CHECK (discount_percent BETWEEN 0 AND 100)
);

CREATE TABLE clients (
    id bigint PRIMARY KEY,
    first_name text NOT NULL,
    last_name text NOT NULL,
    company_name text NOT NULL,
    email text NOT NULL,
    language text NOT NULL,
    address1 text NOT NULL,
    city text NOT NULL,
    postcode text NOT NULL,
    state text NOT NULL,
    country text NOT NULL,
    currency text NOT NULL CONSTRAINT clients_currency_fkey REFERENCES currencies,
    tax_exempt boolean NOT NULL,
    group_id bigint CONSTRAINT clients_group_fkey REFERENCES client_groups,
    credit numeric(16, 2) NOT NULL,
    status text NOT NULL CONSTRAINT clients_status_is_known CHECK (status IN ('Active', 'Inactive', 'Closed'))
);

CREATE TABLE contacts (
    id bigint PRIMARY KEY,
    client_id bigint NOT NULL CONSTRAINT contacts_client_fkey REFERENCES clients,
    first_name text NOT NULL,
    last_name text NOT NULL,
    company_name text NOT NULL,
    email text NOT NULL
);

CREATE TABLE tax_rules (
    id bigint PRIMARY KEY,
    level smallint NOT NULL CONSTRAINT tax_rules_level_is_known CHECK (level IN (1, 2)),
    name text NOT NULL,
    country text,
    state text,
    rate numeric(6, 3) NOT NULL CONSTRAINT tax_rules_rate_is_percent CHECK (rate BETWEEN 0 AND 100),
    compound boolean NOT NULL,
    CONSTRAINT tax_rules_state_has_country CHECK (state IS NULL OR country IS NOT NULL)
);

CREATE TABLE products (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    type text NOT NULL CONSTRAINT products_type_is_known CHECK (type IN ('hosting', 'reseller', 'server', 'other')),
    pay_type text NOT NULL CONSTRAINT products_pay_type_is_known CHECK (pay_type IN ('free', 'onetime', 'recurring')),
    taxed boolean NOT NULL,
    retired boolean NOT NULL,
    quantity_rule text NOT NULL
        CONSTRAINT products_quantity_rule_is_known CHECK (quantity_rule IN ('no', 'multiple', 'scaling')),
    stock_controlled boolean NOT NULL,
    prorata_day smallint CONSTRAINT products_prorata_day_is_in_every_month CHECK (prorata_day BETWEEN 1 AND 28),
    prorata_charge_next_month smallint
        CONSTRAINT products_prorata_next_month_is_a_day CHECK (prorata_charge_next_month BETWEEN 1 AND 31),
    free_domain_cycles text[] NOT NULL,
    free_domain_tlds text[] NOT NULL
);

-- Apart from products, because every sale updates it. The check is the last net under "never oversold".
CREATE TABLE product_stock (
    product_id bigint PRIMARY KEY CONSTRAINT product_stock_product_fkey REFERENCES products,
    quantity integer NOT NULL CONSTRAINT product_stock_is_never_oversold CHECK (quantity >= 0)
);

CREATE DOMAIN billing_cycle AS text CONSTRAINT billing_cycle_is_known CHECK (
    VALUE IN ('free', 'onetime', 'monthly', 'quarterly', 'semiannually', 'annually', 'biennially', 'triennially')
);

CREATE TABLE product_prices (
    product_id bigint NOT NULL CONSTRAINT product_prices_product_fkey REFERENCES products,
    currency text NOT NULL CONSTRAINT product_prices_currency_fkey REFERENCES currencies,
    cycle billing_cycle NOT NULL,
    price numeric(16, 2) NOT NULL CONSTRAINT product_prices_price_is_charged CHECK (price >= 0),
    setup numeric(16, 2) NOT NULL CONSTRAINT product_prices_setup_is_charged CHECK (setup >= 0),
    PRIMARY KEY (product_id, currency, cycle)
);

CREATE TABLE custom_fields (
    id bigint PRIMARY KEY,
    product_id bigint NOT NULL CONSTRAINT custom_fields_product_fkey REFERENCES products,
    name text NOT NULL,
    type text NOT NULL CONSTRAINT custom_fields_type_is_known
        CHECK (type IN ('text', 'dropdown', 'tickbox', 'password', 'textarea', 'link')),
    required boolean NOT NULL,
    options text[] NOT NULL,
    position integer NOT NULL
);

CREATE TABLE config_options (
    id bigint PRIMARY KEY,
    product_id bigint NOT NULL CONSTRAINT config_options_product_fkey REFERENCES products,
    name text NOT NULL,
    type text NOT NULL
        CONSTRAINT config_options_type_is_known CHECK (type IN ('dropdown', 'radio', 'yesno', 'quantity')),
    quantity_min integer,
    quantity_max integer,
    position integer NOT NULL,
    CONSTRAINT config_options_quantity_has_bounds CHECK (
        (type = 'quantity') = (quantity_min IS NOT NULL AND quantity_max IS NOT NULL)
        AND (quantity_min IS NULL OR quantity_min BETWEEN 0 AND quantity_max)
    )
);

CREATE TABLE config_choices (
    id bigint PRIMARY KEY,
    option_id bigint NOT NULL CONSTRAINT config_choices_option_fkey REFERENCES config_options,
    name text NOT NULL,
    position integer NOT NULL
);

CREATE TABLE config_choice_prices (
    choice_id bigint NOT NULL CONSTRAINT config_choice_prices_choice_fkey REFERENCES config_choices,
    currency text NOT NULL CONSTRAINT config_choice_prices_currency_fkey REFERENCES currencies,
    cycle billing_cycle NOT NULL,
    price numeric(16, 2) NOT NULL CONSTRAINT config_choice_prices_price_is_charged CHECK (price >= 0),
    setup numeric(16, 2) NOT NULL CONSTRAINT config_choice_prices_setup_is_charged CHECK (setup >= 0),
    PRIMARY KEY (choice_id, currency, cycle)
);

CREATE TABLE addons (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    taxed boolean NOT NULL,
    all_products boolean NOT NULL
);

CREATE TABLE addon_products (
    addon_id bigint NOT NULL CONSTRAINT addon_products_addon_fkey REFERENCES addons,
    product_id bigint NOT NULL CONSTRAINT addon_products_product_fkey REFERENCES products,
    PRIMARY KEY (addon_id, product_id)
);

CREATE TABLE addon_prices (
    addon_id bigint NOT NULL CONSTRAINT addon_prices_addon_fkey REFERENCES addons,
    currency text NOT NULL CONSTRAINT addon_prices_currency_fkey REFERENCES currencies,
    cycle billing_cycle NOT NULL,
    price numeric(16, 2) NOT NULL CONSTRAINT addon_prices_price_is_charged CHECK (price >= 0),
    setup numeric(16, 2) NOT NULL CONSTRAINT addon_prices_setup_is_charged CHECK (setup >= 0),
    PRIMARY KEY (addon_id, currency, cycle)
);

CREATE TABLE tlds (
    tld text PRIMARY KEY CONSTRAINT tlds_start_with_a_dot CHECK (tld ~ '^\.[a-z0-9.-]+$'),
    taxed boolean NOT NULL,
    epp_required boolean NOT NULL
);

CREATE TABLE tld_prices (
    tld text NOT NULL CONSTRAINT tld_prices_tld_fkey REFERENCES tlds,
    currency text NOT NULL CONSTRAINT tld_prices_currency_fkey REFERENCES currencies,
    kind text NOT NULL CONSTRAINT tld_prices_kind_is_known CHECK (kind IN ('register', 'transfer', 'renew')),
    years smallint NOT NULL CONSTRAINT tld_prices_years_are_sold CHECK (years BETWEEN 1 AND 10),
    price numeric(16, 2) NOT NULL CONSTRAINT tld_prices_price_is_charged CHECK (price >= 0),
    PRIMARY KEY (tld, currency, kind, years)
);

CREATE DOMAIN domain_extra AS text CONSTRAINT domain_extra_is_known CHECK (
    VALUE IN ('dnsmanagement', 'emailforwarding', 'idprotection')
);

CREATE TABLE tld_extras (
    tld text NOT NULL CONSTRAINT tld_extras_tld_fkey REFERENCES tlds,
    currency text NOT NULL CONSTRAINT tld_extras_currency_fkey REFERENCES currencies,
    extra domain_extra NOT NULL,
    price_per_year numeric(16, 2) NOT NULL CONSTRAINT tld_extras_price_is_charged CHECK (price_per_year >= 0),
    PRIMARY KEY (tld, currency, extra)
);

CREATE TABLE tld_fields (
    tld text NOT NULL CONSTRAINT tld_fields_tld_fkey REFERENCES tlds,
    name text NOT NULL,
    type text NOT NULL CONSTRAINT tld_fields_type_is_known CHECK (type IN ('text', 'dropdown', 'tickbox')),
    required boolean NOT NULL,
    options text[] NOT NULL,
    position integer NOT NULL,
    PRIMARY KEY (tld, name)
);

CREATE TABLE promotions (
    id bigint PRIMARY KEY,
    code text NOT NULL,
    type text NOT NULL CONSTRAINT promotions_type_is_known
        CHECK (type IN ('percentage', 'fixed_amount', 'price_override', 'free_setup')),
    value numeric(16, 2) NOT NULL CONSTRAINT promotions_value_is_not_negative CHECK (value >= 0),
    recurring boolean NOT NULL,
    recur_for integer NOT NULL CONSTRAINT promotions_recur_for_is_a_count CHECK (recur_for >= 0),
    start_date date,
    end_date date,
    max_uses integer NOT NULL CONSTRAINT promotions_max_uses_is_a_count CHECK (max_uses >= 0),
    once_per_client boolean NOT NULL,
    new_signups_only boolean NOT NULL,
    existing_clients_only boolean NOT NULL,
    requires_products bigint[] NOT NULL,
    cycles text[] NOT NULL,
    products bigint[], -- null: all
    addons bigint[],
    tlds text[],
    apply_once boolean NOT NULL,
    CONSTRAINT promotions_percentage_is_percent CHECK (type <> 'percentage' OR value <= 100)
);

-- Codes are matched without case (addorder.md 5.9).
CREATE UNIQUE INDEX promotions_code_key ON promotions (lower(code));

CREATE TABLE promotion_values (
    promotion_id bigint NOT NULL CONSTRAINT promotion_values_promotion_fkey REFERENCES promotions,
    currency text NOT NULL CONSTRAINT promotion_values_currency_fkey REFERENCES currencies,
    value numeric(16, 2) NOT NULL CONSTRAINT promotion_values_value_is_not_negative CHECK (value >= 0),
    PRIMARY KEY (promotion_id, currency)
);

-- Apart from promotions, because every limited use updates it.
CREATE TABLE promotion_uses (
    promotion_id bigint PRIMARY KEY CONSTRAINT promotion_uses_promotion_fkey REFERENCES promotions,
    uses integer NOT NULL,
    max_uses integer NOT NULL, -- 0: without limit
    CONSTRAINT promotion_uses_are_never_oversold CHECK (uses >= 0 AND (max_uses = 0 OR uses <= max_uses))
);

CREATE TABLE affiliates (
    id bigint PRIMARY KEY,
    client_id bigint NOT NULL CONSTRAINT affiliates_client_fkey REFERENCES clients,
    active boolean NOT NULL
);

CREATE TABLE api_credentials (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identifier text NOT NULL,
    secret_hash text NOT NULL, -- argon2id; the secret itself is shown once and never stored
    actions text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

CREATE UNIQUE INDEX api_credentials_identifier_key ON api_credentials (identifier) WHERE revoked_at IS NULL;
