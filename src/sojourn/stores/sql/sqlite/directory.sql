-- Users and clients.

-- name: user_columns
u.seq, u.id, u.version, u.banned, u.locked, u.created_at, u.updated_at, u.last_sign_in_at, u.last_active_at, u.document

-- name: user_get
SELECT {user_columns} FROM users AS u WHERE u.id = ?

-- name: user_by_identifier
SELECT {user_columns} FROM user_identifiers AS n JOIN users AS u ON u.id = n.user_id WHERE n.kind = ? AND n.value = ?

-- The lists get their conditions in users.py; a text is looked for as in organizations.sql.
-- name: user_page
SELECT {user_columns} FROM users AS u

-- name: user_count
SELECT count(*) FROM users AS u

-- name: user_after
(u.created_at, u.seq) > (:after_at, :after_sequence)

-- name: user_before
(u.created_at, u.seq) < (:after_at, :after_sequence)

-- name: user_in_organizations
u.id IN (
    SELECT m.user_id FROM json_each(:organization_ids) AS wanted
    JOIN memberships AS m ON m.organization_id = wanted.value)

-- name: user_in_no_organization
NOT EXISTS (
    SELECT 1 FROM json_each(:without_organization_ids) AS unwanted
    JOIN memberships AS m ON m.organization_id = unwanted.value AND m.user_id = u.id)

-- name: user_insert
INSERT INTO users (id, version, banned, locked, created_at, updated_at, last_sign_in_at, last_active_at, document)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- A sign-in and a touch write the two instants without a version: a change that was read before must not undo them.
-- max() of two arguments is NULL where one is.
-- name: user_update
UPDATE users SET
    version = :version, banned = :banned, locked = :locked, created_at = :created_at, updated_at = :updated_at,
    last_sign_in_at = ifnull(max(last_sign_in_at, :last_sign_in_at), ifnull(last_sign_in_at, :last_sign_in_at)),
    last_active_at = ifnull(max(last_active_at, :last_active_at), ifnull(last_active_at, :last_active_at)),
    document = :document
WHERE id = :id AND version = :expected_version

-- name: user_signed_in
UPDATE users SET last_sign_in_at = max(ifnull(last_sign_in_at, :at), :at) WHERE id = :id AND banned = 0 AND locked = 0

-- name: user_touch_day
UPDATE users SET last_active_at = :day
WHERE id = :id AND (last_active_at IS NULL OR last_active_at < :day)

-- name: user_delete
DELETE FROM users WHERE id = ?

-- name: user_exists
SELECT 1 FROM users WHERE id = ?

-- name: user_is_banned
SELECT banned FROM users WHERE id = ?

-- name: identifier_insert
INSERT INTO user_identifiers (kind, value, user_id) VALUES (?, ?, ?)

-- name: identifiers_delete
DELETE FROM user_identifiers WHERE user_id = ?

-- name: client_columns
seq, id, created_at, updated_at, last_active_session_id, last_authentication_strategy, version, secret_digest,
generation, rotations, impersonation_id

-- name: client_get
SELECT {client_columns} FROM clients WHERE id = ?

-- name: client_page
SELECT {client_columns} FROM clients ORDER BY seq DESC LIMIT ? OFFSET ?

-- name: client_count
SELECT count(*) FROM clients

-- name: client_insert
INSERT INTO clients (
    created_at, updated_at, last_active_session_id, last_authentication_strategy, secret_digest, generation, rotations,
    impersonation_id, version, id
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: client_update
UPDATE clients SET
    created_at = ?, updated_at = ?, last_active_session_id = ?, last_authentication_strategy = ?, secret_digest = ?,
    generation = ?, rotations = ?, impersonation_id = ?, version = ?
WHERE id = ? AND version = ?
