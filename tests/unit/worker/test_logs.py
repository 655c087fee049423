"""worker/logs.py: one line an event, which drives no terminal."""

import errno
import os
import subprocess
import sys
import threading

import pytest

from worker import logs

HOSTILE = "\\x1b]0;owned\\x07\\u202egnp\\x9b2J\\r\\nfaked line"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_log_line_shows_what_a_message_brings_and_obeys_nothing_of_it(log_format: str) -> None:
    code = (
        f"import structlog; from worker import logs; logs.configure('{log_format}'); "
        f'structlog.get_logger().info("order.placed", message_id="{HOSTILE}", order_id=7)'
    )

    written = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=True, text=True).stderr

    assert written.count("\n") == 1
    assert written.removesuffix("\n").isprintable()
    assert "order.placed" in written
    assert "owned" in written


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_log_line_is_one_write_so_that_processes_that_share_a_pipe_do_not_mix_theirs(log_format: str) -> None:
    code = (
        f"import structlog; from worker import logs; logs.configure('{log_format}'); structlog.get_logger().info('hi')"
    )
    read, write = os.pipe2(os.O_DIRECT)  # a pipe that keeps each write apart
    with os.fdopen(read, "rb", buffering=0) as packets:
        with os.fdopen(write, "wb") as pipe:
            subprocess.run([sys.executable, "-c", code], stderr=pipe, check=True)
        line = packets.read(4096)

    assert b"hi" in line
    assert line.endswith(b"\n")


def read_lines(file: int, count: int) -> list[str]:
    with open(file, encoding="utf-8") as reader:  # a pipe
        return [reader.readline() for _ in range(count)]


def test_what_cannot_be_written_is_dropped_and_told_when_it_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    is_full = threading.Event()
    write = os.write

    def write_to_a_disk(file: int, line: bytes) -> int:
        if file == writing and is_full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, line)

    monkeypatch.setattr(os, "write", write_to_a_disk)
    told: list[dict[str, object]] = []
    monkeypatch.setattr(logs.log, "warning", lambda event, **values: told.append({"event": event, **values}))
    lines = logs.Lines(writing)

    lines.write("before\n")
    lines.check()
    is_full.set()
    for number in range(3):
        lines.write(f"lost {number}\n")
    with pytest.raises(logs.LogFault, match="No space left on device"):
        lines.check()
    is_full.clear()
    lines.write("after\n")
    lines.check()

    assert read_lines(reading, 2) == ["before\n", "after\n"]
    assert told == [{"event": "log.lines_dropped", "count": 3}]
    os.close(writing)


def test_where_nobody_reads_no_line_waits_and_no_more_than_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LINES_MAX", 10)
    monkeypatch.setattr(logs, "FIRST_LINE_SECONDS_MAX", 0.1)
    monkeypatch.setattr(logs.log, "warning", lambda *_, **__: None)
    reading, writing = os.pipe()
    lines = logs.Lines(writing)
    line = "x" * 65_535 + "\n"  # fills a pipe

    for _ in range(20):
        lines.write(line)
    with pytest.raises(logs.LogFault, match="nobody reads"):
        lines.check()

    read = read_lines(reading, 10)
    assert read == [line] * 10
    os.close(writing)


def test_lines_of_several_threads_are_whole() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # as another process that has it may have made it
    lines = logs.Lines(writing)

    def log(name: str) -> None:
        for number in range(200):
            lines.write(f"{name} {number} {'x' * 1_000}\n")

    threads = [threading.Thread(target=log, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    read = read_lines(reading, 600)
    for thread in threads:
        thread.join()

    assert {line.split()[2] for line in read} == {"x" * 1_000}
    assert len({tuple(line.split()[:2]) for line in read}) == 600
    os.close(writing)
