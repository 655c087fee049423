"""A real PHP to compare with. CI installs it where it is missing; a desk without one skips these tests."""

import os
import shutil
from collections.abc import Iterator

import pytest

from deploy.local import debian
from tests.php.real_php import Php, asking

PACKAGE = "php-cli"


@pytest.fixture(scope="session")
def php() -> Iterator[Php]:
    if not shutil.which("php"):
        if not os.environ.get("CI"):
            pytest.skip(f"no PHP here to compare with; mend: sudo apt-get install {PACKAGE}")
        debian.install(PACKAGE)
    with asking("php") as found:
        yield found
