-- Whether a default method became it by an agreement to later charges, given on a link's page. Plans are not told of such a
-- one: what is unpaid under them is not tried with it. One that becomes the default otherwise is told of as before.
ALTER TABLE payment_methods ADD COLUMN default_for_later boolean NOT NULL DEFAULT false;
CREATE OR REPLACE TRIGGER payment_methods_tell_plans AFTER UPDATE OF is_default ON payment_methods FOR EACH ROW
    WHEN (NEW.is_default AND NOT OLD.is_default AND NOT NEW.default_for_later)
    EXECUTE FUNCTION tell_plans_of_method();
