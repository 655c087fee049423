"""Reads and judges a request without carrying it out: who asks, and what."""
