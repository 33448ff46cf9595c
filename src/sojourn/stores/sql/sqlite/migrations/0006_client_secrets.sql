-- The rotating secret of a client, by its hash: which generation is in force, and the rotations that are within their
-- grace. NULL: nobody can present the client.

ALTER TABLE clients ADD COLUMN secret_digest BLOB;
ALTER TABLE clients ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN rotations TEXT;
ALTER TABLE clients ADD COLUMN impersonation_id TEXT;
