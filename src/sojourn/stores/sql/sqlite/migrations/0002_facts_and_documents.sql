-- When factors were attested, what created a session, the session that a cutoff spares; the history of one session;
-- documents: the changed policy, and work that goes on in steps.

ALTER TABLE sessions ADD COLUMN first_factor_at INTEGER;
ALTER TABLE sessions ADD COLUMN second_factor_at INTEGER;
ALTER TABLE sessions ADD COLUMN application TEXT;
ALTER TABLE cutoffs ADD COLUMN spared TEXT;
CREATE INDEX events_by_session ON events (session_id) WHERE session_id IS NOT NULL;

CREATE TABLE documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (kind, id)
) STRICT;
