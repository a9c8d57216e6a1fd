-- name: leave
-- Arrays, so that many who leave at once are one COMMIT.
SELECT place FROM app.leave($1::uuid[], $2::integer[], $3::boolean[]);
