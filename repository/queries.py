"""Named SQL, read once from repository/sql/, or from repository/migrations/."""

import re
from collections.abc import Mapping
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(filename: str, folder: str = "sql") -> Mapping[str, str]:
    """Split a .sql file at its `-- name: x` lines into {name: SQL}."""
    text = files("repository").joinpath(folder, filename).read_text(encoding="utf-8")
    _preamble, *parts = _NAME.split(text)
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
