"""Reading values inside `customfields`, `configoptions` and `domainfields`, whose types only the catalogue knows."""

_DIGITS_MAX = 18  # of any number that an id or a quantity could be
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


def whole_number(text: str) -> int | None:
    """Read 7 or 7.00, as whole numbers may arrive (addorder.md 1); None if it is none."""
    digits, _, decimals = text.partition(".")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS_MAX) or decimals.strip("0"):
        return None
    return int(digits)


def yes_or_no(text: str) -> bool | None:
    """Read a boolean in any of its spellings (addorder.md 1); None if it is none."""
    word = text.lower()
    if word in _YES:
        return True
    return False if word in _NO else None
