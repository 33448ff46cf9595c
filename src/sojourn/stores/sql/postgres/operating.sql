-- What an operator asks, and what the store asks of the server. The age of a transaction is by the clock of the server
-- that runs it; nothing that is stored is.

-- name: report_counts
SELECT
    coalesce(pg_sequence_last_value('sessions_seq_seq'::regclass), 0),
    (SELECT at FROM events ORDER BY xid DESC, n DESC LIMIT 1),
    (SELECT count(*) FROM (SELECT FROM sessions WHERE due_at <= :now LIMIT 10000) AS d),
    pg_database_size(current_database()), current_setting('server_version'),
    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',
    (SELECT (extract(epoch FROM clock_timestamp() - min(xact_start)) * 1000)::bigint FROM pg_stat_activity
     WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid())

-- Whether this server is the primary, on which timeline, which standbys have to confirm a commit, how many of them do
-- (not to be seen without pg_monitor).
-- name: pulse
SELECT
    pg_is_in_recovery(), current_setting('synchronous_standby_names'),
    pg_has_role('pg_monitor', 'USAGE'),
    (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum'))

-- A commit that has to reach the standby and changes nothing.
-- name: canary
SELECT pg_logical_emit_message(true, 'sojourn', '')

-- name: timeline
SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END
