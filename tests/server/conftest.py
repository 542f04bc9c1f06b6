from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serving import Running, running_service

CLIP = Path(__file__).parents[2] / "examples" / "loud_fast_high.wav"


@pytest.fixture(scope="session")
def service(embedded: Path) -> Iterator[Running]:
    """A service with the embedded model, one worker, and no limit of the rate."""
    with running_service("--rate", 0, "--idle-seconds", 2, "--max-megabytes", 2, "--max-sessions", 4) as running:
        yield running


@pytest.fixture
def client(service: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.address, timeout=60) as client:
        yield client
