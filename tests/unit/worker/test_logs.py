"""worker/logs.py: one line an event, which drives no terminal."""

import os
import subprocess
import sys

import pytest

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
