-- What PayPal keeps had its kind in the place of a brand. A card's brand is learned from the declines that name it; until then
-- nobody knows its network.
UPDATE payment_methods SET brand = NULL WHERE provider = 'paypal' AND brand = type;
