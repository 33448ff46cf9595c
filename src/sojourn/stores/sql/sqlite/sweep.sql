-- Bookkeeping of the sweep, and the purge. Everything is bounded by a limit or a window.

-- `due_at` is a lower bound: the last column tells whether the session lives on after all.
-- name: due
SELECT {session_columns}, {cutoff_columns}, {deadline} > :now
FROM sessions AS s {with_cutoffs} WHERE s.due_at <= :now ORDER BY s.due_at LIMIT :limit

-- A touch has moved the deadline of these since it was last looked at.
-- name: due_postpone
UPDATE sessions AS s SET due_at = {deadline}
WHERE s.seq IN (SELECT value FROM json_each(:seqs)) AND s.ended_at IS NULL

-- name: cutoff_unswept
SELECT id, scope, kind, cursor, sequence, spared FROM cutoffs WHERE swept = 0 AND id > ? ORDER BY id LIMIT 1

-- The end of the next window: about :window of the subject's sessions, NULL where fewer are left.
-- name: cutoff_window_user
SELECT seq FROM sessions WHERE user_id = :scope AND seq > :cursor AND seq <= :sequence
ORDER BY seq LIMIT 1 OFFSET :window

-- name: cutoff_window_client
SELECT seq FROM sessions WHERE client_id = :scope AND seq > :cursor AND seq <= :sequence
ORDER BY seq LIMIT 1 OFFSET :window

-- name: cutoff_window_instance
SELECT :cursor + :window WHERE :cursor + :window < :sequence

-- name: cutoff_live
SELECT {session_columns}, {cutoff_columns} FROM sessions AS s {with_cutoffs}
WHERE s.seq > :cursor AND s.seq <= :until AND s.ended_at IS NULL AND s.id IS NOT :spared

-- name: cutoff_live_user
{cutoff_live} AND s.user_id = :scope ORDER BY s.seq LIMIT :limit

-- name: cutoff_live_client
{cutoff_live} AND s.client_id = :scope ORDER BY s.seq LIMIT :limit

-- name: cutoff_live_instance
{cutoff_live} ORDER BY s.seq LIMIT :limit

-- Only up to where every covered session is stored as ended: a cutoff marked as swept may be purged.
-- name: cutoff_advance
UPDATE cutoffs SET cursor = max(cursor, :cursor), swept = :cursor >= sequence WHERE id = :id AND swept = 0

-- name: purge_sessions
DELETE FROM sessions
WHERE seq IN (SELECT seq FROM sessions WHERE ended_at < :before ORDER BY ended_at LIMIT :limit)
RETURNING client_id

-- name: purge_clients
DELETE FROM clients
WHERE id IN (SELECT value FROM json_each(:ids)) AND updated_at < :before
    AND NOT EXISTS (SELECT 1 FROM sessions WHERE client_id = clients.id)

-- Clients that lost their last session before they were last changed, or never held one, are found by walking all.
-- name: client_window
SELECT max(seq), count(*) FROM (SELECT seq FROM clients WHERE seq > :cursor ORDER BY seq LIMIT :window)

-- name: client_idle
SELECT id, seq FROM clients
WHERE seq > :cursor AND seq <= :until AND updated_at < :before
    AND NOT EXISTS (SELECT 1 FROM sessions WHERE client_id = clients.id)
ORDER BY seq LIMIT :limit

-- Always the oldest, up to the first that is young enough to stay: the log has no gap inside.
-- name: purge_events
DELETE FROM events WHERE position < ifnull(
    (SELECT position FROM (SELECT position, at FROM events ORDER BY position LIMIT :limit)
     WHERE at >= :before ORDER BY position LIMIT 1),
    (SELECT min(position) + :limit FROM events))

-- name: purge_once
DELETE FROM once WHERE digest IN (SELECT digest FROM once WHERE at < :before ORDER BY at LIMIT :limit)

-- name: purge_cutoffs
DELETE FROM cutoffs
WHERE id IN (SELECT id FROM cutoffs WHERE swept = 1 AND at < :before ORDER BY at LIMIT :limit)
