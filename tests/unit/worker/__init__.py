"""Mirrors worker/, of what lies in none of its rooms."""
