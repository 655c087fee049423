-- What the broker did not take in time: events of any age, and dead letters. Written before the request is acknowledged, and
-- brought by the sweep. Pruning never touches it.
CREATE TABLE unsent (
    id text COLLATE "C" PRIMARY KEY, -- of the event, or of the letter
    kind text COLLATE "C" NOT NULL CONSTRAINT unsent_kind_is_known CHECK (kind IN ('event', 'letter')),
    destination text COLLATE "C" NOT NULL, -- the type of an event, the queue of a letter
    body bytea NOT NULL, -- an event as it is published; a letter encrypted, with its properties: it may hold secrets
    since timestamptz NOT NULL DEFAULT now(),
    tries integer NOT NULL DEFAULT 0, -- by the sweep
    tried_at timestamptz
);

-- Of each destination the oldest is tried first, and while that is refused no other.
CREATE INDEX unsent_oldest ON unsent (kind, destination, since, id);
