-- What orders are found by. Each is one more write for what an order has: a service, a domain, a renewal.
CREATE INDEX orders_by_placed_at ON orders (placed_at, id);
CREATE INDEX orders_by_catalogue_version ON orders (catalogue_version, id) WHERE catalogue_version IS NOT NULL;
CREATE INDEX services_by_product ON services (product_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX services_by_domain ON services (domain) WHERE domain IS NOT NULL;
CREATE INDEX domains_by_name ON domains (name);
CREATE INDEX renewals_by_domain ON renewals (domain_id) WHERE domain_id IS NOT NULL;
CREATE INDEX clients_by_email ON clients (lower(email));
