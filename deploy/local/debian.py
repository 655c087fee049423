"""Packages of Debian and Ubuntu, installed with apt-get where we may."""

import os
import shutil
import subprocess

from deploy.local.host import LocalServerError, run, say

INSTALL_SECONDS_MAX = 900.0  # for apt-get, over a slow line


def install(package: str) -> None:
    """Install a package, as root or with sudo.

    Raises:
        LocalServerError: it cannot be had; the text says what to do.
    """
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or not _succeeds([*as_root, "true"]):
        mend = f"mend: sudo apt-get install --no-install-recommends {package}"
        raise LocalServerError(f"no {package} here, and no right to install it; {mend}")
    say(f"installing {package} with apt-get (once)")
    apt_get = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        run([*apt_get, *arguments], os.environ, user={}, seconds_max=INSTALL_SECONDS_MAX)


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except FileNotFoundError:
        return False
