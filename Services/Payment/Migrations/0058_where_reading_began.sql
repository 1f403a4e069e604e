-- From when on a provider's movements are ours to book: the day on which its reading began. Some providers list more than a
-- span that they are asked for. NULL: of readings that began before this it is not known, and nothing is left out.
ALTER TABLE settlement_cursors ADD COLUMN began_at timestamptz;
