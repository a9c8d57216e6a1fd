-- name: delivery
SELECT account_id, member_id, kind, topic_id FROM app.delivery($1, $2);

-- name: say_why
SELECT app.say_why($1, $2, $3);

-- name: stop
SELECT scope, since FROM app.stop_member($1, $2, $3::text[], $4);

-- name: stops
SELECT scope, reason, occurred_at, lifted_at FROM app.stops_of($1, $2);

-- name: lift
SELECT app.lift_stops($1, $2, $3::text[], $4);

-- name: now
SELECT app.now();
