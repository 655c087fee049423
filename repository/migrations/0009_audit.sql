-- Who did what, to which thing, and why: two lines an act, begun and ended, of which the second names the first. One
-- without the other is an act whose end nobody knows. What the version before wrote was one line, before it was done.
ALTER TABLE audit
    ADD COLUMN actor text, -- the person
    ADD COLUMN "by" text, -- the broker's user by whom they came
    ADD COLUMN act text,
    ADD COLUMN thing text COLLATE "C", -- a message_id, or what else it was done to
    ADD COLUMN why text,
    ADD COLUMN details jsonb NOT NULL DEFAULT '{}', -- of an edit the parameters, before and after; never a secret
    ADD COLUMN begun_id bigint CONSTRAINT audit_begun_fkey REFERENCES audit CONSTRAINT audit_ends_once UNIQUE,
    ADD COLUMN run_id bigint CONSTRAINT audit_run_fkey REFERENCES audit; -- of the act that this one is a part of

-- The version before writes its own columns, and none of these.
ALTER TABLE audit
    ALTER COLUMN operator DROP NOT NULL,
    ALTER COLUMN action DROP NOT NULL,
    ALTER COLUMN because DROP NOT NULL,
    ALTER COLUMN queue DROP NOT NULL,
    ALTER COLUMN message_id DROP NOT NULL,
    ALTER COLUMN reason DROP NOT NULL,
    ALTER COLUMN code DROP NOT NULL,
    ALTER COLUMN body_sha256 DROP NOT NULL,
    DROP CONSTRAINT audit_action_is_known,
    DROP CONSTRAINT audit_edit_has_a_new_message_id;

CREATE FUNCTION audit_take_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.actor := coalesce(substring(NEW.operator FROM '^(.*) as '), NEW.operator);
    NEW."by" := coalesce(substring(NEW.operator FROM ' as ([^ ]*)$'), '');
    NEW.act := NEW.action;
    NEW.thing := NEW.message_id;
    NEW.why := NEW.because;
    NEW.details := jsonb_build_object(
        'queue', NEW.queue, 'publisher', NEW.publisher, 'reason', NEW.reason, 'code', NEW.code,
        'body_sha256', NEW.body_sha256, 'changes', NEW.changes
    );
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_take_over BEFORE INSERT OR UPDATE ON audit
FOR EACH ROW WHEN (NEW.actor IS NULL) EXECUTE FUNCTION audit_take_over();

UPDATE audit SET operator = operator;

ALTER TABLE audit ADD CONSTRAINT audit_line_is_whole CHECK (num_nonnulls(actor, "by", act, thing, why) = 5);

CREATE INDEX audit_by_thing ON audit (thing, id);
DROP INDEX audit_by_message_id;
