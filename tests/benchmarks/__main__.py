"""python -m tests.benchmarks: measure, show one table, and keep or compare the figures."""

import argparse
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import uvloop

from deploy.local.host import LocalServerError
from deploy.local.servers import Servers, local_servers
from tests.benchmarks import figures, growth, latency, memory, throughput
from tests.benchmarks.figures import Report
from tests.benchmarks.servers import Bench, BenchmarkFailed, tell

Row = Callable[[Bench, Report], Awaitable[None]]
ROWS: Mapping[str, Row] = {
    "throughput": throughput.measure,
    "latency": latency.measure,
    "table": growth.with_the_table,
    "backlog": growth.with_the_backlog,
    "order": growth.with_the_order,
    "memory": memory.measure,
}


def main() -> int:
    arguments = _parser().parse_args()
    began = time.monotonic()
    report = Report(is_quick=arguments.quick)
    rows = [ROWS[name] for name in arguments.only or ROWS]
    try:
        with local_servers() as servers:
            uvloop.run(_measure(servers, report, rows))
    except (BenchmarkFailed, LocalServerError) as error:
        tell(f"error: {error}")
        return 1
    seconds = time.monotonic() - began
    figures.show(report.figures)
    tell(f"{seconds:.0f} seconds")
    if arguments.json:
        report.write(arguments.json, seconds=seconds)
    if arguments.plots:
        from tests.benchmarks import plots  # noqa: PLC0415  # matplotlib takes a second, and only this needs it

        arguments.plots.mkdir(parents=True, exist_ok=True)
        for file in plots.draw(report, arguments.plots):
            tell(f"drawn: {file}")
    if arguments.compare:
        return _compare(report, arguments.compare)
    return 0


async def _measure(servers: Servers, report: Report, rows: list[Row]) -> None:
    async with Bench.open(servers) as bench:
        for row in rows:
            await row(bench, report)


def _compare(report: Report, before: Path) -> int:
    worse = figures.regressions(figures.read(before), report.figures)
    for line in worse:
        tell(f"worse than in {before}: {line}")
    if not worse:
        tell(f"nothing is worse than in {before}, beyond the spread of the rounds")
    return 1 if worse else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="How fast, as ratios in one run.")
    parser.add_argument("--quick", action="store_true", help="two minutes instead of fifteen: fewer and shorter rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures, round by round")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw throughput.svg and latency.svg")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="fail if a figure is worse than in such a file")
    parser.add_argument("--only", action="append", choices=list(ROWS), help="measure only this; may be repeated")
    return parser


if __name__ == "__main__":
    sys.exit(main())
