"""Mirrors worker/pipeline/."""
