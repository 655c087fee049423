-- The shop's own settings: they priced by each worker's environment, so that two workers could price differently.
-- The inbox first, as every batch does: one that has begun is waited for, and the next one waits (nobody deadlocks).
LOCK TABLE inbox IN EXCLUSIVE MODE;

-- Who may ask has a version of its own, so that the catalogue's is that of what is sold.
ALTER TABLE catalogue ADD COLUMN credentials_version bigint NOT NULL DEFAULT 1;

-- Settings. Null: not set yet. It is set once, by a load that names it or from the environment of whoever comes first.
ALTER TABLE catalogue
    ADD COLUMN tax text CONSTRAINT catalogue_tax_is_known CHECK (tax IN ('exclusive', 'inclusive')),
    ADD COLUMN invoice_grace_days smallint
        CONSTRAINT catalogue_invoice_grace_days_fit CHECK (invoice_grace_days BETWEEN 0 AND 365),
    ADD COLUMN nameservers text[],
    -- Asked for today, an unknown one is an error: of every batch, if it got in here.
    ADD COLUMN timezone text
        CONSTRAINT catalogue_timezone_is_known CHECK (isfinite(timestamptz 'epoch' AT TIME ZONE timezone));

-- The day of the order in the shop's time zone, which may be another one by the time that the order is told again.
-- The version before writes none: its days are those of UTC.
ALTER TABLE orders ADD COLUMN placed_on date;

-- What each version of the catalogue changed, of the entries of its file; and of those before this one, nobody knows it.
-- A version that is missing here was made by a version of this program that kept no history.
CREATE TABLE catalog_versions (
    version bigint PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT now(),
    made_by text NOT NULL,
    act text NOT NULL CONSTRAINT catalog_versions_act_is_known
        CHECK (act IN ('migrate', 'load', 'rollback', 'first_values')),
    back_to bigint,
    CONSTRAINT catalog_versions_rollback_says_where CHECK ((act = 'rollback') = (back_to IS NOT NULL))
);

CREATE TABLE catalog_changes (
    version bigint NOT NULL CONSTRAINT catalog_changes_version_fkey REFERENCES catalog_versions,
    section text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    before jsonb, -- null: the entry is new
    after jsonb, -- null: it is gone
    PRIMARY KEY (version, section, key),
    CONSTRAINT catalog_changes_change_something CHECK (before IS DISTINCT FROM after)
);

INSERT INTO catalog_versions (version, made_by, act)
SELECT version, current_user, 'migrate'
FROM catalogue;
