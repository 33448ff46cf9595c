-- Sessions. A session is read in one of two forms. Plain, with a mark that says whether any cutoff covers it: that
-- costs next to nothing, and is the answer nearly always. Or with its cutoffs, joined in the same statement: read
-- by a second one, a cutoff could be purged before it, and an ended session would look live.

-- name: session_columns
s.seq, s.id, s.user_id, s.client_id, s.status, s.last_active_at, s.expire_at, s.abandon_at, s.updated_at,
s.created_at, s.version, s.inactivity_seconds, s.actor, s.organization_id, s.tasks, s.activity,
s.ended_at, s.reason, s.instigator, s.note, s.first_factor_at, s.second_factor_at, s.application

-- name: scopes
('user:' || s.user_id, 'client:' || s.client_id, 'instance')

-- name: covered
EXISTS (
    SELECT FROM cutoffs AS k
    WHERE k.scope IN {scopes} AND k.sequence >= s.seq AND k.spared IS DISTINCT FROM s.id)

-- name: cutoff_columns
u.subject, u.sequence, u.at, u.status, u.reason, u.instigator, u.note, u.spared,
c.subject, c.sequence, c.at, c.status, c.reason, c.instigator, c.note, c.spared,
i.subject, i.sequence, i.at, i.status, i.reason, i.instigator, i.note, i.spared

-- name: with_cutoffs
LEFT JOIN LATERAL (
    SELECT * FROM cutoffs AS k
    WHERE k.scope = 'user:' || s.user_id AND k.sequence >= s.seq AND k.spared IS DISTINCT FROM s.id
    ORDER BY k.sequence, k.id LIMIT 1) AS u ON true
LEFT JOIN LATERAL (
    SELECT * FROM cutoffs AS k
    WHERE k.scope = 'client:' || s.client_id AND k.sequence >= s.seq AND k.spared IS DISTINCT FROM s.id
    ORDER BY k.sequence, k.id LIMIT 1) AS c ON true
LEFT JOIN LATERAL (
    SELECT * FROM cutoffs AS k
    WHERE k.scope = 'instance' AND k.sequence >= s.seq AND k.spared IS DISTINCT FROM s.id
    ORDER BY k.sequence, k.id LIMIT 1) AS i ON true

-- name: session_get
SELECT {session_columns}, {covered} FROM sessions AS s WHERE s.id = :id

-- name: session_get_held
SELECT {session_columns}, {cutoff_columns} FROM sessions AS s {with_cutoffs} WHERE s.id = :id

-- The same as core.lifecycle.settle, which is the authority: the earliest end that has come about, and on a tie the
-- maximum lifetime, inactivity, the cutoff of user, client, instance, abandonment, in this order. A cutoff counts
-- from the creation at the earliest. 9e18 is later than any instant. Maximum lifetime and inactivity give the same
-- status and have the two best ranks, so the earlier of them stands for both.
-- name: settled
CASE WHEN s.ended_at IS NOT NULL THEN s.status
ELSE (
    SELECT CASE
        WHEN e.expired <= :now AND e.expired <= least(e.of_user, e.of_client, e.of_instance)
            AND (s.abandon_at > :now OR e.expired <= s.abandon_at) THEN 'expired'
        WHEN coalesce(u.id, c.id, i.id) IS NOT NULL
            AND (s.abandon_at > :now OR least(e.of_user, e.of_client, e.of_instance) <= s.abandon_at)
            THEN CASE
                WHEN e.of_user <= e.of_client AND e.of_user <= e.of_instance THEN u.status
                WHEN e.of_client <= e.of_instance THEN c.status
                ELSE i.status
            END
        WHEN s.abandon_at <= :now THEN 'abandoned'
        ELSE s.status
    END
    FROM (SELECT
        least(s.expire_at, s.last_active_at + s.inactivity_seconds * 1000) AS expired,
        CASE WHEN u.id IS NULL THEN 9000000000000000000 ELSE greatest(u.at, s.created_at) END AS of_user,
        CASE WHEN c.id IS NULL THEN 9000000000000000000 ELSE greatest(c.at, s.created_at) END AS of_client,
        CASE WHEN i.id IS NULL THEN 9000000000000000000 ELSE greatest(i.at, s.created_at) END AS of_instance) AS e
) END

-- least() leaves out what is NULL.
-- name: deadline
least(s.expire_at, s.abandon_at, s.last_active_at + s.inactivity_seconds * 1000)

