-- name: page
SELECT * FROM app.mails_of($1, $2, $3, $4);

-- name: stops
SELECT * FROM app.stops_of($1, $2);

-- name: sent_to
SELECT seq, campaign, audience, starts_at, body FROM app.mail_to($1, $2, $3);

-- name: file
SELECT name, content_type, content FROM app.file_of_mail($1, $2, $3);

-- name: subjects
SELECT run_id, body FROM app.subjects_to($1, $2, $3::uuid[]);
