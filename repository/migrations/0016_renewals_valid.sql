-- What 0015 has added as not valid yet, in tables that grow. Locks nobody out.
ALTER TABLE services VALIDATE CONSTRAINT services_discounts_left_is_a_count;
ALTER TABLE service_addons VALIDATE CONSTRAINT service_addons_discounts_left_is_a_count;
ALTER TABLE domains VALIDATE CONSTRAINT domains_discounts_left_is_a_count;
ALTER TABLE domains VALIDATE CONSTRAINT domains_free_with_fkey;
