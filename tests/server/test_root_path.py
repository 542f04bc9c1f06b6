"""Below a path of a proxy, whether or not the proxy strips it."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import serkit
from serkit.errors import SettingsError
from serkit.server.service_settings import check_root_path
from support.prefix_proxy import prefix_proxy
from support.serving import TOKEN, Running, running_service

CLIP = (Path(__file__).parents[2] / "examples" / "loud_fast_high.wav").read_bytes()
EXPECTED = serkit.load().predict(CLIP).emotion


@pytest.fixture(scope="module")
def below(embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that knows its path, and wants a token."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text(TOKEN, "utf-8")
    with running_service("--root-path", "/serkit/", "--token-file", file, "--rate", 0) as running:
        yield running


@pytest.mark.parametrize("is_stripped", [True, False])
def test_page_files_and_endpoints_are_found_behind_either_kind_of_proxy(below: Running, is_stripped: bool) -> None:
    with (
        prefix_proxy(below.address, "/serkit", is_stripped=is_stripped) as address,
        httpx.Client(base_url=address, headers={"authorization": f"Bearer {TOKEN}"}, timeout=30) as client,
    ):
        page = client.get("/serkit/")
        assert "Emotions in speech" in page.text
        assert '="/' not in page.text  # links are relative
        assert client.get("/serkit/page/main.js").status_code == 200
        assert client.post("/serkit/v1/predict", content=CLIP).json()["emotion"] == EXPECTED
        assert client.get("/page/main.js").status_code == 404  # the proxy's other pages


def test_a_stream_is_found_too(below: Running) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    with (
        prefix_proxy(below.address, "/serkit") as address,
        connect(
            f"{address.replace('http', 'ws')}/serkit/v1/stream?sampling_rate=16000", additional_headers=headers
        ) as socket,
    ):
        assert json.loads(socket.recv())["type"] == "session.created"


def test_no_spelling_of_the_path_goes_past_the_token(below: Running) -> None:
    for path in ("/v1/models", "/serkit/v1/models", "/serkit/metrics", "/metrics"):
        assert httpx.get(below.address + path).status_code == 401, path
    for path in ("/serkit/serkit/v1/models", "/serkit//v1/models", "/serkit", "/serkitv1/models", "//v1/models"):
        assert httpx.get(below.address + path).status_code == 404, path
    stream = f"{below.socket_address}/serkit/v1/stream?sampling_rate=8000"
    with pytest.raises(InvalidStatus) as refusal, connect(stream):
        pass
    assert refusal.value.response.status_code == 401


def test_the_openapi_document_names_the_path_as_its_server(below: Running, service: Running) -> None:
    assert httpx.get(f"{below.address}/openapi.json").json()["servers"] == [{"url": "/serkit"}]
    assert "servers" not in httpx.get(f"{service.address}/openapi.json").json()


def test_without_the_option_the_page_works_behind_a_proxy_that_strips_the_path(service: Running) -> None:
    with prefix_proxy(service.address, "/any/where") as address:
        assert '="/' not in httpx.get(f"{address}/any/where/").text
        assert httpx.get(f"{address}/any/where/v1/models").status_code == 200


def test_a_root_path_is_a_path() -> None:
    assert [check_root_path(path) for path in ("", "/", "/serkit", "/serkit/", "/a/b.c~-_")] == [
        "", "", "/serkit", "/serkit", "/a/b.c~-_",
    ]  # fmt: skip
    for wrong in ("serkit", "/a b", "/a//b", "https://example.org/serkit", "/a?b", "/ä"):
        with pytest.raises(SettingsError, match="is not a path to serve below"):
            check_root_path(wrong)
