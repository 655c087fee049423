"""The catalogue: read as an immutable snapshot, reloaded when its version moves; its file loaded and written."""

from repository.catalog_export import export
from repository.catalog_load import Count, LoadReport, load, rollback
from repository.catalog_snapshot import read
from schemas.catalog_file import CatalogError

__all__ = ["CatalogError", "Count", "LoadReport", "export", "load", "read", "rollback"]
