"""A worker that kills itself the first time it reaches a point: python -m tests.faults.killing_worker POINT."""

import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from repository import inbox
from worker import __main__ as program
from worker import carry_out, consumer
from worker.broker.publisher import Publisher
from worker.hand import Hand

AsyncFunction = Callable[..., Awaitable[Any]]


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def dying_before(function: AsyncFunction) -> AsyncFunction:
    @functools.wraps(function)
    async def die_first(*_: Any, **__: Any) -> NoReturn:
        die()

    return die_first


def dying_after(function: AsyncFunction) -> AsyncFunction:
    @functools.wraps(function)
    async def die_then(*arguments: Any, **named: Any) -> NoReturn:
        await function(*arguments, **named)
        die()

    return die_then


# Each point is a seam between two steps of the straight line.
POINTS: dict[str, tuple[object, str, Callable[[AsyncFunction], AsyncFunction]]] = {
    "after delivery": (consumer, "carry_out", dying_before),
    "after claim": (inbox, "claim", dying_after),
    "before commit": (inbox, "remember", dying_after),
    "after commit": (carry_out, "_settle", dying_after),
    "after the first publish": (Publisher, "publish", dying_after),
    "after publish": (Publisher, "publish_all", dying_after),
    "before ack": (Hand, "finish", dying_before),
}


def main() -> None:
    place, name, dying = POINTS[sys.argv[1]]
    setattr(place, name, dying(getattr(place, name)))
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
