"""Throughput of one worker against what a user would pick instead, the database alone, and both servers alone."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks import contents, pgbench
from tests.benchmarks.bare import RECORDING
from tests.benchmarks.figures import Aim, Figure, Report
from tests.benchmarks.load import KINDS, Order, mixed
from tests.benchmarks.measuring import Measured, carry_out_all
from tests.benchmarks.servers import BARE, OURS, PEER, Bench, BenchmarkFailed, tell


@dataclass(frozen=True, slots=True)
class Size:
    rounds: int
    orders: int
    peer_orders: int
    pgbench_seconds: int


FULL = Size(rounds=5, orders=5_000, peer_orders=1_500, pgbench_seconds=5)
QUICK = Size(rounds=3, orders=1_500, peer_orders=400, pgbench_seconds=2)


async def measure(bench: Bench, report: Report) -> None:
    size = QUICK if report.is_quick else FULL
    orders = list(itertools.islice(mixed(), size.orders))
    recording = bench.folder / "recording.pickle"
    scripts = []
    tell("recording what a worker does")
    async with bench.database() as url:
        await carry_out_all(bench, url, orders, "tests.benchmarks.recording", str(recording))
        written = await contents.written(url)
        requests = {kind: next(order.message_id for order in orders if order.kind == kind) for kind in KINDS}
        scripts = await pgbench.write_scripts(url, bench.folder, requests)
    tell("comparing what each program writes")
    few = orders[: size.peer_orders]
    _check("ours and FastStream's", (await _round(bench, few, *OURS))[1], (await _round(bench, few, *PEER))[1])
    ours: list[Measured] = []
    peers: list[Measured] = []
    bares: list[Measured] = []
    pgbenches: list[float] = []
    for number in range(size.rounds):
        tell(f"throughput, round {number + 1} of {size.rounds}")
        measured, rows = await _round(bench, orders, *OURS)
        ours.append(measured)
        peers.append((await _round(bench, few, *PEER))[0])
        bare, bare_rows = await _round(bench, orders, *BARE, **{RECORDING: str(recording)})
        bares.append(bare)
        _check("ours and the recorded", rows, written)
        _check("ours and the bare", rows, bare_rows)
        async with bench.database() as url:
            pgbenches.append(await pgbench.rate(url, scripts, size.pgbench_seconds))
    report.courses |= {"ours": ours[-1].course, "FastStream": peers[-1].course, "bare": bares[-1].course}
    report.figures += _figures(ours, peers, bares, pgbenches)


async def _round(
    bench: Bench, orders: Sequence[Order], *module: str, **settings: str
) -> tuple[Measured, contents.Contents]:
    async with bench.database() as url:
        return await carry_out_all(bench, url, orders, *module, **settings), await contents.written(url)


def _check(what: str, one: contents.Contents, other: contents.Contents) -> None:
    if differ := contents.differences(one, other):
        raise BenchmarkFailed(f"what was written differs, {what}: " + "; ".join(differ))


def _figures(
    ours: Sequence[Measured], peers: Sequence[Measured], bares: Sequence[Measured], pgbenches: Sequence[float]
) -> list[Figure]:
    rates = [one.rate for one in ours]
    mine = f"{statistics.median(rates):.0f} orders/s"

    def against(name: str, others: Sequence[float], what: str, aim: float) -> Figure:
        return Figure(
            f"throughput against {name}",
            tuple(rate / other for rate, other in zip(rates, others, strict=True)),
            Aim(aim, at_least=True),
            note=f"{mine}, {what} {statistics.median(others):.0f}",
        )

    def cpu(part: str, aim: Aim | None) -> Figure:
        def micros(rounds: Sequence[Measured]) -> list[float]:
            return [getattr(one.cpu_micros, part) for one in rounds]

        return Figure(
            f"CPU an order: {'worker' if part == 'program' else part}",
            tuple(micros(ours)),
            aim,
            unit="µs",
            note=f"FastStream {statistics.median(micros(peers)):.0f}, bare {statistics.median(micros(bares)):.0f}",
            more_is_better=False,
            is_compared=part == "program",
        )

    return [
        against("FastStream + SQLAlchemy", [peer.rate for peer in peers], "they", 8),
        against("the database alone", pgbenches, "pgbench", 0.6),
        against("broker and database alone", [bare.rate for bare in bares], "these", 0.7),
        cpu("program", Aim(450)),
        cpu("postgres", None),
        cpu("broker", None),
    ]
