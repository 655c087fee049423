"""The revisions, one small module each."""
