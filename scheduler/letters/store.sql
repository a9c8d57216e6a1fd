-- name: opened
SELECT * FROM app.letter_of($1, $2);

-- name: answer
SELECT answered, mine FROM app.answer_letter($1, $2);

-- name: recent
SELECT app.letters_to($1, $2, $3, $4);
