"""Numbered, forward only: each .sql file is executed by the revision of its name."""
