-- The first schema. Instants are Unix milliseconds. Every table is STRICT: a value of another type is an error.

CREATE TABLE instance (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    id TEXT NOT NULL,
    publishable_key TEXT NOT NULL,
    epoch TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    master_key_id TEXT
) STRICT;

CREATE TABLE api_keys (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE TABLE stored_keys (
    seq INTEGER PRIMARY KEY,
    kid TEXT NOT NULL UNIQUE,
    use TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL,
    material BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    published_until INTEGER
) STRICT;

-- Creations done under an idempotency key.
CREATE TABLE once (
    digest BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    resource_id TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX once_by_age ON once (at);

-- What is filtered by or written on its own has a column; the rest of a user is in the document.
CREATE TABLE users (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    banned INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_sign_in_at INTEGER,
    last_active_at INTEGER,
    document TEXT NOT NULL
) STRICT;

CREATE TABLE user_identifiers (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_identifiers_by_user ON user_identifiers (user_id);

CREATE TABLE clients (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_active_session_id TEXT,
    last_authentication_strategy TEXT,
    version INTEGER NOT NULL
) STRICT;

-- `seq` is the place in the order of creation and never used again: cutoffs compare it.
-- `due_at` is a lower bound of the first deadline, NULL once the session has ended. A touch does not move it, and
-- last_active_at has no index, so that a touch writes one page and no index.
-- A deleted user's sessions stay until they are purged, hence no reference to users.
CREATE TABLE sessions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    client_id TEXT NOT NULL REFERENCES clients (id),
    status TEXT NOT NULL,
    last_active_at INTEGER NOT NULL,
    expire_at INTEGER NOT NULL,
    abandon_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    inactivity_seconds INTEGER,
    due_at INTEGER,
    actor TEXT,
    organization_id TEXT,
    tasks TEXT,
    activity TEXT,
    ended_at INTEGER,
    reason TEXT,
    instigator TEXT,
    note TEXT
) STRICT;
-- The row id is the last column of every index: a user's newest sessions come without sorting.
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_client ON sessions (client_id);
CREATE INDEX sessions_due ON sessions (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- One row ends all sessions of a subject up to a creation. `scope` is what sessions are matched with: the subject,
-- or 'instance'. The sweep has looked at sessions up to `cursor`; `swept` says that it is done.
CREATE TABLE cutoffs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    kind TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    instigator TEXT NOT NULL,
    note TEXT,
    cursor INTEGER NOT NULL DEFAULT 0,
    swept INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX cutoffs_by_scope ON cutoffs (scope, kind, sequence);
CREATE INDEX cutoffs_unswept ON cutoffs (id) WHERE swept = 0;
CREATE INDEX cutoffs_swept ON cutoffs (at) WHERE swept = 1;

-- The log. Positions have no gaps, since a row id handed out in a transaction that is rolled back is given again,
-- and are never used twice, so that the lowest one kept tells what has been purged.
CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    session_id TEXT,
    user_id TEXT,
    client_id TEXT,
    organization_id TEXT,
    actor TEXT,
    instigator TEXT,
    reason TEXT,
    note TEXT,
    request_id TEXT
) STRICT;
