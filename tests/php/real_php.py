"""A real PHP to ask: one process, a question a line (decode.php)."""

import base64
import json
import pathlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

SCRIPT = pathlib.Path(__file__).with_name("decode.php")
# Without any php.ini, and without PHP's bounds on requests: ours are others.
OPTIONS = ("-n", "-d", "max_input_vars=1000000", "-d", "max_input_nesting_level=1000", "-d", "display_errors=stderr")

# What PHP's parse_str() makes of a body: a list of (name, text or another such list), in PHP's order.
Tree = list[tuple[str, "str | Tree"]]
Path = tuple[str, ...]  # the name of a parameter, and the keys behind it


@dataclass(frozen=True)
class Parsed:
    """What PHP made of a form body."""

    tree: Tree
    paths: list[Path | None]  # of each pair, where it was put before anything overwrote it; None: dropped


@dataclass(frozen=True)
class Typed:
    """A value of PHP: null, bool, int, float, text, array, object."""

    type: str
    value: Any  # numbers as PHP writes them; an array as a list of (key, Typed)

    @property
    def elements(self) -> "list[tuple[str, Typed]]":
        return self.value if self.type == "array" else []

    def to_json(self) -> list[Any]:
        if self.type != "array":
            return [self.type, self.value]
        return [self.type, [[key, value.to_json()] for key, value in self.value]]


@dataclass(frozen=True)
class Unserialized:
    """What PHP made of serialized bytes."""

    value: Typed
    has_references: bool
    again: bytes  # what serialize() writes for it


@dataclass(frozen=True)
class Php:
    """PHP itself."""

    process: "subprocess.Popen[bytes]"

    def parse_str(self, body: bytes) -> Parsed:
        answer = self._ask("parse_str", body)
        return Parsed(_tree(answer["tree"]), [path if path is None else tuple(path) for path in answer["paths"]])

    def serialize(self, value: Typed) -> bytes:
        return base64.b64decode(self._ask("serialize", json.dumps(value.to_json()).encode()))

    def unserialize(self, blob: bytes) -> Unserialized | None:
        """Return what unserialize() makes of it; None where it refuses."""
        answer = self._ask("unserialize", blob)
        if answer is None:
            return None
        return Unserialized(_typed(answer["value"]), answer["has_references"], base64.b64decode(answer["again"]))

    def base64_decode(self, packed: bytes) -> bytes:
        return base64.b64decode(self._ask("base64_decode", packed))

    def _ask(self, what: str, about: bytes) -> Any:
        entering, answering = _pipes(self.process)
        entering.write(what.encode() + b" " + base64.b64encode(about) + b"\n")
        entering.flush()
        answer = answering.readline()
        assert answer.startswith((b"{", b'"', b"null")), f"PHP says: {answer!r}"
        return json.loads(answer)


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _tree(told: list[Any]) -> Tree:
    return [(key, value if isinstance(value, str) else _tree(value)) for key, value in told]


def _typed(told: list[Any]) -> Typed:
    kind, value = told
    return Typed(kind, [(key, _typed(member)) for key, member in value] if kind == "array" else value)


@contextmanager
def asking(program: str) -> Iterator[Php]:
    """Keep a PHP for the questions of the block."""
    with subprocess.Popen([program, *OPTIONS, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Php(process)  # leaving closes its input, and that ends it
