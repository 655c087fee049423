"""A worker that kills itself at a point of the line: python -m tests.faults.killing_worker POINT [TIME].

TIME is at which time that it gets there, the first where nothing is said.
"""

import asyncio
import functools
import itertools
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NoReturn

from repository import inbox, orders
from worker import __main__ as program
from worker.broker import batch
from worker.broker.messages import Outgoing
from worker.broker.outlet import Outlet, Untaken
from worker.pipeline import carry_out, session
from worker.pipeline.delivery_buffer import DeliveryBuffer
from worker.trial import Trial

Function = Callable[..., Any]
AsyncFunction = Callable[..., Awaitable[Any]]
Dying = Callable[[Any, int], Function]

# Of one order that wants a reply: the reply, order.added and two follow-ups.
PUBLISHES = (1, 2, 3, 4)


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def dying_before(function: AsyncFunction, time: int) -> AsyncFunction:
    times = itertools.count(1)

    @functools.wraps(function)
    async def die_first(*arguments: Any, **named: Any) -> Any:
        if next(times) == time:
            die()
        return await function(*arguments, **named)

    return die_first


def dying_after(function: AsyncFunction, time: int) -> AsyncFunction:
    times = itertools.count(1)

    @functools.wraps(function)
    async def die_then(*arguments: Any, **named: Any) -> Any:
        result = await function(*arguments, **named)
        if next(times) == time:
            die()
        return result

    return die_then


def dying_after_publish(number: int) -> Dying:
    """Die when so many messages of an order are confirmed, by whatever way they go, and not one more is sent."""

    def dying(publish: AsyncFunction, time: int) -> AsyncFunction:
        one_at_a_time = asyncio.Lock()
        last = PUBLISHES[-1] * (time - 1) + number
        confirmed = itertools.count(1)

        async def publish_one_by_one(outlet: Outlet, messages: Iterable[Outgoing], seconds: float) -> list[Untaken]:
            untaken: list[Untaken] = []
            async with one_at_a_time:
                for message in messages:
                    untaken += await publish(outlet, [message], seconds)
                    if message.body and next(confirmed) == last:  # a probe has none
                        die()
            return untaken

        return publish_one_by_one

    return dying


def dying_at_confirm(set_result: Function, time: int) -> Function:
    """Die when a message is confirmed that was sent together with others, which are not."""
    times = itertools.count(1)

    def confirm(one: batch.Confirm, told: object) -> None:
        if one.batch.left > 1 and next(times) == time:
            die()
        set_result(one, told)

    return confirm


# Each point is a seam between two steps of the straight line.
POINTS: dict[str, tuple[object, str, Dying]] = {
    "after delivery": (session, "carry_out_unsuspected", dying_before),
    "after claim": (inbox, "claim", dying_after),
    "before commit": (orders, "use_up", dying_after),
    "after commit": (carry_out, "_settle", dying_after),
    **{f"after publish {number}": (Outlet, "publish", dying_after_publish(number)) for number in PUBLISHES},
    "after a confirm, with others on their way": (batch.Confirm, "set_result", dying_at_confirm),
    "before ack": (DeliveryBuffer, "finish", dying_before),
    "after ack": (DeliveryBuffer, "finish", dying_after),
}


async def no_trial(*_: object) -> None:
    """Stand in for the trial with which a worker begins: it goes by some of these points."""


def main() -> None:
    setattr(Trial, "check", no_trial)  # noqa: B010
    point, time = (*sys.argv[1:], "1")[:2]
    place, name, dying = POINTS[point]
    setattr(place, name, dying(getattr(place, name), int(time)))
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
