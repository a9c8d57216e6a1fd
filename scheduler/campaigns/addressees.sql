-- name: tags
-- In the vault, which says in one place who may be sent to.
SELECT member_id, tag FROM app.reach($1, NULL) WHERE member_id = ANY ($2::uuid[]) AND reason IS NULL;
