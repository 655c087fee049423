"""What every server is to us, whoever runs it: an address, and how to start, stop and kill it."""

import shutil
import signal
import socket
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from deploy.local import processes
from deploy.local.host import LocalServerError, last_lines, make_own_folder

START_SECONDS_MAX = 90.0  # a cold RabbitMQ takes 6 on two cores; a crowded CI runner is ten times slower
ANSWER_SECONDS_MAX = 2.0


class Server(ABC):
    """A server of ours. It holds no open handle, so another process may rebuild it from its fields."""

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def launch(self) -> None:
        """Begin to start; do nothing if it runs."""

    @abstractmethod
    def is_running(self) -> bool: ...

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def kill(self) -> None:
        """End it as a power cut would."""

    @abstractmethod
    def delete(self) -> None:
        """Stop it and remove its data."""

    @abstractmethod
    def last_words(self) -> str: ...

    def start(self) -> None:
        """Start it, on the same port and data if it ran before, and wait until it answers."""
        self.launch()
        self.wait()

    def wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not answers(self.url):
            if not self.is_running():
                raise LocalServerError(f"{type(self).__name__} ended while starting; {self.last_words()}")
            if time.monotonic() > deadline:
                raise LocalServerError(
                    f"{type(self).__name__} gave no answer in {START_SECONDS_MAX:.0f} s; {self.last_words()}"
                )
            time.sleep(processes.POLL_SECONDS)

    def is_alive(self) -> bool:
        return self.is_running() and answers(self.url)


@dataclass(frozen=True, slots=True)
class External(Server):
    """A server somebody else runs; its address came from the environment, and it is not ours to start or stop."""

    url: str

    def launch(self) -> None: ...
    def wait(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def delete(self) -> None: ...

    def is_running(self) -> bool:
        return True

    def is_alive(self) -> bool:
        return True  # it may want TLS; whoever connects will find out

    def last_words(self) -> str:
        return "its log is where it runs"


@dataclass(frozen=True, slots=True)
class LocalServer(Server):
    """A server of binaries on this machine. The folder is ours but for the data in it, which is the server's user's."""

    folder: Path
    port: int  # the first of PORTS_COUNT in a row

    PORTS_COUNT: ClassVar[int]
    ENDING: ClassVar[dict[str, signal.Signals]]  # its processes, the chief one first, and what each goes quietly at

    def launch(self) -> None:
        if sys.platform != "linux":
            raise LocalServerError("local binaries need Linux; mend: start Docker, or set ORDERS_*_URL")
        if self.is_running():
            return
        self.stop()  # what an earlier, half-dead one left
        make_own_folder(self.folder)
        self._spawn()

    @abstractmethod
    def _spawn(self) -> None: ...

    def is_running(self) -> bool:
        return processes.recall(self.pid_file(next(iter(self.ENDING)))) is not None

    def stop(self) -> None:
        for name, polite in self.ENDING.items():
            if process := processes.recall(self.pid_file(name)):
                processes.end(process, polite)

    def kill(self) -> None:
        processes.kill(filter(None, map(processes.recall, map(self.pid_file, self.ENDING))))

    def delete(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pid_file(self, name: str) -> Path:
        return self.folder / f"{name}.pid"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def last_words(self) -> str:
        lines = last_lines(self.log.read_text(encoding="utf-8", errors="replace"))
        return f"mend: what its log says, or `make clean` to start from nothing; {self.log}:\n{lines}"


def answers(url: str) -> bool:
    """Shake hands with a server: an open port alone may be a server still starting, or none of ours."""
    address = urlsplit(url)
    is_amqp = address.scheme == "amqp"
    try:
        with socket.create_connection((address.hostname, address.port), ANSWER_SECONDS_MAX) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01" if is_amqp else _POSTGRES_STARTUP)
            answer = connection.recv(16)
    except OSError:
        return False
    # AMQP: a frame with Connection.Start (class 10, method 10). Postgres: an authentication message, for a server
    # that is starting up answers with an error.
    return answer[7:11] == b"\x00\x0a\x00\x0a" if is_amqp else answer[:1] == b"R"


_POSTGRES_PARAMETERS = b"user\x00orders\x00database\x00orders\x00\x00"
_POSTGRES_STARTUP = (8 + len(_POSTGRES_PARAMETERS)).to_bytes(4) + (3 << 16).to_bytes(4) + _POSTGRES_PARAMETERS
