-- The append-only log, in the order of (xid, n): what began to write earlier stands before. Transactions do not end in
-- that order, so nothing is read from the oldest that still runs on: what is not committed there may yet come.

-- name: event_insert
INSERT INTO events (
    n, id, type, at, session_id, user_id, client_id, organization_id, actor, instigator, reason, note, request_id,
    resource_id
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)

-- name: event_columns
e.n, e.id, e.type, e.at, e.session_id, e.user_id, e.client_id, e.organization_id, e.actor, e.instigator, e.reason,
e.note, e.request_id, e.resource_id

-- name: settled_before
pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- The epoch, the floor, the newest place, and the page behind a place: one row at least, of one snapshot.
-- name: event_page
SELECT (SELECT epoch FROM instance), f.xid, f.n, l.xid, l.n, e.xid, {event_columns}
FROM event_floor AS f
LEFT JOIN LATERAL (
    SELECT o.xid, o.n FROM events AS o WHERE o.xid < {settled_before} ORDER BY o.xid DESC, o.n DESC LIMIT 1
) AS l ON true
LEFT JOIN LATERAL (
    SELECT * FROM events AS o
    WHERE (o.xid, o.n) > (:xid, :n) AND (o.xid, o.n) > (f.xid, f.n) AND o.xid < {settled_before}
    ORDER BY o.xid, o.n LIMIT :limit
) AS e ON true

-- name: event_of_session
SELECT e.xid, {event_columns} FROM events AS e
WHERE e.session_id = :session_id AND (e.xid, e.n) > (SELECT f.xid, f.n FROM event_floor AS f)
ORDER BY e.xid DESC, e.n DESC LIMIT :limit

-- name: event_bounds
SELECT (SELECT epoch FROM instance), f.xid, f.n, l.xid, l.n
FROM event_floor AS f
LEFT JOIN LATERAL (
    SELECT o.xid, o.n FROM events AS o WHERE o.xid < {settled_before} ORDER BY o.xid DESC, o.n DESC LIMIT 1
) AS l ON true

-- name: event_back
SELECT (SELECT epoch FROM instance), f.xid, f.n, l.xid, l.n
FROM event_floor AS f
LEFT JOIN LATERAL (
    SELECT o.xid, o.n FROM events AS o WHERE o.xid < {settled_before}
    ORDER BY o.xid DESC, o.n DESC LIMIT 1 OFFSET :count
) AS l ON true

-- name: event_oldest
SELECT e.xid, e.n, e.at FROM event_floor AS f JOIN LATERAL (
    SELECT * FROM events AS o WHERE (o.xid, o.n) > (f.xid, f.n) AND o.xid < {settled_before}
    ORDER BY o.xid, o.n LIMIT :limit) AS e ON true

-- name: event_floor_raise
UPDATE event_floor SET xid = :xid, n = :n WHERE (xid, n) < (:xid, :n)

-- A restored log comes with the transaction ids of another server, which mean nothing here: all of it goes before the
-- first transaction of this one, in the order that it had.
-- name: events_cut
DELETE FROM events AS e USING event_floor AS f WHERE (e.xid, e.n) <= (f.xid, f.n)

-- name: events_renumber
UPDATE events AS e SET xid = 1, n = o.place
FROM (SELECT tableoid, ctid, row_number() OVER (ORDER BY xid, n) AS place FROM events) AS o
WHERE e.tableoid = o.tableoid AND e.ctid = o.ctid

-- name: events_floor_reset
UPDATE event_floor SET xid = 0, n = 0

-- The months that there are: name of the partition, and its bounds as PostgreSQL writes them.
-- name: event_months
SELECT c.relname::text, pg_get_expr(c.relpartbound, c.oid), i.inhdetachpending
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass
ORDER BY c.relname
