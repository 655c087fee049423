"""A private RabbitMQ, from the distribution's binaries, installed with apt-get if there are none, or a newer one."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tenacity import Retrying, retry_if_exception_message, stop_after_delay, wait_fixed

from deploy.local import rabbitmq4
from deploy.local.host import (
    LocalServerError,
    User,
    free_port,
    make_private_folder,
    run,
    say,
    servable,
    unprivileged,
    write_readable,
)
from deploy.local.processes import spawn
from deploy.local.server import LocalServer

# Which RabbitMQ is to be started: 4, or, if it is not set, what the distribution has.
VARIABLE = "LOCAL_RABBITMQ"
PACKAGE = "rabbitmq-server"
PROGRAMS = Path("/usr/lib/rabbitmq/bin")  # not /usr/sbin's, which insist on the package's own user and folders
INSTALL_SECONDS_MAX = 900.0  # for apt-get, about 30 packages over a slow line
NOT_YET = "requires the 'rabbit' app to be running"
RUNNING_SECONDS_MAX = 10.0  # after it lets clients in
RUNNING_POLL_SECONDS = 0.5
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


def chosen_version() -> str:
    """Return 4, or nothing for what the distribution has."""
    version = os.environ.get(VARIABLE, "")
    if version not in ("", rabbitmq4.VERSION):
        raise LocalServerError(f"{VARIABLE}={version}: there is {rabbitmq4.VERSION}, or what the distribution has")
    return version


def chosen_root() -> Path | None:
    return rabbitmq4.make_root() if chosen_version() else None


def start_rabbitmq(folder: Path) -> "RabbitMQ":
    """Start a RabbitMQ of one's own, with its data in `folder` or its stand-in; `delete()` removes both."""
    broker = RabbitMQ(servable(folder), free_port(RabbitMQ.PORTS_COUNT), root=chosen_root())
    broker.start()
    return broker


@dataclass(frozen=True, slots=True)
class RabbitMQ(LocalServer):
    """A broker.

    Before `kill()`, give RabbitMQ 3.10 two seconds after the last declaration: a quorum queue younger than that may
    come back without a leader, for good.
    """

    # Of the system that its programs are of; ours, if there is none.
    root: Path | None = field(default=None, kw_only=True)

    # AMQP, Erlang's distribution, epmd, which tells where the distribution listens, and the management plugin's.
    PORTS_COUNT: ClassVar[int] = 4
    ENDING: ClassVar[dict[str, signal.Signals]] = {"rabbitmq": signal.SIGTERM, "epmd": signal.SIGTERM}

    @property
    def url(self) -> str:
        return f"amqp://orders:{PASSWORD}@127.0.0.1:{self.port}/"

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl on it and return what it printed."""
        command, user = self.at_home([self._program("rabbitmqctl"), "--quiet", *arguments])
        # It lets clients in a moment before it says that it runs. To ask at each start would cost a second each time.
        retrying = Retrying(
            retry=retry_if_exception_message(match=rf"(?s).*{NOT_YET}"),
            stop=stop_after_delay(RUNNING_SECONDS_MAX),
            wait=wait_fixed(RUNNING_POLL_SECONDS),
            reraise=True,
        )
        return retrying(run, command, self._environment(), user=user)

    def import_definitions(self, definitions: str) -> None:
        """Take over users, virtual hosts and all that is in them, from the text of a definitions.json."""
        # From a file: from standard input, some 4.x never come to an end.
        write_readable(self.folder / "definitions.json", definitions)
        self.control("import_definitions", str(self._seen / "definitions.json"))

    def enable_management(self) -> str:
        """Have the management plugin run until the broker stops; return its URL. Done again it changes nothing."""
        port = self.port + 3
        write_readable(self._plugins, "[rabbitmq_management].\n")
        listener = f'[{{port, {port}}}, {{ip, "127.0.0.1"}}]'
        # Its port cannot stand in the configuration, which a broker without the plugin refuses for it.
        self.control(
            "eval",
            f"application:set_env(rabbitmq_management, tcp_config, {listener}, [{{persistent, true}}]), "
            f'rabbit_plugins:ensure("{self._seen / self._plugins.name}").',
        )
        return f"http://orders:{PASSWORD}@127.0.0.1:{port}"

    def _spawn(self) -> None:
        server = self._program(PACKAGE)
        if not (self.folder / "node").exists():
            make_private_folder(self.folder / "node")
        write_readable(self.folder / "rabbitmq.conf", self.configuration())
        write_readable(self._plugins, "[].\n")
        for name, program in (("epmd", "epmd"), ("rabbitmq", server)):
            if name in self.ENDING:
                log = self.log if name == "rabbitmq" else self.folder / f"{name}.log"
                command, user = self.at_home([program])
                spawn(command, self._environment(), self.pid_file(name), log, user=user)

    def configuration(self) -> str:
        return CONFIGURATION.format(port=self.port, password=PASSWORD)

    @property
    def node_name(self) -> str:
        return "orders@localhost"

    @property
    def epmd_port(self) -> int:
        return self.port + 2

    @property
    def _plugins(self) -> Path:
        return self.folder / "enabled_plugins"

    @property
    def _seen(self) -> Path:
        """Where the broker sees its folder."""
        return rabbitmq4.PLACE if self.root else self.folder

    def _program(self, name: str) -> Path:
        return PROGRAMS / name if self.root else (_installed() or _install()).with_name(name)

    def at_home(self, command: Sequence[str | Path]) -> tuple[Sequence[str | Path], User]:
        """Return how, and as whom, to run a command where its programs are."""
        if self.root is None:
            return command, unprivileged()
        return rabbitmq4.entering(self.root, self.folder, command), {}

    def _environment(self) -> dict[str, str]:
        """Return all it is to know: nothing of the caller's RABBITMQ_* variables, nothing of the distribution's."""
        node = self._seen / "node"
        return {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "HOME": str(node),  # where Erlang keeps its cookie
            # An epmd of its own, started and ended by us: Erlang would start one for the whole machine and leave it.
            "ERL_AFLAGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.epmd_port),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self._seen / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(self.port + 1),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._seen / self._plugins.name),
            "RABBITMQ_LOG_BASE": str(node / "log"),
            "RABBITMQ_MNESIA_BASE": str(node / "data"),
            "RABBITMQ_NODENAME": self.node_name,
            "detached": "true",  # its start script becomes the server instead of waiting for it
        }


def _installed() -> Path | None:
    packaged = PROGRAMS / PACKAGE
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
