"""The parameters that hold secrets: what no tool shows, and what is kept to the byte (addorder.md 2)."""

SECRET_NAMES = ("password", "secret", "rootpw", "eppcode", "accesskey")
