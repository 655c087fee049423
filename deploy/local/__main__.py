"""python -m deploy.local: the two servers, from a shell."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from deploy.local.containers import Container
from deploy.local.host import LocalServerError, say
from deploy.local.postgres import program_folder
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.server import LocalServer
from deploy.local.servers import LOCAL, Servers, local_servers, running_servers, stop_all

COMMAND_END_SECONDS_MAX = 30  # for a command to go once it was told to


def main() -> int:
    try:
        return _carry_out(_parser().parse_args())
    except LocalServerError as error:
        say(f"error: {error}")
        return 1
    except PermissionError as error:
        say(f"error: {error}; mend: be the user who started the servers, or remove what that user left")
        return 1
    except KeyboardInterrupt:
        return 130


def _carry_out(arguments: argparse.Namespace) -> int:
    match arguments.action:
        case "up":
            with local_servers(keep=True) as servers:
                _show(servers)
        case "down":
            stop_all(delete=arguments.delete)
            say("stopped")
        case "status":
            return _status()
        case "run":
            return _run(arguments.command)
        case "psql":
            return _psql(arguments.arguments)
        case "rabbitmqctl":
            return _rabbitmqctl(arguments.arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="A real Postgres and a real RabbitMQ.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("up", help="start both and leave them running")
    down = actions.add_parser("down", help="stop all that was started from this checkout")
    down.add_argument("--delete", action="store_true", help="remove the data too")
    actions.add_parser("status", help="tell what runs; standard output is for eval in a shell")
    run = actions.add_parser("run", help="run a command with both servers, started for it if need be")
    run.add_argument("command", nargs="+", metavar="COMMAND", help="after --, with its arguments")
    for program in ("psql", "rabbitmqctl"):
        tool = actions.add_parser(program, help=f"run {program} on what runs")
        tool.add_argument("arguments", nargs="*", help="its own, after --")
    return parser


def _psql(arguments: Sequence[str]) -> int:
    """Run psql on the database of the demo, if one was left, else on the server's own."""
    servers = running_servers()
    if servers is None:
        say("not running; `make up` starts them")
        return 1
    program = shutil.which("psql") or program_folder() / "psql"
    return subprocess.call([program, _demo_url() or servers.postgres_url, *arguments])


def _demo_url() -> str | None:
    settings = LOCAL / "orders.env"
    lines = settings.read_text(encoding="utf-8").splitlines() if settings.exists() else ()
    given = dict(line.split("=", 1) for line in lines if "=" in line)
    return given.get("ORDERS_POSTGRES_URL")


def _rabbitmqctl(arguments: Sequence[str]) -> int:
    servers = running_servers()
    match servers and servers.rabbitmq:
        case None:
            say("not running; `make up` starts them")
            return 1
        case RabbitMQ() as broker:
            print(broker.control(*arguments), end="")
            return 0
        case Container(name=name):
            return subprocess.call(["docker", "exec", name, "rabbitmqctl", "--quiet", *arguments])
    say("error: this broker is somebody else's, by ORDERS_AMQP_URL; fix: rabbitmqctl where it runs")
    return 1


def _status() -> int:
    servers = running_servers()
    if servers is None:
        say("not running; `make up` starts them")
        return 1
    _show(servers)
    return 0


def _show(servers: Servers) -> None:
    for server in (servers.postgres, servers.rabbitmq):
        place = f"  (data and log in {server.folder})" if isinstance(server, LocalServer) else ""
        say(f"{server.url}{place}")
    for name, url in servers.environment.items():
        print(f"export {name}={url}")


def _run(command: Sequence[str]) -> int:
    with local_servers() as servers:
        try:
            process = subprocess.Popen(command, env={**os.environ, **servers.environment})
        except FileNotFoundError:
            say(f"error: {command[0]}: no such command; mend: give its path, or the environment it is in")
            return 127
        status = _wait_for(process)
    return 128 - status if status < 0 else status


def _wait_for(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait()
    except KeyboardInterrupt:  # the command had it too, from the terminal
        with suppress(subprocess.TimeoutExpired):
            process.wait(COMMAND_END_SECONDS_MAX)
        raise
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(COMMAND_END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    sys.exit(main())
