"""What a check finds, how bad it is, and the fix."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"  # worth knowing
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `fix` says what to do about it, and is empty where nothing is to be done."""

    check: str
    level: Level
    says: str
    fix: str = ""
