"""The endpoints, as a client on loopback sees them."""

import asyncio
import csv
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import numpy as np
import pytest
import soundfile

import serkit
from serkit.annotations import FORMATS, render
from serkit.server import openapi_examples
from serkit.server.app import create_app
from serkit.server.negotiation import MEDIA_TYPES
from serkit.server.service_settings import Settings
from support.serving import Running

EXAMPLES = Path(__file__).parents[2] / "examples"
CLIP = EXAMPLES / "loud_fast_high.wav"


def send(client: httpx.Client, path: str, file: Path, **more: Any) -> httpx.Response:
    with file.open("rb") as content:
        return client.post(path, files={"file": (file.name, content)}, **more)


def check_problem(answer: httpx.Response, status: int, code: str, *words: str) -> dict[str, Any]:
    """Check that an answer is a problem, in one sentence and without a traceback; return it."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == code
    assert problem["type"] == f"urn:serkit:problem:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert all(word in problem["detail"] for word in words), problem["detail"]
    assert "\n" not in problem["detail"]
    assert "Traceback" not in answer.text
    return problem


@pytest.mark.parametrize("file", sorted([*EXAMPLES.glob("*.wav"), *EXAMPLES.glob("*.flac")]), ids=lambda f: f.name)
def test_an_answer_is_that_of_the_recognizer(client: httpx.Client, file: Path) -> None:
    answer = send(client, "/v1/predict", file)
    assert answer.status_code == 200
    expected, found = serkit.load().predict(file), answer.json()
    assert (found["file"], found["emotion"], found["duration"]) == (file.name, expected.emotion, expected.duration)
    assert found["model"] == serkit.load().card.name
    assert list(found["probabilities"]) == list(expected.probabilities)
    assert found["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)


def test_a_body_may_be_the_file_itself(client: httpx.Client) -> None:
    raw = client.post("/v1/predict", content=CLIP.read_bytes(), headers={"content-type": "audio/wav"}).json()
    form = send(client, "/v1/predict", CLIP).json()
    assert raw | {"file": ""} == form | {"file": ""}
    pieces = iter([CLIP.read_bytes()[:5000], CLIP.read_bytes()[5000:]])  # without a length
    assert client.post("/v1/predict", content=pieces).json()["emotion"] == form["emotion"]


def test_options_of_predict_are_those_of_the_command_line(client: httpx.Client) -> None:
    ask = {"top": 2, "threshold": 1, "coverage": 0.9}
    found = send(client, "/v1/predict", CLIP, params=ask).json()
    assert (found["emotion"], len(found["probabilities"])) == ("uncertain", 2)
    recognizer = serkit.load()
    assert found["set"] == list(recognizer.classes_within(recognizer.predict(CLIP), 0.9))
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(16_000), 16_000, format="WAV")
    quiet = client.post("/v1/predict", content=silence.getvalue()).json()
    forced = client.post("/v1/predict", content=silence.getvalue(), params={"forced": True}).json()
    assert quiet["emotion"] == "no speech"
    assert forced["emotion"] == next(iter(forced["probabilities"]))


def test_damaged_files_are_refused_or_read_as_far_as_they_can_be_heard(client: httpx.Client) -> None:
    cut = CLIP.read_bytes()[:-32_000]
    for path in ("/v1/predict", "/v1/timeline"):
        refused = client.post(path, content=cut)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid-audio")
        answer = client.post(path, content=cut, params={"damaged": "skip"})
        assert answer.status_code == 200
        (gap,) = answer.json()["gaps"]
        assert gap["end"] - gap["start"] == pytest.approx(1.0, abs=1e-3)
    assert client.post("/v1/predict", content=cut, params={"damaged": "maybe"}).status_code == 422


def test_remarks_are_those_of_the_recognizer(client: httpx.Client) -> None:
    sound, rate = soundfile.read(CLIP, dtype="float32")
    for samples, own_rate, remarks in (
        (np.stack([sound, -sound], axis=1), rate, ["cancelled"]),
        (sound[::2], rate // 2, ["narrowband"]),
        (np.stack([sound[::2], -sound[::2]], axis=1), rate // 2, ["narrowband", "cancelled"]),
        (sound, rate, []),
    ):
        file = io.BytesIO()
        soundfile.write(file, samples, own_rate, format="WAV")
        answer = client.post("/v1/predict", content=file.getvalue()).json()
        assert answer["remarks"] == remarks
        expected = serkit.load().predict(file.getvalue())
        assert (list(expected.remarks), expected.emotion) == (remarks, answer["emotion"])
        assert client.post("/v1/timeline", content=file.getvalue()).json()["remarks"] == remarks
    (row,) = csv.DictReader(io.StringIO(client.post("/v1/predict?format=csv", content=file.getvalue()).text))
    assert row["remarks"] == ""


def test_a_clip_that_is_too_long_is_sent_to_timelines(client: httpx.Client) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(61 * 16_000), 16_000, format="FLAC")
    problem = client.post("/v1/predict", content=file.getvalue()).json()
    assert problem["code"] == "audio-too-long"
    assert problem["detail"] == "'upload' lasts longer than 60 s; send recordings to /v1/timeline."


def test_csv_is_that_of_the_command_line(client: httpx.Client) -> None:
    by_header = send(client, "/v1/predict", CLIP, headers={"accept": "text/csv"})
    by_query = send(client, "/v1/predict", CLIP, params={"format": "csv"})
    assert by_header.text == by_query.text
    assert by_header.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(by_header.text))
    assert row["file"] == CLIP.name
    assert float(row["anger"]) == pytest.approx(serkit.load().predict(CLIP).probabilities["anger"], abs=1e-5)


@pytest.mark.parametrize("form", FORMATS)
def test_a_timeline_in_every_format_is_the_recognizers_own(client: httpx.Client, form: str) -> None:
    answer = send(client, "/v1/timeline", CLIP, params={"format": form, "hop": 0.5})
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPES[form])
    expected = render(serkit.load(threads=1).timeline(CLIP, hop=0.5), form)
    numbers = r"\d+\.\d{4,}"  # probabilities differ in their last digits with the number of threads
    assert re.sub(numbers, "", answer.text) == re.sub(numbers, "", expected)


def test_several_formats_of_one_timeline_come_as_one_object(client: httpx.Client) -> None:
    answer = send(client, "/v1/timeline", CLIP, params={"format": ["json", "srt", "drawing"]}).json()
    assert list(answer) == ["json", "srt", "drawing"]
    timeline = json.loads(answer["json"])
    assert timeline["name"] == CLIP.name
    assert timeline["segments"][0]["emotion"] in answer["srt"]
    drawing = json.loads(answer["drawing"])
    assert drawing["data"]["classes"] == timeline["classes"]
    assert "<script" not in drawing["html"]


def test_the_accept_header_chooses_among_formats_of_timelines(client: httpx.Client) -> None:
    answer = send(client, "/v1/timeline", CLIP, headers={"accept": "text/vtt, application/json;q=0.5"})
    assert answer.headers["content-type"].startswith("text/vtt")
    assert answer.text.startswith("WEBVTT")
    problem = check_problem(send(client, "/v1/timeline", CLIP, headers={"accept": "image/png"}), 406, "not-acceptable")
    assert "application/json" in problem["accepted"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"threshold": "2"}, ["threshold", "less than or equal to 1"]),
        ({"threshold": "nan"}, ["threshold"]),
        ({"top": "0"}, ["top"]),
        ({"format": "mp4"}, ["format"]),
        ({"coverage": "0.5"}, ["0.8, 0.9, 0.95"]),
    ],
)
def test_a_wrong_parameter_is_named(client: httpx.Client, query: dict[str, str], words: list[str]) -> None:
    check_problem(send(client, "/v1/predict", CLIP, params=query), 422, "invalid-parameter", *words)


@pytest.mark.parametrize("query", [{"hop": "nan"}, {"window": "inf"}, {"hop": "0"}, {"channels": "left"}])
def test_a_wrong_parameter_of_a_timeline_is_named(client: httpx.Client, query: dict[str, str]) -> None:
    problem = check_problem(send(client, "/v1/timeline", CLIP, params=query), 422, "invalid-parameter", *query)
    assert problem["errors"][0]["parameter"] in query


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/timeline"])
def test_what_is_no_sound_is_told_from_what_is_broken(client: httpx.Client, path: str, tmp_path: Path) -> None:
    text, cut, short = (tmp_path / name for name in ("notes.txt", "cut.wav", "short.wav"))
    text.write_text("no sound " * 100, "utf-8")
    cut.write_bytes(CLIP.read_bytes()[:3000])
    soundfile.write(short, np.zeros(101), 16_000)
    problem = check_problem(
        send(client, path, text), 415, "unsupported-format", "'notes.txt'", "; this service reads WAV"
    )
    assert "serkit[media]" not in problem["detail"]  # which only the operator of the service could install
    assert "FLAC" in problem["accepted"]
    check_problem(send(client, path, cut), 422, "invalid-audio", "'cut.wav' is cut off")
    check_problem(send(client, path, short), 422, "invalid-audio", "'short.wav' lasts 0.0063 s")
    check_problem(client.post(path, content=b""), 422, "invalid-audio", "empty")


def test_a_form_without_a_file_says_which_field_is_missing(client: httpx.Client) -> None:
    check_problem(client.post("/v1/predict", files={"sound": CLIP.read_bytes()}), 422, "missing-file", "'file'")
    check_problem(client.post("/v1/predict", files={"file": (None, "text")}), 422, "missing-file")
    broken = client.post("/v1/predict", content=b"--x", headers={"content-type": "multipart/form-data; boundary=x"})
    check_problem(broken, 422, "missing-file")
    unbound = client.post("/v1/predict", content=b"--x", headers={"content-type": "multipart/form-data"})
    check_problem(unbound, 400, "bad-form", "boundary")


def test_a_clients_name_is_repeated_and_never_opened(client: httpx.Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(CLIP.read_bytes())
    for name in (str(secret), f"file://{secret}", "http://127.0.0.1/x.wav", "../../etc/passwd"):
        answer = client.post("/v1/predict", files={"file": (name, b"RIFF")})
        check_problem(answer, 415, "unsupported-format")
        assert str(tmp_path) not in answer.text
    answer = client.post("/v1/predict", files={"file": ("a\u202e\t<b>.wav", CLIP.read_bytes())})
    assert "\t" not in answer.json()["file"]


def test_cards_and_limits_are_told(client: httpx.Client) -> None:
    found = client.get("/v1/models").json()
    assert found["models"] == [json.loads(serkit.load().card.to_json())]
    assert found["limits"]["body_bytes"] == 2_000_000
    assert set(found["colors"]) == set(serkit.load().card.classes)
    assert {"WAV", "FLAC", "OGG", "MP3"} <= set(found["accepts"])


def test_an_answer_does_not_wait_for_an_acknowledgement(client: httpx.Client) -> None:
    def seconds() -> float:
        start = time.perf_counter()
        client.get("/healthz")
        return time.perf_counter() - start

    assert min(seconds() for _ in range(20)) < 0.03  # 0.04 s are Linux's delayed acknowledgements


def test_probes_answer(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_an_unknown_path_and_a_wrong_method_are_problems_too(client: httpx.Client) -> None:
    check_problem(client.get("/v1/nothing"), 404, "not-found")
    check_problem(client.get("/page/../../pyproject.toml"), 404, "not-found")
    check_problem(client.get("/page/%2e%2e%2fapp.py"), 404, "not-found")
    check_problem(client.get("/v1/predict"), 405, "method-not-allowed")
    assert check_problem(client.get("/v1/stream"), 426, "upgrade-required", "WebSocket")["accepted"] == "serkit.v1"


def test_metrics_count_what_was_done(service: Running, client: httpx.Client) -> None:
    def value(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    wanted = 'serkit_requests_total{method="POST",path="/v1/predict",status="200"}'
    before = value(wanted), value('serkit_audio_seconds_total{kind="predict"}'), value("serkit_errors_total")
    send(client, "/v1/predict", CLIP)
    client.post("/v1/predict", content=b"x")
    after = value(wanted), value('serkit_audio_seconds_total{kind="predict"}'), value("serkit_errors_total")
    assert after[0] == before[0] + 1
    assert after[1] == pytest.approx(before[1] + serkit.load().predict(CLIP).duration)
    assert after[2] == before[2] + 1
    assert value("serkit_queue") == 0
    assert value("serkit_request_seconds_count") > 0
    client.get("/a/path/that/a/client/made/up")
    assert "made" not in client.get("/metrics").text


def test_every_answer_has_the_headers_that_keep_a_page_to_itself(client: httpx.Client) -> None:
    for path in ("/", "/page/main.js", "/v1/models", "/v1/nothing", "/healthz"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_the_page_and_all_that_it_loads_come_from_here(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    own = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    assert own
    assert all(address.startswith("page/") for address in own)
    for address in own:
        answer = client.get(address)
        assert answer.status_code == 200
        again = client.get(address, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    modules = {name for address in own if address.endswith(".js") for name in loaded_by(client, address)}
    assert {"page/timeline.js", "page/live.js"} <= modules


def loaded_by(client: httpx.Client, address: str) -> set[str]:
    """Return the modules that a module imports, and those that these do."""
    found = re.findall(r'from "\./([\w.]+)"', client.get(address).text)
    return {address} | {name for one in found for name in loaded_by(client, f"page/{one}")}


def test_the_openapi_documents_examples_fit_its_schemas(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    count = 0
    for path in document["paths"].values():
        for operation in path.values():
            for answer in operation["responses"].values():
                for content in answer.get("content", {}).values():
                    if "example" in content and "schema" in content:
                        schema = content["schema"] | {"components": document["components"]}
                        jsonschema.validate(content["example"], schema)
                        count += 1
    assert count > 10


def test_the_examples_have_the_members_of_real_answers(client: httpx.Client) -> None:
    assert send(client, "/v1/predict", CLIP).json().keys() == openapi_examples.PREDICTION.keys()
    assert send(client, "/v1/timeline", CLIP).json().keys() == openapi_examples.TIMELINE.keys()


def test_an_address_is_not_redirected(client: httpx.Client) -> None:
    check_problem(client.get("/v1/models/"), 404, "not-found")


def test_nothing_is_begun_while_the_service_shuts_down(embedded: Path) -> None:
    async def ask() -> None:
        app = create_app(Settings())
        app.state.service.closing.set()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            for path in ("predict", "timeline"):
                answer = await client.post(f"/v1/{path}", content=CLIP.read_bytes())
                check_problem(answer, 503, "shutting-down")

    asyncio.run(ask())


def test_a_slot_is_free_again_after_every_kind_of_failure(client: httpx.Client) -> None:
    for _ in range(3):
        client.post("/v1/predict", content=b"x")
        client.post("/v1/predict", content=b"x" * 3_000_000)
    assert "serkit_queue 0.0" in client.get("/metrics").text
