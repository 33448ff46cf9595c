-- One-time sign-ins; only a hash of their text is here. An event may name a resource that has no column of its own.

CREATE TABLE tickets (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    user_id TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expire_at INTEGER NOT NULL,
    actor TEXT,
    session_lifetime_seconds INTEGER,
    organization_id TEXT,
    session_id TEXT,
    version INTEGER NOT NULL,
    kept_from INTEGER NOT NULL
) STRICT;
CREATE INDEX tickets_by_age ON tickets (kept_from);

ALTER TABLE events ADD COLUMN resource_id TEXT;
