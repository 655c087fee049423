"""Two plots of a run, as SVG: orders a second over time, and how long answers take."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from tests.benchmarks.figures import Report

mpl.rcParams["svg.hashsalt"] = "orders"  # the same plot is the same file

NO_DATE = {"Date": None}
SIZE_INCHES = (8, 4)
BINS = 80


def draw(report: Report, folder: Path) -> list[Path]:
    """Draw what was measured; what was not is left out."""
    drawn = []
    if report.courses:
        drawn.append(_throughput(report, folder / "throughput.svg"))
    if report.latencies:
        drawn.append(_latency(report, folder / "latency.svg"))
    return drawn


def _throughput(report: Report, file: Path) -> Path:
    canvas = Canvas(figsize=SIZE_INCHES, layout="constrained")
    axes = canvas.subplots()
    for name, course in report.courses.items():
        axes.plot([at for at, _ in course], [rate for _, rate in course], label=name)
    axes.set(xlabel="seconds", ylabel="orders a second", ylim=(0, None), title="Throughput over time")
    axes.legend()
    axes.grid(alpha=0.3)
    canvas.savefig(file, metadata=NO_DATE)
    return file


def _latency(report: Report, file: Path) -> Path:
    canvas = Canvas(figsize=SIZE_INCHES, layout="constrained")
    axes = canvas.subplots()
    everything = sorted(value for values in report.latencies.values() for value in values)
    most = everything[int(0.995 * (len(everything) - 1))]  # a single outlier would squeeze all others to the left
    for name, values in report.latencies.items():
        axes.hist(values, bins=BINS, range=(0, most), histtype="stepfilled", alpha=0.5, label=name)
    axes.set(xlabel="milliseconds", ylabel="orders", title="Latency at 50 orders a second")
    axes.legend()
    canvas.savefig(file, metadata=NO_DATE)
    return file
