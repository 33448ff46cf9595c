-- Documents: JSON that belongs to the instance, by kind and id, each change under its version.

-- name: document_get
SELECT id, version, content FROM documents WHERE kind = ? AND id = ?

-- name: document_page
SELECT id, version, content FROM documents WHERE kind = ? ORDER BY seq DESC LIMIT ?

-- name: document_insert
INSERT INTO documents (kind, id, version, content) VALUES (?, ?, 1, ?)

-- name: document_update
UPDATE documents SET version = version + 1, content = :content
WHERE kind = :kind AND id = :id AND version = :expected_version

-- name: document_delete
DELETE FROM documents WHERE kind = ? AND id = ? AND version = ?
