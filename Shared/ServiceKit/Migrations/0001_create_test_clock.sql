-- How far the sandbox's clock is ahead of the system's. Never read in live mode.
CREATE TABLE test_clock (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    offset_microseconds bigint NOT NULL DEFAULT 0 CHECK (offset_microseconds >= 0)
);
INSERT INTO test_clock DEFAULT VALUES;
