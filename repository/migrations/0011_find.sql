-- What orders are found by. Each is one more write for what an order has: a service, a domain, a renewal. Built beside
-- workers, so that nobody waits; keys of text go by their bytes.

-- name: build_orders_by_placed_at
CREATE INDEX CONCURRENTLY orders_by_placed_at ON orders (placed_at, id)

-- name: drop_orders_by_placed_at
DROP INDEX CONCURRENTLY orders_by_placed_at

-- name: build_orders_by_catalogue_version
CREATE INDEX CONCURRENTLY orders_by_catalogue_version ON orders (catalogue_version, id)
WHERE catalogue_version IS NOT NULL

-- name: drop_orders_by_catalogue_version
DROP INDEX CONCURRENTLY orders_by_catalogue_version

-- name: build_services_by_product
CREATE INDEX CONCURRENTLY services_by_product ON services (product_id, order_id) WHERE order_id IS NOT NULL

-- name: drop_services_by_product
DROP INDEX CONCURRENTLY services_by_product

-- name: build_services_by_domain
CREATE INDEX CONCURRENTLY services_by_domain ON services (domain COLLATE "C") WHERE domain IS NOT NULL

-- name: drop_services_by_domain
DROP INDEX CONCURRENTLY services_by_domain

-- name: build_domains_by_name
CREATE INDEX CONCURRENTLY domains_by_name ON domains (name COLLATE "C")

-- name: drop_domains_by_name
DROP INDEX CONCURRENTLY domains_by_name

-- name: build_renewals_by_domain
CREATE INDEX CONCURRENTLY renewals_by_domain ON renewals (domain_id) WHERE domain_id IS NOT NULL

-- name: drop_renewals_by_domain
DROP INDEX CONCURRENTLY renewals_by_domain

-- name: build_clients_by_email
CREATE INDEX CONCURRENTLY clients_by_email ON clients (lower(email) COLLATE "C")

-- name: drop_clients_by_email
DROP INDEX CONCURRENTLY clients_by_email
