"""The workshop: everything that runs."""
