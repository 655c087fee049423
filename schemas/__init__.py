"""The words: every shape that crosses a wall. No I/O, no rules."""
