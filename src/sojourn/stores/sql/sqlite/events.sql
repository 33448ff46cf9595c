-- The append-only log.

-- name: event_insert
INSERT INTO events (
    id, type, at, session_id, user_id, client_id, organization_id, actor, instigator, reason, note, request_id,
    resource_id
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: event_columns
position, id, type, at, session_id, user_id, client_id, organization_id, actor, instigator, reason, note, request_id,
resource_id

-- name: event_of_session
SELECT {event_columns} FROM events WHERE session_id = ? ORDER BY position DESC LIMIT ?

-- name: event_page
SELECT {event_columns} FROM events WHERE position > ? ORDER BY position LIMIT ?

-- name: event_oldest
SELECT min(position) FROM events

-- The epoch and the newest position ever given; SQLite keeps the latter, in the same transaction.
-- name: event_bounds
SELECT
    (SELECT epoch FROM instance), ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)
