-- Organizations and memberships. The lists get their conditions in organizations.py.

-- name: organization_columns
o.seq, o.id, o.slug, o.name, o.created_by, o.max_allowed_memberships, o.version, o.created_at, o.updated_at, o.document

-- name: organization_get
SELECT {organization_columns} FROM organizations AS o WHERE o.id = :id

-- name: organization_by_slug
SELECT {organization_columns} FROM organizations AS o WHERE o.slug = :slug

-- name: organization_page
SELECT {organization_columns} FROM organizations AS o

-- name: members_count
(SELECT count(*) FROM memberships AS m WHERE m.organization_id = o.id)

-- name: organization_page_counted
SELECT
    {organization_columns}, {members_count},
    NOT EXISTS (SELECT FROM memberships AS m WHERE m.organization_id = o.id AND m.role = :admin)
FROM organizations AS o

-- name: organization_count
SELECT count(*) FROM organizations AS o

-- name: organization_text_filter
(o.id = :text::text OR strpos(lower(o.name), lower(:text::text COLLATE "C")) > 0
    OR strpos(lower(coalesce(o.slug, '')), lower(:text::text COLLATE "C")) > 0)

-- name: organization_with_members
EXISTS (SELECT FROM memberships AS m WHERE m.organization_id = o.id AND m.user_id = ANY(:user_ids::text[]))

-- name: organization_without_members
NOT EXISTS (
    SELECT FROM memberships AS m WHERE m.organization_id = o.id AND m.user_id = ANY(:without_user_ids::text[]))

-- name: organization_insert
INSERT INTO organizations (
    id, slug, name, created_by, max_allowed_memberships, version, created_at, updated_at, document
) VALUES (
    :id, :slug, :name, :created_by, :max_allowed_memberships, :version, :created_at, :updated_at, :document)

-- name: organizations_created
SELECT count(*) FROM organizations WHERE created_by = :created_by

-- name: organization_update
UPDATE organizations SET
    slug = :slug, name = :name, max_allowed_memberships = :max_allowed_memberships, version = :version,
    created_at = :created_at, updated_at = :updated_at, document = :document
WHERE id = :id AND version = :expected_version

-- name: organization_delete
DELETE FROM organizations WHERE id = :organization_id

-- name: organization_room
SELECT max_allowed_memberships = 0 OR max_allowed_memberships > {members_count}
FROM organizations AS o WHERE o.id = :organization_id

-- name: membership_columns
m.seq, m.id, m.organization_id, m.user_id, m.role, m.version, m.created_at, m.updated_at, m.document

-- name: membership_page
SELECT {membership_columns}, {organization_columns}, {user_columns}
FROM memberships AS m JOIN organizations AS o ON o.id = m.organization_id JOIN users AS u ON u.id = m.user_id

-- name: membership_count
SELECT count(*) FROM memberships AS m JOIN users AS u ON u.id = m.user_id

-- name: membership_get
{membership_page} WHERE m.organization_id = :organization_id AND m.user_id = :user_id

-- name: membership_exists
SELECT 1 FROM memberships WHERE organization_id = :organization_id AND user_id = :user_id

-- name: membership_insert
INSERT INTO memberships (
    id, organization_id, user_id, role, version, created_at, updated_at, document, noted
) VALUES (
    :id, :organization_id, :user_id::text, :role, :version, :created_at, :updated_at, :document,
    (SELECT coalesce(max(noted), 0) + 1 FROM memberships WHERE user_id = :user_id::text))

-- name: membership_update
UPDATE memberships SET role = :role, version = :version, updated_at = :updated_at, document = :document
WHERE id = :id AND version = :expected_version

-- name: membership_delete
DELETE FROM memberships WHERE id = :id AND version = :expected_version

-- name: membership_note
UPDATE memberships SET noted = (SELECT coalesce(max(noted), 0) + 1 FROM memberships WHERE user_id = :user_id::text)
WHERE organization_id = :organization_id AND user_id = :user_id::text

-- name: membership_note_none
UPDATE memberships SET noted = NULL WHERE user_id = :user_id

-- name: next_organization
SELECT organization_id FROM memberships WHERE user_id = :user_id AND noted IS NOT NULL ORDER BY noted DESC LIMIT 1

-- name: user_full_name
coalesce(u.first_name, '') || ' ' || coalesce(u.last_name, '')

-- name: user_email_text
EXISTS (
    SELECT FROM user_identifiers AS n WHERE n.user_id = u.id AND n.kind = 'email_address'
        AND strpos(lower(n.value), lower(:email_address_text::text COLLATE "C")) > 0)

-- name: user_phone_text
EXISTS (
    SELECT FROM user_identifiers AS n WHERE n.user_id = u.id AND n.kind = 'phone_number'
        AND strpos(lower(n.value), lower(:phone_number_text::text COLLATE "C")) > 0)

-- name: user_username_text
strpos(lower(coalesce(u.username, '')), lower(:username_text::text COLLATE "C")) > 0

-- name: user_name_text
strpos(lower({user_full_name}), lower(:name_text::text COLLATE "C")) > 0

-- name: user_text
(strpos(lower(u.id), lower(:text::text COLLATE "C")) > 0
    OR strpos(lower({user_full_name}), lower(:text::text COLLATE "C")) > 0 OR EXISTS (
        SELECT FROM user_identifiers AS n WHERE n.user_id = u.id AND n.kind <> 'external_id'
            AND strpos(lower(n.value), lower(:text::text COLLATE "C")) > 0))

-- name: user_has_email
EXISTS (
    SELECT FROM user_identifiers AS n
    WHERE n.user_id = u.id AND n.kind = 'email_address' AND n.value = ANY(:email_addresses::text[]))

-- name: user_has_phone
EXISTS (
    SELECT FROM user_identifiers AS n
    WHERE n.user_id = u.id AND n.kind = 'phone_number' AND n.value = ANY(:phone_numbers::text[]))

-- name: user_has_username
u.username = ANY(:usernames::text[])

-- An organization leaves the sessions of all or of one user, ended ones keep it. The version counts, so that a change
-- of the session that was read before does not bring it back.
-- name: sessions_leave_organization
UPDATE sessions SET organization_id = NULL, version = version + 1, updated_at = greatest(:now, updated_at + 1)
WHERE organization_id = :organization_id AND ended_at IS NULL

-- name: sessions_of_user_leave_organization
{sessions_leave_organization} AND user_id = :user_id

-- name: session_in_organization
SELECT {session_columns}, {cutoff_columns}, {organization_columns}, {membership_columns}
FROM sessions AS s {with_cutoffs}
LEFT JOIN memberships AS m ON m.organization_id = s.organization_id AND m.user_id = s.user_id
LEFT JOIN organizations AS o ON o.id = m.organization_id
WHERE s.id = :id
