-- Rotation: from when on a key signs, since when another does, and until when its tokens can be good. What was
-- signed before this was noted nowhere, but no token outlives its session.

ALTER TABLE stored_keys ADD COLUMN activates_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stored_keys ADD COLUMN retired_at INTEGER;
ALTER TABLE stored_keys RENAME COLUMN published_until TO last_exp_at;
ALTER TABLE stored_keys ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
UPDATE stored_keys SET
    activates_at = created_at,
    last_exp_at = ((SELECT max(expire_at) FROM sessions) + 3599999) / 3600000 * 3600000;
