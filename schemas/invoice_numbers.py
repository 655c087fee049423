"""How invoices are numbered: a format, its series, and the numbers in it (addorder.md 5.12)."""

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

FORMAT_CHARS_MAX = 64
DIGITS_MAX = 12  # to which a number may be filled up with zeros
NUMBER_MAX = 999_999_999_999  # where a series may be told to go on

_NUMBER = re.compile(r"\{number(?::0([1-9][0-9]?))?\}", re.ASCII)
_FIELD = re.compile(r"\{(?:year|month)\}")


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A format such as `{year}-{number:05}`: what stands before the number and behind it, and its digits at least."""

    before: str
    after: str
    digits: int

    def series(self, day: date) -> "Series":
        """Fill in all but the number: a year that begins begins a series at 1, if the format has the year."""
        return Series(_filled_in(self.before, day), _filled_in(self.after, day), self.digits)


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers that are counted together, without gaps."""

    before: str
    after: str
    digits: int

    @property
    def name(self) -> str:
        """What is one series: also where numbers are filled up to other digits than before."""
        return f"{self.before}{{number}}{self.after}"

    def number(self, position: int) -> str:
        return f"{self.before}{position:0{self.digits}d}{self.after}"


@lru_cache(16)
def number_format(written: str) -> NumberFormat:
    """Read a format.

    Raises:
        ValueError: it is none, in a sentence.
    """
    numbers = list(_NUMBER.finditer(written))
    rest = _FIELD.sub("", _NUMBER.sub("", written))
    if len(numbers) != 1:
        raise ValueError("must have {number}, or {number:05}, once: what tells two invoices apart")
    if "{" in rest or "}" in rest:
        raise ValueError("takes {year}, {month}, {number} and {number:05} in braces, and nothing else")
    [number] = numbers
    digits = int(number[1] or 1)
    if digits > DIGITS_MAX:
        raise ValueError(f"must not fill numbers up to more than {DIGITS_MAX} digits")
    if len(written) > FORMAT_CHARS_MAX or not written.isprintable() or written != written.strip():
        raise ValueError(f"must be at most {FORMAT_CHARS_MAX} characters in one line, without blanks around it")
    return NumberFormat(written[: number.start()], written[number.end() :], digits)


def _filled_in(text: str, day: date) -> str:
    return text.replace("{year}", f"{day.year:04d}").replace("{month}", f"{day.month:02d}")
