-- What a wallet's token became: it is given again to the visit that hands the token over once more.
ALTER TABLE wallet_tokens ADD COLUMN payment_method_id text;
