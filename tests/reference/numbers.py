"""Numbers of invoices (5.12): series without gaps."""

import re
from datetime import date

_NUMBER = re.compile(r"\{number(:[^{}]*)?\}")
_FIRST = 1


def series(form: str, day: date) -> str:
    """Name the series that a number of this day is of: the format with all but `{number}` filled in."""
    return _filled(_NUMBER.sub(lambda found: found[0].replace("{", "{{").replace("}", "}}"), form), day)


def take(numbers: dict[str, int], form: str, day: date) -> str:
    """Give the next number of the day's series, never to be given again."""
    name = series(form, day)
    number = numbers.get(name, _FIRST)
    numbers[name] = number + 1
    return form.format(year=f"{day:%Y}", month=f"{day:%m}", number=number)


def _filled(form: str, day: date) -> str:
    return form.format(year=f"{day:%Y}", month=f"{day:%m}")
