-- Templates: named shapes of claims. There are never many.

-- name: template_values
name, claims, lifetime_seconds, allowed_clock_skew_seconds, signing_algorithm, key_id, version, updated_at

-- name: template_columns
seq, id, created_at, {template_values}

-- name: template_get
SELECT {template_columns} FROM templates WHERE id = ?

-- name: template_by_name
SELECT {template_columns} FROM templates WHERE name = ?

-- name: template_page
SELECT {template_columns} FROM templates ORDER BY seq DESC LIMIT ? OFFSET ?

-- name: template_count
SELECT count(*) FROM templates

-- name: template_insert
INSERT INTO templates (id, created_at, {template_values}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: template_update
UPDATE templates SET (created_at, {template_values}) = (?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ? AND version = ?

-- name: template_delete
DELETE FROM templates WHERE id = ? AND version = ?
