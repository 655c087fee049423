"""A database as it is after very many orders: a pattern that the worker has placed, multiplied."""
