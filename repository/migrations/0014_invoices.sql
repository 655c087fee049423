-- What an invoice needs to be one: who owes whom, with which tax, under which number.
-- The inbox first, as every batch does: one that has begun is waited for, and the next one waits (nobody deadlocks).
LOCK TABLE inbox IN EXCLUSIVE MODE;

-- Settings. Null: not set yet.
ALTER TABLE catalogue
    ADD COLUMN tax_exempt text CONSTRAINT catalogue_tax_exempt_is_known CHECK (tax_exempt IN ('keep', 'deduct')),
    ADD COLUMN tax_note text,
    ADD COLUMN date_format text,
    ADD COLUMN accept_when_paid boolean,
    ADD COLUMN invoice_number text,
    ADD COLUMN invoice_next bigint, -- as a file said last; where the series is, invoice_series tells
    ADD COLUMN seller jsonb;

-- Other spellings of the state.
ALTER TABLE tax_rules ADD COLUMN state_aliases text[] NOT NULL DEFAULT '{}';

-- Null: no file has said it. The version before writes none.
ALTER TABLE clients
    ADD COLUMN address2 text,
    ADD COLUMN phonenumber text,
    ADD COLUMN tax_id text;

-- As it all was when the invoice was made. Null: the version before made it, and what is told is of today.
ALTER TABLE invoices
    ADD COLUMN taxes jsonb, -- level, name, rate, base, amount
    ADD COLUMN client jsonb,
    ADD COLUMN seller jsonb,
    ADD COLUMN tax_note text,
    ADD COLUMN proforma boolean; -- it was told to be one: numbers were on, and it was not paid

-- What is owed for an order without an invoice: what an invoice would have. Null: there is one, or the version before
-- placed it.
ALTER TABLE orders ADD COLUMN bill jsonb;

-- A row a series: whoever gives a number locks it as the last thing of a transaction, so that there are no gaps.
CREATE TABLE invoice_series (
    series text COLLATE "C" PRIMARY KEY,
    next bigint NOT NULL DEFAULT 1 CONSTRAINT invoice_series_counts_from_one CHECK (next >= 1)
);

-- The numbers of invoices that were paid: never given twice, never taken back.
CREATE TABLE invoice_numbers (
    invoice_id bigint PRIMARY KEY CONSTRAINT invoice_numbers_invoice_fkey REFERENCES invoices,
    number text COLLATE "C" NOT NULL CONSTRAINT invoice_numbers_number_key UNIQUE,
    series text COLLATE "C" NOT NULL CONSTRAINT invoice_numbers_series_fkey REFERENCES invoice_series,
    position bigint NOT NULL,
    issued date NOT NULL, -- that day in the shop's time zone
    CONSTRAINT invoice_numbers_position_key UNIQUE (series, position)
);
