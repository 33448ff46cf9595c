-- Tickets: one-time sign-ins, found by the hash of their text.

-- name: ticket_columns
id, kind, user_id, digest, status, created_at, updated_at, expire_at, actor, session_lifetime_seconds,
organization_id, session_id, version

-- name: ticket_get
SELECT {ticket_columns} FROM tickets WHERE id = ?

-- name: ticket_by_digest
SELECT {ticket_columns} FROM tickets WHERE digest = ?

-- name: ticket_insert
INSERT INTO tickets ({ticket_columns}, kept_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: ticket_update
UPDATE tickets SET status = ?, session_id = ?, updated_at = ?, kept_from = ?, version = ?
WHERE id = ? AND version = ?

-- name: ticket_purge
DELETE FROM tickets
WHERE seq IN (SELECT seq FROM tickets WHERE kept_from < :before ORDER BY kept_from LIMIT :limit)
