-- Deposits: what lies behind a secret that was handed out, found by its hash.

-- name: deposit_columns
kind, digest, created_at, expire_at, session_id, sealed

-- name: deposit_get
SELECT {deposit_columns} FROM deposits WHERE kind = :kind AND digest = :digest

-- name: deposit_insert
INSERT INTO deposits ({deposit_columns}) VALUES ($1, $2, $3, $4, $5, $6)

-- name: deposit_take
DELETE FROM deposits WHERE kind = :kind AND digest = :digest

-- name: deposit_purge
DELETE FROM deposits WHERE (kind, digest) IN (
    SELECT kind, digest FROM deposits WHERE expire_at < :before ORDER BY expire_at LIMIT :limit FOR UPDATE SKIP LOCKED)

-- The same as session_touch asks for; held until the commit, so that no end comes in between.
-- name: session_lives
SELECT 1 FROM sessions AS s
WHERE s.id = :id AND s.ended_at IS NULL AND s.expire_at > :now AND s.abandon_at > :now
    AND (s.inactivity_seconds IS NULL OR s.last_active_at + s.inactivity_seconds * 1000 > :now)
    AND NOT {covered}
FOR SHARE OF s
