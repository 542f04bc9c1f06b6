"""Who may come in."""

import asyncio
import base64
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from serkit.errors import SettingsError
from serkit.server.security import Guard, SecurityHeaders
from serkit.server.service_settings import Limits, Settings, check_origins, digest, read_tokens
from support.serving import OTHER_ORIGIN, TOKEN, Running

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
    named = {"sec-websocket-protocol": "serkit.v1, serkit.token.\xe9".encode("latin-1")}
    assert httpx.get(guarded.address + "/v1/stream", headers=named).status_code == 401


def test_an_origin_that_is_no_address_is_another_one(service: Running) -> None:
    for path in ("/v1/models", "/", "/v1/stream"):
        answer = httpx.get(service.address + path, headers={"origin": "http://["})
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign-origin")
    with pytest.raises(InvalidStatus) as refusal, connect(service.socket_address + STREAM, origin="http://["):
        pass
    assert refusal.value.response.status_code == 403


async def broken(*_: object) -> None:
    raise RuntimeError("a bug")


def ask(app: Any, path: str = "/v1/models", **headers: str) -> httpx.Response:
    """Ask an application without a network."""

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(get())


def test_a_fault_of_ours_is_a_problem_with_the_headers_of_all_answers() -> None:
    counted: list[str] = []
    answer = ask(SecurityHeaders(broken, counted.append))
    assert (answer.status_code, answer.json()["code"], counted) == (500, "internal-error", ["internal-error"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "a bug" not in answer.text


def test_whoever_guesses_tokens_has_to_wait() -> None:
    limits = Limits(rate=1.0, burst=3)
    for path in ("/v1/models", "/metrics"):
        guard = Guard(answering, Settings(tokens=frozenset([digest(TOKEN)]), limits=limits), lambda code: None)
        found = [ask(guard, path, authorization=f"Bearer {number}").status_code for number in range(5)]
        assert found == [401, 401, 401, 429, 429]
        assert ask(guard, path, authorization=f"Bearer {TOKEN}").status_code == 429


async def answering(scope: Any, receive: Any, send: Any) -> None:
    await Response("yes")(scope, receive, send)


def test_where_others_reach_it_without_a_token_it_has_the_names_that_it_was_given() -> None:
    settings = Settings(host="0.0.0.0", allowed_hosts=("serkit.example",), origins=("https://page.example",))
    for known in ("serkit.example:8000", "192.0.2.7", "[2001:db8::1]:80", "localhost", "page.example"):
        assert ask(Guard(answering, settings, lambda code: None), host=known).status_code == 200
    for other in ("evil.example", "serkit.example.evil", ""):
        assert ask(Guard(answering, settings, lambda code: None), host=other).status_code == 421
    with_token = Settings(host="0.0.0.0", tokens=frozenset([digest(TOKEN)]))
    assert ask(Guard(answering, with_token, lambda code: None), "/", host="any.example").status_code == 200


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
    for host in ("localhost", "127.0.0.2", "::1"):
        assert Settings(host=host).is_local
    for host in ("0.0.0.0", "::", "192.0.2.1", "serkit.example"):
        assert not Settings(host=host).is_local


def test_tokens_are_kept_as_digests(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# comment\n\n  {TOKEN}  \n", "utf-8")
    assert read_tokens(file) == {digest(TOKEN)}
    assert TOKEN not in repr(Settings(tokens=read_tokens(file)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no token"),
        (b"# one\n", "holds no token"),
        (b"short\n", "token 1"),
        (b"\xff\xfe", "not a text file"),
    ],
)
def test_a_token_file_that_protects_nothing_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=words):
        read_tokens(file)
    with pytest.raises(SettingsError, match="No such file"):
        read_tokens(tmp_path / "none")


def test_origins_are_as_browsers_send_them() -> None:
    assert check_origins(["HTTPS://Example.org/", "http://localhost:3000"]) == (OTHER_ORIGIN, "http://localhost:3000")
    for wrong in ("example.org", "*", "https://", "https://a/b", "https://*.a", "ftp://a"):
        with pytest.raises(SettingsError, match="is not an origin"):
            check_origins([wrong])
