"""What a worker waits for, and how long, before it tries its servers again."""

from typing import Any, cast

import pytest

from repository.database import AccessFault
from worker.pipeline.pauses import Pauses


class Tried:
    """Stands for what tenacity tells of the tries so far."""

    def __init__(self, number: int) -> None:
        self.attempt_number = number


def longest(pauses: Pauses, number: int) -> float:
    return max(pauses.seconds(cast("Any", Tried(number))) for _ in range(200))


def test_a_server_that_is_away_is_tried_again_within_five_seconds() -> None:
    assert 0 < longest(Pauses(), 1) <= 0.2
    assert 4 < longest(Pauses(), 30) <= 5


@pytest.mark.parametrize(("relapses", "seconds"), [(1, 1.0), (4, 8.0), (30, 60.0)])
def test_one_that_falls_back_at_once_again_and_again_is_left_alone_for_longer(relapses: int, seconds: float) -> None:
    pauses = Pauses()
    for _ in range(relapses):
        pauses.session_ended(1.0, has_worked=False)

    assert longest(pauses, 1) == seconds
    pauses.session_ended(1.0, has_worked=True)
    assert longest(pauses, 1) <= 0.2
    pauses.session_ended(1.0, has_worked=False)
    pauses.session_ended(30.0, has_worked=False)  # nothing came to be carried out
    assert longest(pauses, 1) <= 0.2


def test_a_url_that_never_let_us_in_is_not_waited_for_and_one_that_did_is() -> None:
    pauses, wrong = Pauses(), AccessFault("it does not speak TLS")
    before = pauses.wait_for(wrong)
    pauses.servers_are_there()

    assert (before, pauses.wait_for(wrong)) == (False, True)
    assert pauses.wait_for(ConnectionResetError())
    assert not pauses.wait_for(KeyError("a bug"))
