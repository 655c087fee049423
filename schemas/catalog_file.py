"""The catalogue file: bytes (JSON or YAML) → CatalogFile, or every fault there is. Its shapes: catalog_entries.py.

A fault is one line: the place, as in `products[3].pricing.USD.monthly.price`, and the mend; never a value that may be a
secret. Numbers are read as text, so that no amount passes through a float.
"""

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.catalog_entries import CatalogFile
from schemas.validation import in_words

FILE_BYTES_MAX = 32 * 2**20
FAULTS_SHOWN_MAX = 100
CHARS_SHOWN_MAX = 60  # of a key or an id in a fault


class CatalogError(Exception):
    """A catalogue file that can not be loaded. `faults` has one line for each thing that is wrong."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        more = len(self.faults) - FAULTS_SHOWN_MAX
        super().__init__("\n".join((*self.faults[:FAULTS_SHOWN_MAX], *[f"… and {more} more"] * (more > 0))))


# ---------------------------------------------------------------- reading


def parse(content: bytes | str) -> CatalogFile:
    """Read a catalogue file: JSON where it begins with a brace, else YAML.

    Every entry is valid by itself then; how they fit together is for catalog_check.py.

    Raises:
        CatalogError: all faults at once.
    """
    if len(content) > FILE_BYTES_MAX:
        raise CatalogError([f"the file must not be larger than {FILE_BYTES_MAX // 2**20} MiB"])
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        values = _json(text) if text.lstrip().startswith("{") else _yaml(text)
    except UnicodeDecodeError as error:
        raise CatalogError([f"byte {error.start} of the file is not UTF-8"]) from None
    except RecursionError:
        raise CatalogError(["the file nests too deeply"]) from None
    try:
        return CatalogFile.model_validate(values)
    except ValidationError as error:
        raise CatalogError(map(_sentence, error.errors(include_url=False, include_input=False))) from None


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise CatalogError([f"line {error.lineno}, column {error.colno}: is not JSON: {error.msg}"]) from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise CatalogError(f"the key {shown(name)} is given twice in one object" for name in _repeated(pairs))
    return members


def _repeated(pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    return [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]


class _Loader(yaml.SafeLoader):
    """YAML whose scalars stay text, apart from true, false and null: no float, no date, and no `no` that is false."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        # An alias of aliases of aliases is small in the file and endless in memory.
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not taken", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # PyYAML's
        for name in _repeated((str(key.value), value) for key, value in node.value):
            raise yaml.MarkedYAMLError(problem=f"the key {shown(name)} is given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:null|Null|NULL|~|)\Z"), ["n", "N", "~", ""])


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise CatalogError([f"{place}is not YAML: {error.problem}"]) from None
    except yaml.YAMLError:
        raise CatalogError(["the file has characters that YAML does not allow"]) from None


# ---------------------------------------------------------------- wording


def _sentence(error: ErrorDetails) -> str:
    path = error["loc"]
    if error["type"] == "extra_forbidden":
        return f"{_place(path)}: there is no such key{_did_you_mean(path)}"
    return f"{_place(path)}: {in_words(error)}"


def _place(path: Iterable[int | str]) -> str:
    place = ""
    for step in path:
        if isinstance(step, int):
            place += f"[{step}]"
        elif step != "[key]":  # pydantic's, after a key that is wrong itself
            place += f".{shown(step)}"
    return place.removeprefix(".") or "the file"


def shown(text: str) -> str:
    """Cut a key to what may stand in a line: printable and not too long."""
    short = text if len(text) <= CHARS_SHOWN_MAX else text[:CHARS_SHOWN_MAX] + "…"
    return short if short.isprintable() and short else ascii(short)


def _did_you_mean(path: Sequence[int | str]) -> str:
    close = difflib.get_close_matches(str(path[-1])[:CHARS_SHOWN_MAX], _keys_at(path[:-1]), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _keys_at(path: Sequence[int | str]) -> dict[str, Any]:
    """Follow a path to the object it leads to: the keys that this may have, and their types."""
    keys = _keys_of(CatalogFile)
    for step in map(str, path):  # a step into a list or a table of prices leads to no other shape
        shape = _shape_in(keys[step]) if step in keys else None
        keys = _keys_of(shape) if shape else keys
    return keys


def _keys_of(shape: type[BaseModel]) -> dict[str, Any]:
    return {attribute.alias or name: attribute.annotation for name, attribute in shape.model_fields.items()}


def _shape_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_shape_in, get_args(annotation))), None)
