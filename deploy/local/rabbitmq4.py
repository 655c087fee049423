"""RabbitMQ 4 beside the distribution's older one: a newer Debian in a folder, made once, whose programs run in it."""

import os
import pwd
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from deploy.local import debian
from deploy.local.host import LocalServerError, make_own_folder, run, say, stand_in, unprivileged

VERSION = "4"
SUITE = "trixie"  # has RabbitMQ 4.0
PACKAGE = "rabbitmq-server"
MAKE_SECONDS_MAX = 900.0  # 370 MB, over a slow line
PLACE = Path("/srv")  # where a broker's folder is seen by what runs in the root

# The mounts are of these processes alone, and gone with the last of them. Without /proc Erlang sees neither memory nor
# disk, and there is no alarm to be had.
ENTER = """\
set -e
root=$1 folder=$2 user=$3
shift 3
mount --rbind /proc "$root/proc"
mount --bind "$folder" "$root$0"
exec chroot --userspec="$user" "$root" "$@"
"""


def make_root() -> Path:
    """Make the folder, if it is not there: a minute.

    Raises:
        LocalServerError: it cannot be had; the text says what to do.
    """
    root = stand_in(f"rabbitmq-{VERSION}-{SUITE}")
    if root.exists():
        return root
    if os.geteuid() != 0:
        raise LocalServerError(
            f"RabbitMQ {VERSION} in a folder can be had by root only; mend: be root, or start Docker"
        )
    if not shutil.which("debootstrap"):
        debian.install("debootstrap")
    make_own_folder(root.parent)
    say(f"RabbitMQ {VERSION}: Debian {SUITE} into {root} (a minute, once)")
    unfinished = root.with_name(f"{root.name}-{os.getpid()}")
    command = ["debootstrap", "--force-check-gpg", "--variant=minbase", f"--include={PACKAGE}", SUITE, unfinished]
    try:
        run([*map(str, command), _mirror()], os.environ, user={}, seconds_max=MAKE_SECONDS_MAX)
        unfinished.rename(root)
    except OSError:  # another run was faster
        if not root.exists():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return root


def entering(root: Path, folder: Path, command: Sequence[str | Path]) -> list[str | Path]:
    """Return the command, to be given by root, that runs `command` as the unprivileged user in the root.

    There, `folder` is seen at PLACE. All of it happens in one process, which becomes the command's.
    """
    user = unprivileged()
    number = pwd.getpwnam(user["user"]).pw_uid
    return ["unshare", "--mount", "sh", "-c", ENTER, PLACE, root, folder, f"{number}:{user['group']}", *command]


def _mirror() -> str:
    """Return where apt gets Debian itself from."""
    wanted = ["Created-By: Packages", "Origin: Debian", "Label: Debian"]
    question = ["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted]
    found = run(question, os.environ, user={}).split()
    if not found:  # the lists were never fetched, or have been thrown away
        run(["apt-get", "--quiet", "update"], os.environ, user={}, seconds_max=MAKE_SECONDS_MAX)
        found = run(question, os.environ, user={}).split()
    if not found:
        raise LocalServerError(
            f"apt gets nothing from Debian, which has RabbitMQ {VERSION}; mend: see `{shlex.join(question)}`, "
            "or start Docker"
        )
    return found[0]
