-- What an order was placed with though it was odd. Reply and events tell it, and once they are pruned, only this does.
-- The version before writes none: what it placed has none to tell.
ALTER TABLE orders ADD COLUMN warnings text[] NOT NULL DEFAULT '{}';
