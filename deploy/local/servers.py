"""The two servers of a run: where they are found, who may use them, when they stop."""

import fcntl
import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

from deploy.local import processes, rabbitmq4
from deploy.local.containers import Container, start_container
from deploy.local.host import (
    PROJECT,
    STAND_INS,
    LocalServerError,
    digest,
    free_port,
    is_free,
    make_folder,
    say,
    servable,
)
from deploy.local.postgres import Postgres
from deploy.local.processes import wait_until
from deploy.local.rabbitmq import RabbitMQ, chosen_root, chosen_version
from deploy.local.server import External, LocalServer, Server

LOCAL = PROJECT / ".local"
RUNS_MAX = 8  # at once; each takes two servers' memory
WORKER_PID_FILE = LOCAL / "worker.pid"
LOCK_SECONDS_MAX = 60.0  # another `up` or `down` is done by then; a run of the tests may not be

VARIABLES = {"RabbitMQ": "ORDERS_AMQP_URL", "Postgres": "ORDERS_POSTGRES_URL"}  # the slow one starts first
BINARIES: dict[str, type[LocalServer]] = {"RabbitMQ": RabbitMQ, "Postgres": Postgres}


def _slots(version: str) -> list[Path]:
    """Return the folders of the runs that use this version of RabbitMQ: one cannot read another's data."""
    first = LOCAL / f"rabbitmq-{version}" if version else LOCAL
    return [first, *(first / str(number) for number in range(2, RUNS_MAX + 1))]


@dataclass(frozen=True, slots=True)
class Servers:
    postgres: Server
    rabbitmq: Server

    @property
    def postgres_url(self) -> str:
        return self.postgres.url

    @property
    def amqp_url(self) -> str:
        return self.rabbitmq.url

    @property
    def environment(self) -> dict[str, str]:
        return {"ORDERS_POSTGRES_URL": self.postgres_url, "ORDERS_AMQP_URL": self.amqp_url}


@dataclass(frozen=True, slots=True)
class Memory:
    """What a slot's services.json tells: the servers last seen there, and whether they were to be left running."""

    kept: bool = False
    servers: dict[str, Server] = field(default_factory=dict)


@contextmanager
def local_servers(*, keep: bool = False) -> Iterator[Servers]:
    """Use the servers that were left running, or start some and stop them at the end; `keep` leaves them running.

    Two runs at once never meet. A run holds its slot (`.local/`, `.local/2/` …: own ports, own data) to its end, and
    a second one takes the next. Only what was left running on purpose is shared.

    Raises LocalServerError if a server cannot be had; its text says what to do.
    """
    with _signals_as_exit(), ExitStack() as holding, ExitStack() as stopping:
        slots = _slots(chosen_version())
        slot = holding.enter_context(_hold(slots[0], LOCK_SECONDS_MAX) if keep else _hold_a_free_one(slots))
        before = recall(slot)
        shared = {kind: server for kind, server in before.servers.items() if before.kept and server.is_alive()}
        servers = _start(slot, before, shared, stopping, kept=keep or bool(shared))
        if keep:
            stopping.pop_all()
        if keep or len(shared) == len(VARIABLES):
            holding.close()
        yield servers


def _start(slot: Path, before: Memory, shared: dict[str, Server], stopping: ExitStack, *, kept: bool) -> Servers:
    servers: dict[str, Server] = {}
    for kind in VARIABLES:
        server = shared.get(kind) or _find(kind, slot, before.servers.get(kind))
        servers[kind] = server
        # Before the start: whatever happens to us, the next run knows where to look.
        _remember(slot, Memory(kept, before.servers | servers))
        if kind not in shared:
            stopping.callback(_give_back, server)
            server.launch()
    for server in servers.values():
        server.wait()
    return Servers(servers["Postgres"], servers["RabbitMQ"])


def _find(kind: str, slot: Path, previous: Server | None) -> Server:
    """Find where to get a server: the environment, what runs already, a Docker engine, binaries on this machine."""
    if external := _external(kind):
        return external
    if previous and previous.is_alive():
        return previous  # left behind by a run that was killed
    if previous:
        previous.stop()
    if container := start_container(kind, f"orders-{digest(slot)}-{kind.lower()}"):
        return container
    binary = BINARIES[kind]
    port = free_port(binary.PORTS_COUNT)
    if isinstance(previous, binary) and is_free(previous.port, binary.PORTS_COUNT):
        port = previous.port  # an address in somebody's shell stays right
    folder = servable(slot / kind.lower())
    server = RabbitMQ(folder, port, root=chosen_root()) if binary is RabbitMQ else binary(folder, port)
    server.stop()  # whatever runs there on another port, if services.json was lost
    return server


