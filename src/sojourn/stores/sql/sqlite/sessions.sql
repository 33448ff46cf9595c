-- Sessions. A session is read in one of two forms. Plain, with a mark that says whether any cutoff covers it: that
-- costs next to nothing, and is the answer nearly always. Or with its cutoffs, joined in the same statement: read
-- by a second one, a cutoff could be purged before it, and an ended session would look live.

-- name: session_columns
s.seq, s.id, s.user_id, s.client_id, s.status, s.last_active_at, s.expire_at, s.abandon_at, s.updated_at,
s.created_at, s.version, s.inactivity_seconds, s.actor, s.organization_id, s.tasks, s.activity,
s.ended_at, s.reason, s.instigator, s.note, s.first_factor_at, s.second_factor_at, s.application

-- name: covered
EXISTS (SELECT 1 FROM cutoffs WHERE scope = s.user_id AND kind = 'user' AND sequence >= s.seq AND spared IS NOT s.id)
OR EXISTS (SELECT 1 FROM cutoffs WHERE scope = s.client_id AND kind = 'client' AND sequence >= s.seq AND spared IS NOT s.id)
OR EXISTS (SELECT 1 FROM cutoffs WHERE scope = 'instance' AND kind = 'instance' AND sequence >= s.seq AND spared IS NOT s.id)

-- name: cutoff_columns
u.subject, u.sequence, u.at, u.status, u.reason, u.instigator, u.note, u.spared,
c.subject, c.sequence, c.at, c.status, c.reason, c.instigator, c.note, c.spared,
i.subject, i.sequence, i.at, i.status, i.reason, i.instigator, i.note, i.spared

-- name: with_cutoffs
LEFT JOIN cutoffs AS u ON u.id = (
    SELECT id FROM cutoffs WHERE scope = s.user_id AND kind = 'user' AND sequence >= s.seq AND spared IS NOT s.id
    ORDER BY sequence, id LIMIT 1)
LEFT JOIN cutoffs AS c ON c.id = (
    SELECT id FROM cutoffs WHERE scope = s.client_id AND kind = 'client' AND sequence >= s.seq AND spared IS NOT s.id
    ORDER BY sequence, id LIMIT 1)
LEFT JOIN cutoffs AS i ON i.id = (
    SELECT id FROM cutoffs WHERE scope = 'instance' AND kind = 'instance' AND sequence >= s.seq AND spared IS NOT s.id
    ORDER BY sequence, id LIMIT 1)

-- name: session_get
SELECT {session_columns}, {covered} FROM sessions AS s WHERE s.id = ?

-- name: session_get_held
SELECT {session_columns}, {cutoff_columns} FROM sessions AS s {with_cutoffs} WHERE s.id = ?

-- The same as core.lifecycle.settle, which is the authority: the earliest end that has come about, and on a tie the
-- maximum lifetime, inactivity, the cutoff of user, client, instance, abandonment, in this order. A cutoff counts
-- from the creation at the earliest. 9e18 is later than any instant. Maximum lifetime and inactivity give the same
-- status and have the two best ranks, so the earlier of them stands for both.
-- name: settled
CASE WHEN s.ended_at IS NOT NULL THEN s.status
ELSE (
    SELECT CASE
        WHEN expired <= :now AND expired <= min(of_user, of_client, of_instance)
            AND (s.abandon_at > :now OR expired <= s.abandon_at) THEN 'expired'
        WHEN coalesce(u.id, c.id, i.id) IS NOT NULL
            AND (s.abandon_at > :now OR min(of_user, of_client, of_instance) <= s.abandon_at)
            THEN CASE
                WHEN of_user <= of_client AND of_user <= of_instance THEN u.status
                WHEN of_client <= of_instance THEN c.status
                ELSE i.status
            END
        WHEN s.abandon_at <= :now THEN 'abandoned'
        ELSE s.status
    END
    FROM (SELECT
        {deadline_of_expiry} AS expired,
        ifnull(max(u.at, s.created_at), 9000000000000000000) AS of_user,
        ifnull(max(c.at, s.created_at), 9000000000000000000) AS of_client,
        ifnull(max(i.at, s.created_at), 9000000000000000000) AS of_instance)
) END

