-- Organizations and memberships.

CREATE TABLE organizations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    slug TEXT UNIQUE,
    name TEXT NOT NULL,
    created_by TEXT,
    max_allowed_memberships INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;
-- The row id is the last column of every index: equal instants keep the order of creation.
CREATE INDEX organizations_by_age ON organizations (created_at);
CREATE INDEX organizations_by_creator ON organizations (created_by) WHERE created_by IS NOT NULL;

-- `noted` orders a user's memberships by when they were last made or chosen: the highest is the organization in
-- which the next session begins, NULL stands for none of these.
CREATE TABLE memberships (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    noted INTEGER,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (organization_id, user_id)
) STRICT;
CREATE INDEX memberships_by_organization ON memberships (organization_id);
CREATE INDEX memberships_by_user ON memberships (user_id);

-- Few sessions of many have an active organization, and no touch changes it.
CREATE INDEX sessions_by_organization ON sessions (organization_id) WHERE organization_id IS NOT NULL;
