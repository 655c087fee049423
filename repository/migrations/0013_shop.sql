-- Whose database it is, and from which order id on nothing may be missing. A table of its own: the catalogue's row is
-- read by every batch.
CREATE TABLE shop (
    only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT shop_has_one_row CHECK (only_row),
    id uuid NOT NULL DEFAULT gen_random_uuid(), -- what RabbitMQ keeps too, in the stream orders.shop
    gap_to bigint NOT NULL DEFAULT 0 -- of orders up to this id some may be lost: `orders recover` has told of them
);

INSERT INTO shop DEFAULT VALUES;
