-- A card out of a wallet whose cryptogram says that the wallet has authenticated its customer: a risk that wants the customer
-- to authenticate has what it wants.
ALTER TABLE payment_methods ADD COLUMN authenticated_by_wallet boolean NOT NULL DEFAULT false;
