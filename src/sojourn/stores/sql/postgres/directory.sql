-- Users and clients.

-- name: user_columns
u.seq, u.id, u.version, u.banned, u.locked, u.created_at, u.updated_at, u.last_sign_in_at, u.last_active_at, u.document

-- name: user_get
SELECT {user_columns} FROM users AS u WHERE u.id = :id

-- name: user_by_identifier
SELECT {user_columns} FROM user_identifiers AS n JOIN users AS u ON u.id = n.user_id
WHERE n.kind = :kind AND n.value = :value

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
u.id IN (SELECT m.user_id FROM memberships AS m WHERE m.organization_id = ANY(:organization_ids::text[]))

-- name: user_in_no_organization
NOT EXISTS (
    SELECT FROM memberships AS m
    WHERE m.organization_id = ANY(:without_organization_ids::text[]) AND m.user_id = u.id)

-- name: user_insert
INSERT INTO users (
    id, version, banned, locked, created_at, updated_at, last_sign_in_at, last_active_at, document,
    first_name, last_name, username, email_address, phone_number
) VALUES (
    :id, :version, :banned, :locked, :created_at, :updated_at, :last_sign_in_at, :last_active_at, :document,
    :first_name, :last_name, :username, :email_address, :phone_number)

-- A sign-in and a touch write the two instants without a version: a change that was read before must not undo them.
-- greatest() leaves out what is NULL.
-- name: user_update
UPDATE users SET
    version = :version, banned = :banned, locked = :locked, created_at = :created_at, updated_at = :updated_at,
    last_sign_in_at = greatest(last_sign_in_at, :last_sign_in_at),
    last_active_at = greatest(last_active_at, :last_active_at),
    document = :document, first_name = :first_name, last_name = :last_name, username = :username,
    email_address = :email_address, phone_number = :phone_number
WHERE id = :id AND version = :expected_version

-- name: user_signed_in
UPDATE users SET last_sign_in_at = greatest(last_sign_in_at, :at) WHERE id = :id AND NOT banned AND NOT locked

-- name: user_delete
DELETE FROM users WHERE id = :id

-- name: user_exists
SELECT 1 FROM users WHERE id = :id

-- name: user_is_banned
SELECT banned FROM users WHERE id = :id

-- name: identifier_insert
INSERT INTO user_identifiers (kind, value, user_id) VALUES (:kind, :value, :user_id)

-- name: identifiers_delete
DELETE FROM user_identifiers WHERE user_id = :user_id

-- name: client_columns
seq, id, created_at, updated_at, last_active_session_id, last_authentication_strategy, version, secret_digest,
generation, rotations, impersonation_id

-- name: client_get
SELECT {client_columns} FROM clients WHERE id = :id

-- name: client_page
SELECT {client_columns} FROM clients ORDER BY seq DESC LIMIT :limit OFFSET :offset

-- name: client_count
SELECT count(*) FROM clients

-- name: client_insert
INSERT INTO clients (
    created_at, updated_at, last_active_session_id, last_authentication_strategy, secret_digest, generation, rotations,
    impersonation_id, version, id
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: client_update
UPDATE clients SET
    created_at = $1, updated_at = $2, last_active_session_id = $3, last_authentication_strategy = $4,
    secret_digest = $5, generation = $6, rotations = $7, impersonation_id = $8, version = $9
WHERE id = $10 AND version = $11
