"""worker/intake/verifications.py: whose turn it is, and who is told when."""

import asyncio
import threading

import pytest

from worker.intake.verifications import THREADS, Verdict, Verification, Verifications

SECONDS_MAX = 10.0


class Bench:
    """Verifies when it is told to, and notes in which order it was begun."""

    def __init__(self) -> None:
        self.verifications = Verifications()
        self.begun: list[str] = []
        self._may_begin = threading.Semaphore(0)

    def add(self, name: str, pile: str, verdict: Verdict = Verdict.WRONG) -> Verification:
        def verify() -> Verdict:
            assert self._may_begin.acquire(timeout=SECONDS_MAX)
            self.begun.append(name)
            return verdict

        return self.verifications.add((pile, None), verify)

    def go(self, count: int) -> None:
        self._may_begin.release(count)


async def told(*verifications: Verification) -> list[Verdict | None]:
    async with asyncio.timeout(SECONDS_MAX):
        return list(await asyncio.gather(*verifications))


async def test_a_pile_leaves_the_others_their_turns() -> None:
    bench = Bench()
    for number in range(20):
        bench.add(f"pile {number}", "pile")
    right = bench.add("right", "other", Verdict.RIGHT)

    bench.go(THREADS + 2)

    assert await told(right) == [Verdict.RIGHT]
    assert len(bench.begun) <= THREADS + 2
    bench.go(100)


async def test_of_a_pile_the_newest_and_the_oldest_take_turns() -> None:
    bench = Bench()
    for number in range(20):
        bench.add(f"guess {number}", "pile")
    right = bench.add("right", "pile", Verdict.RIGHT)

    bench.go(THREADS + 2)

    assert await told(right) == [Verdict.RIGHT]
    bench.go(100)


async def test_wrong_ones_are_told_in_the_order_of_their_coming_whoever_waits_less() -> None:
    bench = Bench()
    pile = [bench.add(f"pile {number}", "pile") for number in range(10)]
    wrong = bench.add("wrong", "other")
    right = bench.add("right", "another", Verdict.RIGHT)
    order: list[str] = []
    pile[-1].add_done_callback(lambda _: order.append("pile"))
    wrong.add_done_callback(lambda _: order.append("wrong"))
    right.add_done_callback(lambda _: order.append("right"))

    bench.go(100)
    await told(*pile, wrong, right)

    assert bench.begun.index("wrong") < len(bench.begun) - 1
    assert order == ["right", "pile", "wrong"]


async def test_what_goes_wrong_with_one_is_told_to_it_and_holds_up_no_other() -> None:
    verifications = Verifications()

    def fail() -> Verdict:
        raise RuntimeError("no memory")

    broken = verifications.add(("shop", None), fail)
    wrong = verifications.add(("shop", None), lambda: Verdict.WRONG)

    assert await told(wrong) == [Verdict.WRONG]
    with pytest.raises(RuntimeError):
        await broken


async def test_with_other_credentials_those_whose_turn_has_not_come_ask_again() -> None:
    bench = Bench()
    asked = [bench.add(f"pile {number}", "pile") for number in range(5)]

    bench.verifications.forget()
    after = bench.add("after", "pile")
    bench.go(100)

    assert sorted(map(str, await told(*asked))) == sorted(map(str, [Verdict.WRONG] * THREADS + [None] * 3))
    assert await told(after) == [Verdict.WRONG]
