"""worker/logs.py: one line an event, which drives no terminal."""

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
