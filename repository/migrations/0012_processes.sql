-- Who runs: each process says again and again what it is. A row that is silent for a day is nobody's any more, and is
-- taken out by whoever starts. No check of `kind`: the version before may not know what a newer one runs.
CREATE TABLE processes (
    run_id text COLLATE "C" PRIMARY KEY, -- made at the start of the process
    kind text COLLATE "C" NOT NULL, -- worker, …
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    settings_hash text NOT NULL, -- of its settings, without secrets and without what is of one process alone
    knows text[] NOT NULL, -- what may be sent to it that not every version understands
    in_hand integer NOT NULL DEFAULT 0, -- deliveries
    paused text, -- why, in a sentence; null: it works
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz -- it has said that it ends
);

CREATE INDEX processes_by_seen ON processes (seen_at);
