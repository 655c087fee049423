"""Mirrors tests/benchmarks/."""
