"""A private RabbitMQ, from the distribution's binaries, installed with apt-get if there are none."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deploy.local.host import (
    LocalServerError,
    free_port,
    make_private_folder,
    run,
    say,
    servable,
    write_readable,
)
from deploy.local.processes import spawn
from deploy.local.server import LocalServer

PACKAGE = "rabbitmq-server"
INSTALL_SECONDS_MAX = 900.0  # for apt-get, about 30 packages over a slow line
PASSWORD = "orders"  # noqa: S105 - for a server that only this machine can reach
PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/usr/bin", "/bin"))

# The impersonator tag lets the worker publish again what another user published, user_id and all.
CONFIGURATION = """\
listeners.tcp.local = 127.0.0.1:{port}
default_user = orders
default_pass = {password}
default_user_tags.administrator = true
default_user_tags.impersonator = true
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.console.use_colors = off
log.file = false
"""


def start_rabbitmq(folder: Path) -> "RabbitMQ":
    """Start a RabbitMQ of one's own, with its data in `folder` or its stand-in; `delete()` removes both."""
    broker = RabbitMQ(servable(folder), free_port(RabbitMQ.PORTS_COUNT))
    broker.start()
    return broker


@dataclass(frozen=True, slots=True)
class RabbitMQ(LocalServer):
    """A broker.

    Before `kill()`, give RabbitMQ 3.10 two seconds after the last declaration: a quorum queue younger than that may
    come back without a leader, for good.
    """

    PORTS_COUNT: ClassVar[int] = 3  # AMQP, Erlang's distribution, and epmd, which tells where the distribution listens
    ENDING: ClassVar[dict[str, signal.Signals]] = {"rabbitmq": signal.SIGTERM, "epmd": signal.SIGTERM}

    @property
    def url(self) -> str:
        return f"amqp://orders:{PASSWORD}@127.0.0.1:{self.port}/"

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl on it and return what it printed."""
        return run([_program().with_name("rabbitmqctl"), "--quiet", *arguments], self._environment())

    def import_definitions(self, definitions: str) -> None:
        """Take over users, virtual hosts and all that is in them, from the text of a definitions.json."""
        file = self.folder / "definitions.json"  # from standard input, some 4.x never come to an end
        write_readable(file, definitions)
        self.control("import_definitions", str(file))

    def _spawn(self) -> None:
        server = _program()
        if not (self.folder / "node").exists():
            make_private_folder(self.folder / "node")
        write_readable(self.folder / "rabbitmq.conf", CONFIGURATION.format(port=self.port, password=PASSWORD))
        write_readable(self.folder / "enabled_plugins", "[].\n")
        spawn(["epmd"], self._environment(), self.pid_file("epmd"), self.folder / "epmd.log")
        spawn([server], self._environment(), self.pid_file("rabbitmq"), self.log)

    def _environment(self) -> dict[str, str]:
        """Return all it is to know: nothing of the caller's RABBITMQ_* variables, nothing of the distribution's."""
        node = self.folder / "node"
        return {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "HOME": str(node),  # where Erlang keeps its cookie
            # An epmd of its own, started and ended by us: Erlang would start one for the whole machine and leave it.
            "ERL_AFLAGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.port + 2),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(self.port + 1),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_LOG_BASE": str(node / "log"),
            "RABBITMQ_MNESIA_BASE": str(node / "data"),
            "RABBITMQ_NODENAME": "orders@localhost",
            "detached": "true",  # its start script becomes the server instead of waiting for it
        }


def _program() -> Path:
    return _installed() or _install()


def _installed() -> Path | None:
    # The packages' /usr/sbin/rabbitmq-server insists on their own user and folders; this is the server behind it.
    packaged = Path("/usr/lib/rabbitmq/bin", PACKAGE)
    found = str(packaged) if packaged.exists() else shutil.which(PACKAGE, path=PATH)
    return Path(found) if found else None


def _install() -> Path:
    mend = f"mend: sudo apt-get install --no-install-recommends {PACKAGE}, or start Docker, or set ORDERS_AMQP_URL"
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or not _succeeds([*as_root, "true"]):
        raise LocalServerError(f"no RabbitMQ here, and no right to install it; {mend}")
    say(f"installing {PACKAGE} with apt-get (a minute, once)")
    # Not to be started by its package: no init script runs at this run level, no systemctl acts offline.
    apt_get = [*as_root, "env", "RUNLEVEL=1", "SYSTEMD_OFFLINE=1", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", PACKAGE]):
        run([*apt_get, "--quiet", *arguments], os.environ, user={}, seconds_max=INSTALL_SECONDS_MAX)
    _succeeds([*as_root, "systemctl", "disable", PACKAGE])  # nor at the next boot
    installed = _installed()
    assert installed is not None
    return installed


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except FileNotFoundError:
        return False
