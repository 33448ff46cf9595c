-- The instance, its keys, and what was done under idempotency keys.

-- name: instance_get
SELECT id, publishable_key, epoch, created_at, master_key_id FROM instance

-- name: instance_put
INSERT INTO instance (singleton, id, publishable_key, epoch, created_at, master_key_id)
VALUES (1, :id, :publishable_key, :epoch, :created_at, :master_key_id)
ON CONFLICT (singleton) DO UPDATE SET
    id = excluded.id, publishable_key = excluded.publishable_key, epoch = excluded.epoch,
    created_at = excluded.created_at, master_key_id = excluded.master_key_id

-- name: api_key_columns
id, kind, digest, hint, created_at, revoked_at

-- name: api_key_get
SELECT {api_key_columns} FROM api_keys WHERE digest = :digest

-- name: api_key_list
SELECT {api_key_columns} FROM api_keys ORDER BY seq

-- name: api_key_insert
INSERT INTO api_keys (id, kind, digest, hint, created_at, revoked_at)
VALUES (:id, :kind, :digest, :hint, :created_at, :revoked_at)

-- The kind of a key, and how many others of it are not revoked.
-- name: api_key_others
SELECT k.kind, (
    SELECT count(*) FROM api_keys AS o WHERE o.kind = k.kind AND o.revoked_at IS NULL AND o.id <> k.id
) + (k.revoked_at IS NOT NULL)::integer
FROM api_keys AS k WHERE k.id = :id

-- name: api_key_revoke
UPDATE api_keys SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL

-- name: stored_key_list
SELECT kid, use, algorithm, state, material, created_at, activates_at, retired_at, last_exp_at, version
FROM stored_keys ORDER BY seq

-- name: stored_key_put
INSERT INTO stored_keys
    (kid, use, algorithm, state, material, created_at, activates_at, retired_at, last_exp_at, version)
VALUES
    (:kid, :use, :algorithm, :state, :material, :created_at, :activates_at, :retired_at, :last_exp_at, :version)
ON CONFLICT (kid) DO UPDATE SET
    use = excluded.use, algorithm = excluded.algorithm, state = excluded.state, material = excluded.material,
    created_at = excluded.created_at, activates_at = excluded.activates_at, retired_at = excluded.retired_at,
    last_exp_at = excluded.last_exp_at, version = excluded.version

-- name: stored_key_update
UPDATE stored_keys SET
    use = :use, algorithm = :algorithm, state = :state, material = :material, created_at = :created_at,
    activates_at = :activates_at, retired_at = :retired_at, version = :version
WHERE kid = :kid AND version = :expected

-- name: stored_key_raise
UPDATE stored_keys SET last_exp_at = greatest(last_exp_at, :at)
WHERE kid = :kid AND state IN ('upcoming', 'current')

-- name: stored_key_drop
DELETE FROM stored_keys WHERE kid = :kid

-- name: stored_key_kids
SELECT kid FROM stored_keys

-- name: instance_sealed
SELECT 1 FROM instance WHERE master_key_id IS NOT DISTINCT FROM :master_key_id FOR SHARE

-- name: once_get
SELECT digest, fingerprint, resource_id, at FROM once WHERE digest = :digest

-- name: once_insert
INSERT INTO once (digest, fingerprint, resource_id, at) VALUES (:digest, :fingerprint, :resource_id, :at)