-- name: deadline_of_expiry
min(s.expire_at, ifnull(s.last_active_at + s.inactivity_seconds * 1000, s.expire_at))

-- name: deadline
min(s.expire_at, s.abandon_at, ifnull(s.last_active_at + s.inactivity_seconds * 1000, s.expire_at))

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
{settled} IN (SELECT value FROM json_each(:statuses))

-- name: session_insert
INSERT INTO sessions (
    id, user_id, client_id, status, last_active_at, expire_at, abandon_at, updated_at, created_at, version,
    inactivity_seconds, due_at, actor, organization_id, tasks, activity, ended_at, reason, instigator, note,
    first_factor_at, second_factor_at, application
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- A session that a cutoff has ended takes no other end than one that came before it: an end state that somebody has
-- read is never replaced, and the sweep may still write it down.
-- name: session_update
UPDATE sessions AS s SET
    status = :status, updated_at = :updated_at, version = :version, organization_id = :organization_id,
    tasks = :tasks, first_factor_at = :first_factor_at, second_factor_at = :second_factor_at, ended_at = :ended_at, reason = :reason, instigator = :instigator, note = :note,
    due_at = CASE WHEN :ended_at IS NULL THEN s.due_at END
WHERE s.id = :id AND s.version = :expected_version AND s.ended_at IS NULL
    AND (:expected_active_at IS NULL OR s.last_active_at = :expected_active_at)
    AND NOT EXISTS (
        SELECT 1 FROM cutoffs WHERE scope = s.user_id AND kind = 'user' AND sequence >= s.seq AND spared IS NOT s.id
            AND (:ended_at IS NULL OR :ended_at > max(at, s.created_at)))
    AND NOT EXISTS (
        SELECT 1 FROM cutoffs WHERE scope = s.client_id AND kind = 'client' AND sequence >= s.seq AND spared IS NOT s.id
            AND (:ended_at IS NULL OR :ended_at > max(at, s.created_at)))
    AND NOT EXISTS (
        SELECT 1 FROM cutoffs WHERE scope = 'instance' AND kind = 'instance' AND sequence >= s.seq AND spared IS NOT s.id
            AND (:ended_at IS NULL OR :ended_at > max(at, s.created_at)))

-- name: session_touch
UPDATE sessions AS s SET
    last_active_at = max(s.last_active_at, :now), activity = coalesce(:activity, s.activity)
WHERE s.id = :id AND s.ended_at IS NULL AND s.expire_at > :now AND s.abandon_at > :now
    AND (s.inactivity_seconds IS NULL OR s.last_active_at + s.inactivity_seconds * 1000 > :now)
    AND NOT ({covered})
RETURNING user_id

-- The row id of the newest creation ever, purged or not. SQLite keeps it, in the same transaction.
-- name: cutoff_insert
INSERT INTO cutoffs (scope, kind, sequence, subject, at, status, reason, instigator, note, spared)
VALUES (
    :scope, :kind, ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'sessions'), 0), :subject,
    max(:at, ifnull((
        SELECT at FROM cutoffs WHERE scope = :scope AND kind = :kind ORDER BY sequence DESC, id DESC LIMIT 1), :at)),
    :status, :reason, :instigator, :note, :spared)

-- name: cutoff_last_at
SELECT max(
    ifnull((SELECT at FROM cutoffs WHERE scope = ? AND kind = 'user' ORDER BY sequence DESC, id DESC LIMIT 1), 0),
    ifnull((SELECT at FROM cutoffs WHERE scope = 'instance' AND kind = 'instance'
        ORDER BY sequence DESC, id DESC LIMIT 1), 0))

-- A walk looks at a window of sessions: all, a user's or a client's. Its WHERE is put together in reads.py.
-- name: walk_window
SELECT s.seq FROM sessions AS s WHERE s.seq < :before

-- name: walk_bounds
SELECT min(seq), count(*)

-- name: walk_lowest
SELECT min(seq)

-- name: session_live_of_user
SELECT count(*) FROM sessions AS s {with_cutoffs} WHERE s.user_id = :user_id AND {settled} IN ('active', 'pending')
