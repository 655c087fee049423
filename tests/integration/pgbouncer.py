"""A pooler between us and Postgres, as shops have one: PgBouncer, of the distribution."""

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from deploy.local.host import write_readable
from deploy.local.processes import spawn
from deploy.local.server import LocalServer

PACKAGE = "pgbouncer"
ENVIRONMENT = {"PATH": os.defpath}

SETTINGS = """\
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = {pool_mode}
"""


@dataclass(frozen=True, slots=True)
class PgBouncer(LocalServer):
    """Lends sessions with the server at `server_url`, each for a session, or for a transaction."""

    server_url: str
    pool_mode: str

    PORTS_COUNT: ClassVar[int] = 1
    ENDING: ClassVar[dict[str, signal.Signals]] = {"pgbouncer": signal.SIGINT}

    @property
    def url(self) -> str:
        return self.through(self.server_url)

    def through(self, url: str) -> str:
        """Return the URL of a database of the server, by way of the pooler."""
        address = urlsplit(url)
        return address._replace(netloc=f"{address.username}@127.0.0.1:{self.port}").geturl()

    def _spawn(self) -> None:
        address = urlsplit(self.server_url)
        fields = {
            "host": address.hostname,
            "port": address.port,
            "user": unquote(address.username or ""),
            "password": unquote(address.password or ""),
        }
        server = " ".join(f"{name}={value}" for name, value in fields.items() if value)
        settings = SETTINGS.format(server=server, listen_port=self.port, pool_mode=self.pool_mode)
        write_readable(self.folder / "pgbouncer.ini", settings)
        command: list[str | Path] = [program() or PACKAGE, self.folder / "pgbouncer.ini"]
        spawn(command, ENVIRONMENT, self.pid_file("pgbouncer"), self.log)


def program() -> str | None:
    """Find PgBouncer; where Debian puts it not everybody looks."""
    return shutil.which(PACKAGE, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
