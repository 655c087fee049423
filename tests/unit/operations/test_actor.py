"""Who may what: a role, and those above it."""

import pytest

from worker.operations.actor import Actor, NotAllowed, Role


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("needed", Role)
def test_an_actor_may_what_their_role_and_those_below_may(role: Role, needed: Role) -> None:
    actor = Actor("alice", "console", role)

    if role >= needed:
        actor.check(needed)
    else:
        with pytest.raises(
            NotAllowed, match=f"alice has the role {role.name.lower()}; this takes {needed.name.lower()}"
        ):
            actor.check(needed)
