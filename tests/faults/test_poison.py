"""Messages that cannot be carried out end in time, and hurt no others (reliability.md 8 and 16)."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from schemas import topology
from tests.faults.conftest import DELAY_SECONDS
from tests.faults.load import Ledger
from tests.faults.oracle import Oracle
from tests.shop import Shop, Worker

FAULTY = "tests.faults.faulty_worker"
ORDER = {"clientid": 1, "pid": [7], "paymentmethod": "paypal"}
WORKERS = 3
SECONDS_MAX = 60.0

LATE_SECONDS_MAX = 3.0  # for a message whose delay is over to be tried, on a busy machine
ATTEMPTS = len(DELAY_SECONDS) + 1
TRIES_AT_ONCE = 3  # of each attempt, where the fault is a passing one
TRY_WAIT_SECONDS = (0.05, 0.1)  # after the first and the second try, at most; with jitter
KILLER_SECONDS_MAX = 20.0  # for all that one kills to be started again
ALONE_KILLS = 3  # in orders.suspects
KILLS_MAX = (
    2 + 1 + ALONE_KILLS + 1
)  # twice in orders.requests, three times in orders.suspects; each with a copy left behind


@dataclass(slots=True)
class PoisonedLedger(Ledger):
    """A ledger in which only what has no notes can be placed."""

    poison: set[str] = field(default_factory=set)

    def is_right(self, message_id: str) -> bool:
        return message_id not in self.poison

    def order(self, message_id: str, notes: str | None) -> dict[str, Any]:
        """Note an order, and return its body. Notes are poison."""
        body = ORDER if notes is None else {**ORDER, "notes": notes}
        self.attempted[message_id] = body
        if notes is not None:
            self.poison.add(message_id)
        return body


async def publish(shop: Shop, ledger: PoisonedLedger, message_ids: Sequence[str], poison: dict[str, str]) -> None:
    """Publish orders, all at once; those that are named in `poison` with these notes."""
    bodies = {message_id: ledger.order(message_id, poison.get(message_id)) for message_id in message_ids}
    await asyncio.gather(*(shop.publish(body, message_id=one, reply_to=None) for one, body in bodies.items()))
    ledger.confirmed.update(message_ids)


async def until_ended(shop: Shop, message_ids: Sequence[str], seconds_max: float = SECONDS_MAX) -> None:
    wanted = set(message_ids)
    async with asyncio.timeout(seconds_max):
        while not wanted <= {event.data["request_id"] for event in shop.events if event.type.startswith("order.")}:
            await asyncio.sleep(0.02)


def listening(shop: Shop) -> Any:
    return Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"])


def lines_of(workers: Sequence[Worker], event: str) -> list[dict[str, Any]]:
    return [line for worker in workers for line in worker.log if line["event"] == event]


def check_schedule(workers: Sequence[Worker], poison: set[str]) -> None:
    """See that each was tried again after each delay in turn, no sooner and not much later, and then set aside."""
    steps = sorted((*lines_of(workers, "order.retried"), *lines_of(workers, "order.failed")), key=_attempts)
    crashes = lines_of(workers, "order.crashed")
    for message_id in poison:
        assert [(line["attempts"], line.get("delay")) for line in steps if line["message_id"] == message_id] == [
            *((number, queue) for number, queue in enumerate(DELAY_SECONDS, 1)),
            (ATTEMPTS, None),
        ]
        times = sorted(
            datetime.fromisoformat(line["timestamp"]).timestamp()
            for line in crashes
            if line["message_id"] == message_id
        )
        for (before, after), delay in zip(itertools.pairwise(times), DELAY_SECONDS.values(), strict=True):
            assert delay <= after - before <= delay + LATE_SECONDS_MAX


def _attempts(line: dict[str, Any]) -> int:
    return int(line["attempts"])


# ---------------------------------------------------------------- 8: what kills its process


async def test_messages_that_kill_their_workers_are_set_aside_and_all_others_placed(shop: Shop) -> None:
    await be_killed(shop, random.Random(8), orders=60, killers=1)


async def be_killed(shop: Shop, chance: random.Random, orders: int, killers: int) -> None:
    """Send orders of which some kill the process that carries them out, to three workers that are started again."""
    ledger = PoisonedLedger()
    message_ids = [f"order-{number}" for number in range(orders)]
    poison = dict.fromkeys(chance.sample(message_ids, killers), "kill")
    running: dict[int, Worker] = {}
    deaths = 0

    async def keep_running(place: int) -> None:
        nonlocal deaths
        while True:
            running[place] = await shop.spawn_worker(FAULTY)
            await asyncio.to_thread(running[place].process.wait)
            deaths += 1

    async with listening(shop) as oracle:
        await publish(shop, ledger, message_ids, poison)
        keeping = [asyncio.create_task(keep_running(place)) for place in range(WORKERS)]
        try:
            await until_ended(shop, message_ids, SECONDS_MAX + KILLER_SECONDS_MAX * killers)
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)
        letters = await shop.dead_letters(killers)
        # One that is asked to stop while it is still being started is not there to do so in an orderly way.
        await shop.until(lambda: all(lines_of([worker], "worker.consuming") for worker in running.values()))
        await oracle.judge(ledger, running.values(), seconds_max=SECONDS_MAX)

    assert {letter.message_id: (letter.reason, letter.message, letter.routing_key) for letter in letters} == (
        dict.fromkeys(poison, ("failed", "killed_its_workers", "order.add"))
    )
    failed = [event for event in shop.events if event.type == "order.failed"]
    assert {event.data["request_id"]: event.data["reason"] for event in failed} == dict.fromkeys(
        poison, "killed_its_workers"
    )
    # As often as the two queues let it, and no more: it does not kill its way through every worker there is. Among the
    # others one death may count against two killers; alone, each is its own.
    assert ALONE_KILLS * killers < deaths <= KILLS_MAX * killers


# ---------------------------------------------------------------- 16: passing faults


@pytest.mark.parametrize("workers_count", [1, WORKERS])
async def test_a_fault_that_does_not_pass_is_tried_as_often_however_many_workers_run(
    hasty_shop: Shop, workers_count: int
) -> None:
    workers = list(await asyncio.gather(*(hasty_shop.start_worker(FAULTY) for _ in range(workers_count))))

    asked = await hasty_shop.publish({**ORDER, "notes": "deadlock 1000"})
    [event] = await hasty_shop.until_events(asked.message_id or "", "order.failed")
    await hasty_shop.until(lambda: bool(lines_of(workers, "order.failed")))

    assert event.data["attempts"] == ATTEMPTS
    assert event.data["reason"] == "DeadlockDetectedError"
    times = sorted(line["at"] for line in lines_of(workers, "test.tried"))
    assert len(times) == ATTEMPTS * TRIES_AT_ONCE
    check_schedule(workers, {asked.message_id or ""})
    waits = [after - before for before, after in itertools.pairwise(times)]
    at_once = [waits[number : number + 2] for number in range(0, len(waits), TRIES_AT_ONCE)]
    for pair in at_once:
        assert all(wait <= most + LATE_SECONDS_MAX for wait, most in zip(pair, TRY_WAIT_SECONDS, strict=True))
    # Jitter: workers that failed together do not try together.
    assert len({round(wait, 4) for pair in at_once for wait in pair}) > len(at_once)
    assert await hasty_shop.waiting(topology.DEAD) == 1


async def test_deadlocks_that_pass_are_tried_again_until_all_is_placed(hasty_shop: Shop) -> None:
    ledger = PoisonedLedger()
    message_ids = [f"order-{number}" for number in range(30)]
    async with listening(hasty_shop) as oracle:
        workers = list(await asyncio.gather(*(hasty_shop.start_worker(FAULTY) for _ in range(WORKERS))))
        await publish(hasty_shop, ledger, message_ids, dict.fromkeys(message_ids[::3], "deadlock 2"))
        ledger.poison.clear()  # it passes: each worker sees two
        await oracle.judge(ledger, workers, seconds_max=SECONDS_MAX)

    assert await hasty_shop.orders_placed() == len(message_ids)
    assert lines_of(workers, "test.tried")
