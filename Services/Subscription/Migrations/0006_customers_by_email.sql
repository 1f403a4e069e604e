-- Customers are looked up by their address, whatever its case.
CREATE INDEX customers_email ON customers (lower(email), created_at DESC, id DESC);
