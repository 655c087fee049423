"""Collecting what is wrong, so that a caller learns of all faults of a stage at once (addorder.md 4)."""

from types import TracebackType

from schemas.rejections import Fault, Rejected


class Faults:
    """Faults found so far. `with faults:` around a rule notes what it rejects and goes on behind the block."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: list[Fault] = []

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Rejected):
            return False
        self._found.extend(error.faults)
        return True

    def add(self, fault: Fault) -> None:
        self._found.append(fault)

    def raise_if_any(self) -> None:
        """Reject with everything found, first things first, each said once."""
        if self._found:
            raise Rejected(*dict.fromkeys(self._found))
