-- Bookkeeping of the sweep, and the purge. Everything is bounded by a limit or a window. Any number of nodes may be
-- at it: nobody waits for a row that another one has in hand.

-- `due_at` is a lower bound: the last column tells whether the session lives on after all.
-- name: due
SELECT {session_columns}, {cutoff_columns}, {deadline} > :now
FROM sessions AS s {with_cutoffs} WHERE s.due_at <= :now ORDER BY s.due_at LIMIT :limit

-- A touch has moved the deadline of these since it was last looked at.
-- name: due_postpone
UPDATE sessions AS s SET due_at = {deadline}
WHERE s.seq IN (
    SELECT o.seq FROM sessions AS o WHERE o.seq = ANY(:seqs::bigint[]) AND o.ended_at IS NULL ORDER BY o.seq FOR UPDATE)
    AND s.ended_at IS NULL

-- name: cutoff_unswept
SELECT id, scope, kind, cursor, sequence, spared FROM cutoffs WHERE NOT swept AND id > :after ORDER BY id LIMIT 1

-- The end of the next window: about :window of the subject's sessions, none where fewer are left.
-- name: cutoff_window_user
SELECT seq FROM sessions WHERE user_id = :subject AND seq > :cursor AND seq <= :sequence
ORDER BY seq LIMIT 1 OFFSET :window

-- name: cutoff_window_client
SELECT seq FROM sessions WHERE client_id = :subject AND seq > :cursor AND seq <= :sequence
ORDER BY seq LIMIT 1 OFFSET :window

-- name: cutoff_window_instance
SELECT :cursor::bigint + :window::bigint WHERE :cursor::bigint + :window::bigint < :sequence::bigint

-- name: cutoff_live
SELECT {session_columns}, {cutoff_columns} FROM sessions AS s {with_cutoffs}
WHERE s.seq > :cursor AND s.seq <= :until AND s.ended_at IS NULL AND s.id IS DISTINCT FROM :spared

-- name: cutoff_live_user
{cutoff_live} AND s.user_id = :subject ORDER BY s.seq LIMIT :limit

-- name: cutoff_live_client
{cutoff_live} AND s.client_id = :subject ORDER BY s.seq LIMIT :limit

-- name: cutoff_live_instance
{cutoff_live} ORDER BY s.seq LIMIT :limit

-- Only up to where every covered session is stored as ended: a cutoff marked as swept may be purged.
-- name: cutoff_advance
UPDATE cutoffs SET cursor = greatest(cursor, :cursor::bigint), swept = :cursor::bigint >= sequence
WHERE id = :id AND NOT swept

-- name: purge_sessions
DELETE FROM sessions WHERE seq IN (
    SELECT seq FROM sessions WHERE ended_at < :before ORDER BY ended_at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING client_id

-- Not while a session is being created on it: the reference locks the client.
-- name: purge_clients
DELETE FROM clients AS c
WHERE c.id IN (
    SELECT o.id FROM clients AS o WHERE o.id = ANY(:ids::text[]) AND o.updated_at < :before FOR UPDATE SKIP LOCKED)
    AND NOT EXISTS (SELECT FROM sessions AS s WHERE s.client_id = c.id)
RETURNING c.id

-- Clients that lost their last session before they were last changed, or never held one, are found by walking all.
-- name: client_window
SELECT max(seq), count(*) FROM (SELECT seq FROM clients WHERE seq > :cursor ORDER BY seq LIMIT :window) AS w

-- name: client_idle
SELECT c.id, c.seq FROM clients AS c
WHERE c.seq > :cursor AND c.seq <= :until AND c.updated_at < :before
    AND NOT EXISTS (SELECT FROM sessions AS s WHERE s.client_id = c.id)
ORDER BY c.seq LIMIT :limit

-- name: purge_once
DELETE FROM once WHERE digest IN (
    SELECT digest FROM once WHERE at < :before ORDER BY at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING digest

-- name: purge_cutoffs
DELETE FROM cutoffs WHERE id IN (
    SELECT id FROM cutoffs WHERE swept AND at < :before ORDER BY at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING id
