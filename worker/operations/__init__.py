"""What operators do and ask, without a face: values and exceptions come out, settings and who acts come in."""
