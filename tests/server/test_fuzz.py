"""Files that went wrong: no failure of the service, no process lost, no memory kept."""

from collections import Counter
from pathlib import Path

import httpx
import pytest

import serkit
from support.mutants import mutants, sound_files
from support.serving import Running, processes_below, resident_mb

CLIP = Path(__file__).parents[2] / "examples" / "loud_fast_high.wav"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return sound_files(serkit.load_audio(CLIP, target_rate=48_000))


def test_every_format_is_heard(client: httpx.Client, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        answer = client.post("/v1/predict", files={"file": (name, content)})
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json()["duration"] == pytest.approx(2.1, abs=0.1)


@pytest.mark.parametrize("count", [210, pytest.param(2000, marks=pytest.mark.long)])
def test_mutated_files_are_refused_or_heard_and_harm_nobody(
    service: Running, client: httpx.Client, files: dict[str, bytes], count: int
) -> None:
    (worker,) = (pid for pid in processes_below(service.process.pid) if pid in service.workers)
    statuses: Counter[int] = Counter()
    memory: list[float] = []
    for number, (name, content) in enumerate(mutants(files, count, seed=count)):
        path = "/v1/timeline" if number % 5 == 4 else "/v1/predict"
        answer = client.post(path, files={"file": (name, content)})
        statuses[answer.status_code] += 1
        assert answer.status_code in (200, 415, 422), (name, answer.text)
        if number % 20 == 19:
            memory.append(resident_mb(worker))
    assert statuses[415] + statuses[422] > count / 5
    assert worker in processes_below(service.process.pid)
    assert memory[-1] - memory[len(memory) // 3] < 20
    assert len(service.log) < 30, "libraries write into the log"
    assert "Traceback" not in "".join(service.log)
    answer = client.post("/v1/predict", content=CLIP.read_bytes()).json()
    assert answer["emotion"] == serkit.load().predict(CLIP).emotion
