-- A locked user takes no session, which every creation looks at. Lists of users go by their creation; the row id is
-- the last column of the index, so that equal instants keep the order of creation.

ALTER TABLE users ADD COLUMN locked INTEGER NOT NULL DEFAULT 0;
UPDATE users SET locked = 1, document = json_remove(document, '$.locked') WHERE document ->> 'locked';
CREATE INDEX users_by_age ON users (created_at);
