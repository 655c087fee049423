"""The rules of addorder.md 3 to 5. Pure: values in, values out; no I/O, no clock, no log, no float."""
