"""Mirrors repository/."""
