"""worker/__main__.py: what `orders` says of itself."""

from importlib import metadata

from typer.testing import CliRunner

from worker.__main__ import COMMANDS, app_of


def test_the_program_tells_its_version() -> None:
    said = CliRunner().invoke(app_of(COMMANDS), ["--version"])

    assert (said.exit_code, said.output) == (0, f"{metadata.version('order-processor')}\n")
