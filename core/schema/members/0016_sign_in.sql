-- Who asks for a link to sign in hands in a sealed form, as who signs up does: nobody who asks learns who is known.
ALTER TABLE signup_request DROP CONSTRAINT signup_request_letter_check,
    ADD CONSTRAINT signup_request_letter_check CHECK (letter IN ('confirm', 'already_member', 'sign_in'));
