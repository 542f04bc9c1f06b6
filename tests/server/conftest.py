from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.serving import OTHER_ORIGIN, TOKEN, Running, running_service


@pytest.fixture(scope="session")
def service(embedded: Path) -> Iterator[Running]:
    """A service with the embedded model, one worker, and no limit of the rate or of one client."""
    with running_service(
        "--rate",
        0,
        "--idle-seconds",
        2,
        "--max-megabytes",
        2,
        "--max-sessions",
        4,
        "--max-timelines",
        2,
        "--client-share",
        1,
    ) as running:
        yield running


@pytest.fixture(scope="session")
def guarded(embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with two tokens, and one other origin that may use it."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text(f"# of the tests\n{TOKEN}\nanother-one-of-sixteen\n", "utf-8")
    with running_service("--token-file", file, "--origin", OTHER_ORIGIN, "--rate", 0) as running:
        yield running


@pytest.fixture
def client(service: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.address, timeout=60) as client:
        yield client
