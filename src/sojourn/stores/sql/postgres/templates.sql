-- Templates: named shapes of claims. There are never many.

-- name: template_values
name, claims, lifetime_seconds, allowed_clock_skew_seconds, signing_algorithm, key_id, version, updated_at

-- name: template_columns
seq, id, created_at, {template_values}

-- name: template_get
SELECT {template_columns} FROM templates WHERE id = :id

-- name: template_by_name
SELECT {template_columns} FROM templates WHERE name = :name

-- name: template_page
SELECT {template_columns} FROM templates ORDER BY seq DESC LIMIT :limit OFFSET :offset

-- name: template_count
SELECT count(*) FROM templates

-- name: template_insert
INSERT INTO templates (id, created_at, {template_values}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: template_update
UPDATE templates SET (created_at, {template_values}) = ROW ($1, $2, $3, $4, $5, $6, $7, $8, $9)
WHERE id = $10 AND version = $11

-- name: template_delete
DELETE FROM templates WHERE id = :id AND version = :expected_version
