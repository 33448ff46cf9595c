-- What an operator asks.

-- name: report_counts
SELECT
    ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'sessions'), 0),
    (SELECT at FROM events ORDER BY position DESC LIMIT 1)

-- name: report_overdue
SELECT count(*) FROM (SELECT 1 FROM sessions WHERE due_at <= :now LIMIT 10000)
