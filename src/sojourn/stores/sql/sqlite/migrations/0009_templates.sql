-- Templates. A key of its own, if it has one, lies with the other keys, under its id.

CREATE TABLE templates (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    claims TEXT NOT NULL,
    lifetime_seconds INTEGER NOT NULL,
    allowed_clock_skew_seconds INTEGER NOT NULL,
    signing_algorithm TEXT NOT NULL,
    key_id TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