def _external(kind: str) -> External | None:
    url = os.environ.get(VARIABLES[kind])
    return External(url) if url else None


def _give_back(server: Server) -> None:
    if isinstance(server, Container):
        server.delete()  # a container begins anew each time
    else:
        server.stop()


def running_servers() -> Servers | None:
    """Return the two servers a run would share now, or None if either is missing."""
    before = recall(_slots(chosen_version())[0])
    found = {kind: _external(kind) or before.servers.get(kind) for kind in VARIABLES}
    postgres, rabbitmq = found["Postgres"], found["RabbitMQ"]
    if postgres and rabbitmq and postgres.is_alive() and rabbitmq.is_alive():
        return Servers(postgres, rabbitmq)
    return None


def stop_worker() -> None:
    """Stop the worker that a demo left running."""
    if process := processes.recall(WORKER_PID_FILE):
        processes.end(process, signal.SIGTERM)


def stop_all(*, delete: bool = False) -> None:
    """Stop whatever was started from this checkout, by whomever; `delete` removes the data too."""
    stop_worker()
    for slot in filter(Path.exists, [*_slots(""), *_slots(rabbitmq4.VERSION)]):
        with _hold(slot, LOCK_SECONDS_MAX):
            before = recall(slot)
            for server in before.servers.values():
                server.delete() if delete else _give_back(server)
            _remember(slot, Memory(kept=False, servers=before.servers))
    if delete:
        shutil.rmtree(STAND_INS, ignore_errors=True)
        shutil.rmtree(LOCAL, ignore_errors=True)


def recall(slot: Path) -> Memory:
    try:
        memory = json.loads((slot / "services.json").read_text(encoding="utf-8"))
        servers = {kind: _rebuild(kind, fields) for kind, fields in memory["servers"].items()}
    except FileNotFoundError:
        return Memory()
    except (ValueError, KeyError, TypeError) as error:
        raise LocalServerError(f"{slot / 'services.json'} is unreadable ({error}); mend: remove it") from error
    return Memory(memory["kept"], servers)


def _rebuild(kind: str, fields: dict[str, Any]) -> Server:
    if "name" in fields:
        return Container(**fields)
    places = {name: Path(fields[name]) for name in ("folder", "root") if fields.get(name)}
    return BINARIES[kind](port=fields["port"], **places)


def _remember(slot: Path, memory: Memory) -> None:
    ours = {
        kind: asdict(server) for kind, server in memory.servers.items() if isinstance(server, LocalServer | Container)
    }
    text = json.dumps({"kept": memory.kept, "servers": ours}, indent=2, default=str)
    unfinished = slot / "services.json.new"
    unfinished.write_text(f"{text}\n", encoding="utf-8")
    unfinished.replace(slot / "services.json")


@contextmanager
def _hold(slot: Path, seconds_max: float) -> Iterator[Path]:
    make_folder(slot)
    with (slot / "lock").open("w") as lock:
        if not _try_lock(lock):
            say(f"waiting, {seconds_max:.0f} s at most, for another run that uses {slot}")
            if not wait_until(lambda: _try_lock(lock), seconds_max):
                raise LocalServerError(f"another run still uses {slot}; mend: end it with Ctrl-C, or wait for it")
        yield slot


@contextmanager
def _hold_a_free_one(slots: Sequence[Path]) -> Iterator[Path]:
    for slot in slots:
        make_folder(slot)
        with (slot / "lock").open("w") as lock:
            if _try_lock(lock):
                yield slot
                return
    raise LocalServerError(f"{RUNS_MAX} runs use {LOCAL} already; mend: wait for one to end")


def _try_lock(lock: IO[str]) -> bool:
    """Lock the file until it is closed, be it by our death."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _signals_as_exit() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind like Ctrl-C does, so that servers are stopped on the way; a set handler stays."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    ours = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # once is enough: a second one must not cut the stopping short
    raise SystemExit(128 + number)
