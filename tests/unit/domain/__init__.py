"""The rules of worker/domain, one file a rule of addorder.md 5."""
