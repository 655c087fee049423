"""Who acts, and what they may."""

from dataclasses import dataclass
from enum import IntEnum

from worker.operations.faults import OperationFault


class Role(IntEnum):
    """What somebody may; each may what those below may."""

    VIEWER = 1  # look
    OPERATOR = 2  # replay and discard
    ADMIN = 3  # edit, and put back from a file: both can make any request of one


class NotAllowed(OperationFault):
    """This actor may not do that."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, and the broker's user by whom they came: whoever has the operator's password is an admin there."""

    name: str
    by: str
    role: Role

    def check(self, needed: Role) -> None:
        """See that the actor may do what takes this role.

        Raises:
            NotAllowed: it takes a higher one.
        """
        if self.role < needed:
            raise NotAllowed(f"{self.name} has the role {self.role.name.lower()}; this takes {needed.name.lower()}")
