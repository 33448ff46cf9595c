-- Documents: JSON that belongs to the instance, by kind and id, each change under its version.

-- name: document_get
SELECT id, version, content FROM documents WHERE kind = :kind AND id = :id

-- name: document_page
SELECT id, version, content FROM documents WHERE kind = :kind ORDER BY seq DESC LIMIT :limit

-- name: document_insert
INSERT INTO documents (kind, id, version, content) VALUES (:kind, :id, 1, :content)

-- name: document_update
UPDATE documents SET version = version + 1, content = :content
WHERE kind = :kind AND id = :id AND version = :expected_version

-- name: document_delete
DELETE FROM documents WHERE kind = :kind AND id = :id AND version = :expected_version
