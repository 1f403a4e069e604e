-- What was paid by card on a business day (UTC) by currency, added up once when the day is eight days old: the fraud rate is
-- taken from ninety days, and no payment of them is read twice.
CREATE TABLE card_volumes (
    day date NOT NULL,
    currency text NOT NULL,
    volume bigint NOT NULL CHECK (volume > 0),
    payments bigint NOT NULL CHECK (payments > 0),
    PRIMARY KEY (day, currency)
);
