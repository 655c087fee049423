"""Throughput of one worker against what a user would pick instead, the database alone, and both servers alone."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

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
    processes: tuple[int, ...]  # beside the one; nothing is aimed at, and starting them takes its time


FULL = Size(rounds=5, orders=5_000, peer_orders=1_500, pgbench_seconds=5, processes=(2, 4))
QUICK = Size(rounds=3, orders=1_500, peer_orders=300, pgbench_seconds=2, processes=())


@dataclass(slots=True)
class Rounds:
    """What each did, round by round."""

    ours: list[Measured] = field(default_factory=list)
    peer: list[Measured] = field(default_factory=list)
    bare: list[Measured] = field(default_factory=list)
    pgbench: list[float] = field(default_factory=list)
    teams: dict[int, list[Measured]] = field(default_factory=dict)


async def measure(bench: Bench, report: Report) -> None:
    size = QUICK if report.is_quick else FULL
    orders = list(itertools.islice(mixed(), size.orders))
    few = orders[: size.peer_orders]
    recording = bench.folder / "recording.pickle"
    tell("recording what a worker does")
    async with bench.database() as url:
        await carry_out_all(bench, url, orders, "tests.benchmarks.recording", str(recording))
        written = await contents.written(url)
        requests = {kind: next(order.message_id for order in orders if order.kind == kind) for kind in KINDS}
        scripts = await pgbench.write_scripts(url, bench.folder, requests)
    if not report.is_quick:
        tell("comparing what the others write with what a worker does")
        _check("bare", written, await _written(bench, orders, *BARE, **{RECORDING: str(recording)}))
        _check("FastStream", await _written(bench, few, *OURS), await _written(bench, few, *PEER))
    rounds = Rounds(teams={processes: [] for processes in size.processes})
    for number in range(size.rounds):
        tell(f"throughput, round {number + 1} of {size.rounds}")
        rounds.ours.append(await _round(bench, orders, *OURS))
        rounds.peer.append(await _round(bench, few, *PEER))
        rounds.bare.append(await _round(bench, orders, *BARE, **{RECORDING: str(recording)}))
        for processes, team in rounds.teams.items():
            team.append(await _round(bench, orders, *OURS, f"--processes={processes}"))
        async with bench.database() as url:
            rounds.pgbench.append(await pgbench.rate(url, scripts, size.pgbench_seconds))
    report.courses |= {
        "ours": rounds.ours[-1].course,
        "FastStream": rounds.peer[-1].course,
        "broker and database alone": rounds.bare[-1].course,
    }
    report.figures += _figures(rounds)


async def _round(bench: Bench, orders: Sequence[Order], *module: str, **settings: str) -> Measured:
    async with bench.database() as url:
        return await carry_out_all(bench, url, orders, *module, **settings)


async def _written(bench: Bench, orders: Sequence[Order], *module: str, **settings: str) -> contents.Contents:
    async with bench.database() as url:
        await carry_out_all(bench, url, orders, *module, **settings)
        return await contents.written(url)


def _check(who: str, ours: contents.Contents, others: contents.Contents) -> None:
    if differ := contents.differences(ours, others):
        raise BenchmarkFailed(f"{who} does not write what a worker writes: " + "; ".join(differ))


def _figures(rounds: Rounds) -> list[Figure]:
    rates, bare = _rates(rounds.ours), _rates(rounds.bare)
    middle = statistics.median(bare)

    def against(name: str, others: Sequence[float], what: str, aim: float) -> Figure:
        return _ratio(f"throughput against {name}", rates, others, f"{what} {statistics.median(others):.0f}", aim)

    return [
        against("FastStream + SQLAlchemy", _rates(rounds.peer), "they", 8),
        against("the database alone", rounds.pgbench, "pgbench", 0.6),
        against("broker and database alone", bare, "these", 0.7),
        _cpu(rounds, "program", Aim(450)),
        _cpu(rounds, "postgres", None),
        _cpu(rounds, "broker", None),
        *(
            _ratio(f"scale: {processes} processes against 1", _rates(team), rates, f"1: {statistics.median(rates):.0f}")
            for processes, team in rounds.teams.items()
        ),
        *(
            _ratio(
                f"{processes} processes against broker and database alone", _rates(team), bare, f"these {middle:.0f}"
            )
            for processes, team in rounds.teams.items()
        ),
    ]


def _rates(rounds: Sequence[Measured]) -> list[float]:
    return [one.rate for one in rounds]


def _ratio(name: str, ours: Sequence[float], others: Sequence[float], what: str, aim: float | None = None) -> Figure:
    return Figure(
        name,
        tuple(one / other for one, other in zip(ours, others, strict=True)),
        None if aim is None else Aim(aim, at_least=True),
        note=f"{statistics.median(ours):.0f} orders/s, {what}",
        is_compared=aim is not None,
    )


def _cpu(rounds: Rounds, part: str, aim: Aim | None) -> Figure:
    def micros(measured: Sequence[Measured]) -> list[float]:
        return [getattr(one.cpu_micros, part) for one in measured]

    return Figure(
        f"CPU an order: {'worker' if part == 'program' else part}",
        tuple(micros(rounds.ours)),
        aim,
        unit="µs",
        note=f"FastStream {statistics.median(micros(rounds.peer)):.0f}, "
        f"bare {statistics.median(micros(rounds.bare)):.0f}",
        more_is_better=False,
        is_compared=False,  # of this machine, and so of no use on another
    )
