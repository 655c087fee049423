"""Messages that cannot be carried out slow no others down (reliability.md 7)."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.test_poison import (
    ATTEMPTS,
    FAULTY,
    SECONDS_MAX,
    WORKERS,
    PoisonedLedger,
    check_schedule,
    lines_of,
    listening,
    publish,
    until_ended,
)
from tests.shop import Shop

pytestmark = pytest.mark.alone  # how much slower poison makes the others is measured

SHARE_MIN = 0.9  # of their throughput, for the good ones with poison among them
ROUNDS_MAX = 20  # enough of them that each kind has one that nothing else slowed down


async def test_poison_is_tried_on_schedule_and_slows_the_good_down_by_a_tenth_at_most(hasty_shop: Shop) -> None:
    await be_poisoned(hasty_shop, random.Random(7), orders=500, rounds=2)


async def be_poisoned(shop: Shop, chance: random.Random, orders: int, rounds: int) -> None:
    """Send good orders, in turns with and without one in a hundred that is poison, and compare."""
    ledger = PoisonedLedger()
    seconds: dict[bool, list[float]] = {False: [], True: []}
    numbers = itertools.count(1)
    async with listening(shop) as oracle:
        workers = list(await asyncio.gather(*(shop.start_worker(FAULTY) for _ in range(WORKERS))))
        await send_round(shop, ledger, numbers, orders=orders // 4, poison_count=0, chance=chance)  # to warm up
        for number in range(max(rounds, ROUNDS_MAX)):
            # What else the machine does can only slow a round down: more rounds tell noise from a loss.
            if number >= rounds and share_of(seconds) >= SHARE_MIN:
                break
            for is_poisoned in (False, True):
                count = orders // 100 if is_poisoned else 0
                seconds[is_poisoned].append(
                    await send_round(shop, ledger, numbers, orders=orders, poison_count=count, chance=chance)
                )
        await until_ended(shop, list(ledger.poison))
        tried = Counter(line["notes"] for line in lines_of(workers, "test.tried"))
        letters = await shop.dead_letters(len(ledger.poison))
        await oracle.judge(ledger, workers, seconds_max=SECONDS_MAX)

    assert {letter.message_id: (letter.reason, letter.message, letter.attempts) for letter in letters} == dict.fromkeys(
        ledger.poison, ("failed", "RuntimeError", ATTEMPTS)
    )
    assert tried["bug"] >= ATTEMPTS * len(ledger.poison)
    check_schedule(workers, ledger.poison)
    assert share_of(seconds) >= SHARE_MIN


def share_of(seconds: dict[bool, list[float]]) -> float:
    """Compare the throughput of the good with poison among them to that without: best against best."""
    return min(seconds[False]) / min(seconds[True])


async def send_round(
    shop: Shop, ledger: PoisonedLedger, numbers: Iterator[int], *, orders: int, poison_count: int, chance: random.Random
) -> float:
    """Send orders of which some are poison, and return how long it took until the good ones were placed."""
    message_ids = [f"order-{next(numbers)}" for _ in range(orders)]
    poison = dict.fromkeys(chance.sample(message_ids, poison_count), "bug")
    began = time.monotonic()
    await publish(shop, ledger, message_ids, poison)
    await until_ended(shop, [one for one in message_ids if one not in poison])
    seconds = time.monotonic() - began
    await until_ended(shop, message_ids)
    return seconds
