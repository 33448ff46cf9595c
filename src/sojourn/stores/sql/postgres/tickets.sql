-- Tickets: one-time sign-ins, found by the hash of their text.

-- name: ticket_columns
id, kind, user_id, digest, status, created_at, updated_at, expire_at, actor, session_lifetime_seconds,
organization_id, session_id, version

-- name: ticket_get
SELECT {ticket_columns} FROM tickets WHERE id = :id

-- name: ticket_by_digest
SELECT {ticket_columns} FROM tickets WHERE digest = :digest

-- name: ticket_insert
INSERT INTO tickets ({ticket_columns}, kept_from) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)

-- name: ticket_update
UPDATE tickets SET
    status = :status, session_id = :session_id, updated_at = :updated_at, kept_from = :kept_from, version = :version
WHERE id = :id AND version = :expected_version

-- name: ticket_purge
DELETE FROM tickets WHERE seq IN (
    SELECT seq FROM tickets WHERE kept_from < :before ORDER BY kept_from LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING seq
