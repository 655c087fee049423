"""Mirrors worker/commands/."""
