"""Where an environment says otherwise than the shop: which setting, both values, the fix."""

from collections.abc import Iterator

from schemas.shop_settings import Given, SettingValue
from worker.settings import PREFIX


def overruled(first: Given, given: Given) -> Iterator[str]:
    """List the settings of an environment that are others in the database, a sentence each."""
    for name, value in first.items():
        if name in given and given[name] != value:
            variable = f"{PREFIX}{name.upper()}"
            yield (
                f"{variable} is {_written(value)}, and the shop's own setting `{name}` is {_written(given[name])}: "
                f"the shop's counts for all workers; unset {variable}, or change `settings` with `orders catalog load`"
            )


def _written(value: SettingValue) -> str:
    return ",".join(value) or "none" if isinstance(value, tuple) else str(value)
