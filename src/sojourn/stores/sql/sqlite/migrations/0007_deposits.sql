-- What lies behind secrets that were handed out: refresh tokens, tokens that were exchanged, handshakes. Only hashes of
-- the secrets are here, and what is itself secret is sealed for their holders.

CREATE TABLE deposits (
    kind TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expire_at INTEGER NOT NULL,
    session_id TEXT,
    sealed BLOB,
    PRIMARY KEY (kind, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX deposits_by_age ON deposits (expire_at);
