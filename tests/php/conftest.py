from collections.abc import Iterator

import pytest

from tests.php.real_php import Php, asking


@pytest.fixture(scope="session")
def php(php_program: str) -> Iterator[Php]:
    with asking(php_program) as found:
        yield found
