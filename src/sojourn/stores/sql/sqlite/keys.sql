-- The instance, its keys, and what was done under idempotency keys.

-- name: instance_get
SELECT id, publishable_key, epoch, created_at, master_key_id FROM instance

-- name: instance_put
INSERT INTO instance (singleton, id, publishable_key, epoch, created_at, master_key_id)
VALUES (1, ?, ?, ?, ?, ?)
ON CONFLICT (singleton) DO UPDATE SET
    id = excluded.id, publishable_key = excluded.publishable_key, epoch = excluded.epoch,
    created_at = excluded.created_at, master_key_id = excluded.master_key_id

-- name: api_key_columns
id, kind, digest, hint, created_at, revoked_at

-- name: api_key_get
SELECT {api_key_columns} FROM api_keys WHERE digest = ?

-- name: api_key_list
SELECT {api_key_columns} FROM api_keys ORDER BY seq

-- name: api_key_insert
INSERT INTO api_keys (id, kind, digest, hint, created_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?)

-- name: stored_key_list
SELECT kid, use, algorithm, state, material, created_at, published_until FROM stored_keys ORDER BY seq

-- name: stored_key_put
INSERT INTO stored_keys (kid, use, algorithm, state, material, created_at, published_until)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (kid) DO UPDATE SET
    use = excluded.use, algorithm = excluded.algorithm, state = excluded.state, material = excluded.material,
    created_at = excluded.created_at, published_until = excluded.published_until

-- name: once_get
SELECT digest, fingerprint, resource_id, at FROM once WHERE digest = ?

-- name: once_insert
INSERT INTO once (digest, fingerprint, resource_id, at) VALUES (?, ?, ?, ?)
