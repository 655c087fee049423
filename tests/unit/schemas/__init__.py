"""Mirrors schemas/."""
