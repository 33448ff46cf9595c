-- Organizations and memberships. The lists get their conditions in organizations.py.

-- name: organization_columns
o.seq, o.id, o.slug, o.name, o.created_by, o.max_allowed_memberships, o.version, o.created_at, o.updated_at, o.document

-- name: organization_get
SELECT {organization_columns} FROM organizations AS o WHERE o.id = ?

-- name: organization_by_slug
SELECT {organization_columns} FROM organizations AS o WHERE o.slug = ?

-- name: organization_page
SELECT {organization_columns} FROM organizations AS o

-- name: members_count
(SELECT count(*) FROM memberships AS m WHERE m.organization_id = o.id)

-- name: organization_page_counted
SELECT
    {organization_columns}, {members_count},
    NOT EXISTS (SELECT 1 FROM memberships AS m WHERE m.organization_id = o.id AND m.role = :admin)
FROM organizations AS o

-- name: organization_count
SELECT count(*) FROM organizations AS o

-- name: organization_text_filter
(o.id = :text OR instr(lower(o.name), lower(:text)) OR instr(lower(ifnull(o.slug, '')), lower(:text)))

-- name: organization_with_members
EXISTS (
    SELECT 1 FROM json_each(:user_ids) AS wanted
    JOIN memberships AS m ON m.organization_id = o.id AND m.user_id = wanted.value)

-- name: organization_without_members
NOT EXISTS (
    SELECT 1 FROM json_each(:without_user_ids) AS unwanted
    JOIN memberships AS m ON m.organization_id = o.id AND m.user_id = unwanted.value)

-- name: organization_insert
INSERT INTO organizations (
    id, slug, name, created_by, max_allowed_memberships, version, created_at, updated_at, document
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: organizations_created
SELECT count(*) FROM organizations WHERE created_by = ?

-- name: organization_update
UPDATE organizations SET
    slug = ?, name = ?, max_allowed_memberships = ?, version = ?, created_at = ?, updated_at = ?, document = ?
WHERE id = ? AND version = ?

-- name: organization_delete
DELETE FROM organizations WHERE id = ?

-- name: organization_room
SELECT max_allowed_memberships = 0 OR max_allowed_memberships > {members_count}
FROM organizations AS o WHERE o.id = ?

-- name: membership_columns
m.seq, m.id, m.organization_id, m.user_id, m.role, m.version, m.created_at, m.updated_at, m.document

-- name: membership_page
SELECT {membership_columns}, {organization_columns}, {user_columns}
FROM memberships AS m JOIN organizations AS o ON o.id = m.organization_id JOIN users AS u ON u.id = m.user_id

-- name: membership_count
SELECT count(*) FROM memberships AS m JOIN users AS u ON u.id = m.user_id

-- name: membership_get
{membership_page} WHERE m.organization_id = ? AND m.user_id = ?

-- name: membership_exists
SELECT 1 FROM memberships WHERE organization_id = ? AND user_id = ?

-- name: membership_insert
INSERT INTO memberships (
    id, organization_id, user_id, role, version, created_at, updated_at, document, noted
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT ifnull(max(noted), 0) + 1 FROM memberships WHERE user_id = ?))

-- name: membership_update
UPDATE memberships SET role = ?, version = ?, updated_at = ?, document = ? WHERE id = ? AND version = ?

-- name: membership_delete
DELETE FROM memberships WHERE id = ? AND version = ?

-- name: membership_note
UPDATE memberships SET noted = (SELECT ifnull(max(noted), 0) + 1 FROM memberships WHERE user_id = :user_id)
WHERE organization_id = :organization_id AND user_id = :user_id

-- name: membership_note_none
UPDATE memberships SET noted = NULL WHERE user_id = ?

-- name: next_organization
SELECT organization_id FROM memberships WHERE user_id = ? AND noted IS NOT NULL ORDER BY noted DESC LIMIT 1

-- What users have is in three places: columns, identifiers and the document.
-- name: user_full_name
ifnull(u.document ->> 'first_name', '') || ' ' || ifnull(u.document ->> 'last_name', '')

-- name: user_email_text
EXISTS (
    SELECT 1 FROM user_identifiers AS n
    WHERE n.user_id = u.id AND n.kind = 'email_address' AND instr(lower(n.value), lower(:email_address_text)))

-- name: user_phone_text
EXISTS (
    SELECT 1 FROM user_identifiers AS n
    WHERE n.user_id = u.id AND n.kind = 'phone_number' AND instr(lower(n.value), lower(:phone_number_text)))

-- name: user_username_text
instr(lower(ifnull(u.document ->> 'username', '')), lower(:username_text))

-- name: user_name_text
instr(lower({user_full_name}), lower(:name_text))

-- name: user_text
(instr(lower(u.id), lower(:text)) OR instr(lower({user_full_name}), lower(:text)) OR EXISTS (
    SELECT 1 FROM user_identifiers AS n
    WHERE n.user_id = u.id AND n.kind <> 'external_id' AND instr(lower(n.value), lower(:text))))

-- name: user_has_email
EXISTS (
    SELECT 1 FROM json_each(:email_addresses) AS wanted
    JOIN user_identifiers AS n ON n.kind = 'email_address' AND n.value = wanted.value WHERE n.user_id = u.id)

-- name: user_has_phone
EXISTS (
    SELECT 1 FROM json_each(:phone_numbers) AS wanted
    JOIN user_identifiers AS n ON n.kind = 'phone_number' AND n.value = wanted.value WHERE n.user_id = u.id)

-- name: user_has_username
EXISTS (
    SELECT 1 FROM json_each(:usernames) AS wanted
    JOIN user_identifiers AS n ON n.kind = 'username' AND n.value = wanted.value WHERE n.user_id = u.id)

-- An organization leaves the sessions of all or of one user, ended ones keep it. The version counts, so that a change
-- of the session that was read before does not bring it back.
-- name: sessions_leave_organization
UPDATE sessions SET organization_id = NULL, version = version + 1, updated_at = max(:now, updated_at + 1)
WHERE organization_id = :organization_id AND ended_at IS NULL

-- name: sessions_of_user_leave_organization
{sessions_leave_organization} AND user_id = :user_id

-- name: session_in_organization
SELECT {session_columns}, {cutoff_columns}, {organization_columns}, {membership_columns}
FROM sessions AS s {with_cutoffs}
LEFT JOIN memberships AS m ON m.organization_id = s.organization_id AND m.user_id = s.user_id
LEFT JOIN organizations AS o ON o.id = m.organization_id
WHERE s.id = ?
