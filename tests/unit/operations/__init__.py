"""Mirrors worker/operations/."""
