-- From where a method was given on a link's page, as a hash of link and address: on a link for several payments each address
-- may try so many an hour. NULL: nobody knows, of methods from before this.
ALTER TABLE payment_link_cards ADD COLUMN visitor text;
