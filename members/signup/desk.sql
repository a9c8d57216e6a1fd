-- name: hand_in
-- Named columns alone: whoever hands in may write no others, and reads none.
INSERT INTO signup_request (request_id, account_id, sealed) VALUES ($1, $2, $3);
