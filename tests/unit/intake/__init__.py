"""Mirrors worker/intake/."""