-- The pages and counts get their WHERE in reads.py.
-- name: session_page
SELECT {session_columns}, {covered} FROM sessions AS s

-- name: session_page_held
SELECT {session_columns}, {cutoff_columns} FROM sessions AS s {with_cutoffs}

-- name: session_count
SELECT count(*) FROM sessions AS s

-- name: session_count_held
SELECT count(*) FROM sessions AS s {with_cutoffs}

-- name: status_filter
{settled} = ANY(:statuses::text[])

-- name: session_insert
INSERT INTO sessions (
    id, user_id, client_id, status, last_active_at, expire_at, abandon_at, updated_at, created_at, version,
    inactivity_seconds, due_at, actor, organization_id, tasks, activity, ended_at, reason, instigator, note,
    first_factor_at, second_factor_at, application, actor_sub
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)

-- A session that a cutoff has ended takes no other end than one that came before it: an end state that somebody has
-- read is never replaced, and the sweep may still write it down. No cutoff can come in between: locks.py.
-- name: session_update
UPDATE sessions AS s SET
    status = :status, updated_at = :updated_at, version = :version, organization_id = :organization_id,
    tasks = :tasks, first_factor_at = :first_factor_at, second_factor_at = :second_factor_at,
    ended_at = :ended_at::bigint, reason = :reason, instigator = :instigator, note = :note,
    due_at = CASE WHEN :ended_at::bigint IS NULL THEN s.due_at END
WHERE s.id = :id AND s.version = :expected_version AND s.ended_at IS NULL
    AND (:expected_active_at::bigint IS NULL OR s.last_active_at = :expected_active_at::bigint)
    AND NOT EXISTS (
        SELECT FROM cutoffs AS k
        WHERE k.scope IN {scopes} AND k.sequence >= s.seq AND k.spared IS DISTINCT FROM s.id
            AND (:ended_at::bigint IS NULL OR :ended_at::bigint > greatest(k.at, s.created_at)))

-- One statement, committed by itself: the session, and once a day its user.
-- name: session_touch
WITH touched AS (
    UPDATE sessions AS s SET
        last_active_at = greatest(s.last_active_at, :now::bigint), activity = coalesce(:activity, s.activity)
    WHERE s.id = :id AND s.ended_at IS NULL AND s.expire_at > :now::bigint AND s.abandon_at > :now::bigint
        AND (s.inactivity_seconds IS NULL OR s.last_active_at + s.inactivity_seconds * 1000 > :now::bigint)
        AND NOT {covered}
    RETURNING s.user_id
), noted AS (
    UPDATE users AS u SET last_active_at = :day::bigint FROM touched AS t
    WHERE u.id = t.user_id AND (u.last_active_at IS NULL OR u.last_active_at < :day::bigint)
)
SELECT 1 FROM touched

-- The number of the newest creation ever, purged or not. A number that was given to a creation that was undone is
-- nobody's. Nobody of this scope is being created meanwhile: locks.py.
-- name: cutoff_insert
INSERT INTO cutoffs (scope, kind, sequence, subject, at, status, reason, instigator, note, spared)
VALUES (
    :scope::text, :kind, coalesce(pg_sequence_last_value('sessions_seq_seq'::regclass), 0), :subject,
    greatest(:at::bigint, (
        SELECT k.at FROM cutoffs AS k WHERE k.scope = :scope::text ORDER BY k.sequence DESC, k.id DESC LIMIT 1)),
    :status, :reason, :instigator, :note, :spared)

-- name: cutoff_last_at
SELECT greatest(
    (SELECT k.at FROM cutoffs AS k WHERE k.scope = :scope ORDER BY k.sequence DESC, k.id DESC LIMIT 1),
    (SELECT k.at FROM cutoffs AS k WHERE k.scope = 'instance' ORDER BY k.sequence DESC, k.id DESC LIMIT 1), 0)

-- A walk looks at a window of sessions: all, a user's or a client's. Its WHERE is put together in reads.py.
-- name: walk_window
SELECT s.seq FROM sessions AS s WHERE s.seq < :before

-- name: walk_bounds
SELECT min(seq), count(*)

-- name: walk_lowest
SELECT min(seq)

-- name: session_live_of_user
SELECT count(*) FROM sessions AS s {with_cutoffs} WHERE s.user_id = :user_id AND {settled} IN ('active', 'pending')
