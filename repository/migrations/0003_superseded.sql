-- What operators do about requests that came to nothing: edit one, or take it out for good.

-- A request that an operator edited goes on under another message_id. Once that one is placed, this one must not be.
ALTER TABLE inbox ADD COLUMN superseded_by bigint CONSTRAINT inbox_superseded_by_fkey REFERENCES inbox;

-- Who did what to which dead letter, and why: written before it is done, so that nothing is done without a trace.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    operator text NOT NULL,
    action text NOT NULL CONSTRAINT audit_action_is_known CHECK (action IN ('edit', 'discard')),
    because text NOT NULL,
    queue text NOT NULL,
    publisher text,
    message_id text NOT NULL,
    new_message_id text,
    reason text NOT NULL, -- why it was a dead letter
    code text NOT NULL,
    body_sha256 text NOT NULL, -- of what it was, which nobody can see any more
    changes jsonb NOT NULL DEFAULT '[]', -- of an edit: parameter, before and after; secrets are left out
    CONSTRAINT audit_edit_has_a_new_message_id CHECK ((action = 'edit') = (new_message_id IS NOT NULL))
);

CREATE INDEX audit_by_message_id ON audit (message_id);
CREATE INDEX audit_by_new_message_id ON audit (new_message_id) WHERE new_message_id IS NOT NULL;
