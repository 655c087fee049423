"""Mirrors worker/broker/."""
