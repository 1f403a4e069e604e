-- A line that stood for a refund's booking, where the refund turned out to be a dispute's withdrawal, stands for what undid it
-- ('undone') and for the dispute's booking ('dispute') too. Whoever is there has one of the old roles.
ALTER TABLE settlement_entries
    DROP CONSTRAINT settlement_entries_role_check,
    ADD CONSTRAINT settlement_entries_role_check
        CHECK (role IN ('booking', 'fee', 'exchange', 'arrival', 'write_off', 'undone', 'dispute')) NOT VALID;
