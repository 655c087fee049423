"""Hypothesis in unit tests: no time limit that a busy machine could miss, nothing written beside the code."""

from hypothesis import settings

settings.register_profile("unit", deadline=None, database=None)
settings.load_profile("unit")
