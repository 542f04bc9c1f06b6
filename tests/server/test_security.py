"""Who may come in."""

import base64
from functools import partial
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from serkit.errors import RecipeError
from serkit.server.settings import Settings, check_origins, digest, read_tokens
from serving import OTHER_ORIGIN, TOKEN, Running

STREAM = "/v1/stream?sampling_rate=16000"


def test_without_a_token_nothing_but_the_page_and_the_probes_answers(guarded: Running) -> None:
    for path in ("/v1/models", "/v1/stream", "/metrics"):
        answer = httpx.get(guarded.address + path)
        assert (answer.status_code, answer.json()["code"]) == (401, "no-valid-token")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for path in ("/", "/page/main.js", "/healthz", "/readyz", "/openapi.json"):
        assert httpx.get(guarded.address + path).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"])
def test_a_wrong_token_is_none(guarded: Running, header: str) -> None:
    answer = httpx.get(f"{guarded.address}/v1/models", headers={"authorization": header.encode("latin-1")})
    assert answer.status_code == 401


def test_each_token_of_the_file_is_good(guarded: Running) -> None:
    for token in (TOKEN, "another-one-of-sixteen"):
        answer = httpx.get(f"{guarded.address}/v1/models", headers={"authorization": f"bearer {token}"})
        assert answer.status_code == 200


def test_a_stream_wants_the_token_in_a_header_or_among_its_subprotocols(guarded: Running) -> None:
    address = guarded.socket_address + STREAM
    with pytest.raises(InvalidStatus) as refusal, connect(address):
        pass
    assert refusal.value.response.status_code == 401
    assert b"no-valid-token" in refusal.value.response.body
    with connect(address, additional_headers={"authorization": f"Bearer {TOKEN}"}) as socket:
        assert "session.created" in str(socket.recv())
    coded = base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
    with connect(address, subprotocols=["serkit.v1", f"serkit.token.{coded}"]) as socket:
        assert socket.subprotocol == "serkit.v1"  # the token is not sent back
    with pytest.raises(InvalidStatus), connect(address, subprotocols=["serkit.v1", "serkit.token.%%%"]):
        pass


def test_pages_of_other_origins_are_refused_but_for_those_that_were_allowed(guarded: Running) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    own = guarded.address
    for origin, status in ((own, 200), (OTHER_ORIGIN, 200), ("https://evil.example", 403), ("null", 403)):
        answer = httpx.get(f"{own}/v1/models", headers=headers | {"origin": origin})
        assert answer.status_code == status, origin
        assert (answer.headers.get("access-control-allow-origin") == origin) is (origin == OTHER_ORIGIN)
        stream = partial(connect, guarded.socket_address + STREAM, additional_headers=headers, origin=origin)
        if status == 200:
            with stream():
                pass
        else:
            with pytest.raises(InvalidStatus) as refusal, stream():
                pass
            assert refusal.value.response.status_code == 403
    asked = {
        "origin": OTHER_ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    answer = httpx.options(f"{own}/v1/predict", headers=asked)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, OTHER_ORIGIN)


def test_another_name_for_this_machine_is_refused(service: Running) -> None:
    port = service.address.rsplit(":", 1)[1]
    for host, status in ((f"localhost:{port}", 200), (f"[::1]:{port}", 200), (f"evil.example:{port}", 421), ("", 421)):
        answer = httpx.get(f"{service.address}/v1/models", headers={"host": host})
        assert answer.status_code == status, host
    answer = httpx.get(
        f"{service.address}/v1/models", headers={"host": "evil.example", "origin": "http://evil.example"}
    )
    assert answer.json()["code"] == "unknown-host"


def test_it_listens_on_this_machine_alone_unless_told() -> None:
    assert Settings().host == "127.0.0.1"
    assert Settings().is_local
    assert not Settings(host="0.0.0.0").is_local


def test_tokens_are_kept_as_digests(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# comment\n\n  {TOKEN}  \n", "utf-8")
    assert read_tokens(file) == {digest(TOKEN)}
    assert TOKEN not in repr(Settings(tokens=read_tokens(file)))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "holds no token"), (b"# one\n", "holds no token"), (b"short\n", "token 1"), (b"\xff\xfe", "no text")],
)
def test_a_token_file_that_protects_nothing_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(content)
    with pytest.raises(RecipeError, match=words):
        read_tokens(file)
    with pytest.raises(RecipeError, match="No such file"):
        read_tokens(tmp_path / "none")


def test_origins_are_as_browsers_send_them() -> None:
    assert check_origins(["HTTPS://Example.org/", "http://localhost:3000"]) == (OTHER_ORIGIN, "http://localhost:3000")
    for wrong in ("example.org", "*", "https://", "https://a/b", "https://*.a", "ftp://a"):
        with pytest.raises(RecipeError, match="no origin"):
            check_origins([wrong])
