"""The page in a real browser: Debian's Chromium, whose microphone is a file."""

import csv
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

import serkit
from support.prefix_proxy import prefix_proxy
from support.serving import TOKEN, Running, running_service

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE = 16_000
SECONDS = 20_000  # of waiting, in milliseconds
NOISE = {"Failed to load resource", "[DOM] Password forms should have"}  # of Chromium, about what tests do on purpose
Opener = Callable[..., "Page"]


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Silence, a voice of whose emotion the model is sure, silence."""
    voice = serkit.load_audio(EXAMPLES / "medium_german.wav", target_rate=RATE)
    sound = np.concatenate([np.zeros(RATE), voice, voice, np.zeros(20 * RATE)])
    path = tmp_path_factory.mktemp("microphone") / "microphone.wav"
    soundfile.write(path, sound, RATE)
    return path


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording in which a loud voice begins after two seconds, and a soft one follows."""
    loud, soft = (
        serkit.load_audio(EXAMPLES / f"{name}.wav", target_rate=RATE) for name in ("loud_fast_high", "soft_slow_low")
    )
    path = tmp_path_factory.mktemp("talk") / "two <voices>.wav"
    soundfile.write(path, np.concatenate([np.zeros(2 * RATE), loud, loud, np.zeros(RATE), soft, soft]), RATE)
    return path


@pytest.fixture(scope="module")
def launch() -> "Iterator[Callable[[Path], Browser]]":
    """Start Chromium with a file for a microphone, which is heard once."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'serkit[dev]'")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("needs Chromium: apt install chromium")
    flags = [
        "--disable-dev-shm-usage",  # which containers keep small
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    with playwright.sync_playwright() as session, ExitStack() as opened:

        def start(microphone: Path) -> "Browser":
            own = [*flags, f"--use-file-for-fake-audio-capture={microphone}%noloop"]
            browser: Browser = session.chromium.launch(executable_path=found, args=own)
            opened.callback(browser.close)
            return browser

        yield start


@pytest.fixture(scope="module")
def browser(launch: "Callable[[Path], Browser]", microphone: Path) -> "Browser":
    return launch(microphone)


@pytest.fixture
def open_page(browser: "Browser", service: Running) -> Iterator[Opener]:
    """Open the page; what its scripts and its policy complain of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_it(address: str = "", *, of: "Browser" = browser, **options: object) -> "Page":
        context = of.new_context(permissions=["microphone"], accept_downloads=True, **options)  # type: ignore[arg-type]
        context.set_default_timeout(SECONDS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if is_foreign(request.url) else None)
        page.goto(address or service.address)
        return page

    def is_foreign(url: str) -> bool:
        return not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|blob:|data:", url)

    yield open_it
    for context in contexts:
        context.close()
    assert [text for text in complaints if not any(known in text for known in NOISE)] == []


def test_speaking_shows_the_emotions_and_the_right_one_at_the_end(
    open_page: Opener, microphone: Path, tmp_path: Path
) -> None:
    page = open_page()
    page.get_by_role("button", name="Start the microphone").click()
    page.locator("body.recording #live").wait_for()
    page.locator("#utterances li").wait_for()
    recognizer = serkit.load(threads=1)
    sound, rate = soundfile.read(microphone, dtype="float32")
    events = recognizer.stream(sampling_rate=rate).push(sound)
    (expected,) = [event for event in events if event.kind == "utterance"]
    said = page.locator("#utterances li").first.inner_text()
    assert expected.emotion in said
    heard = {event.emotion for event in events} | {"uncertain"}  # the microphone begins anew, with windows of its own
    assert page.locator("#now-emotion").inner_text() in heard
    start, end = (float(time) for time in re.findall(r"0:(\d\d\.\d)", said)[:2])
    assert end - start == pytest.approx(expected.end - expected.start, abs=0.3)
    assert page.locator("#live-meters li").count() == len(recognizer.card.classes)
    drawn = page.locator("#bands").evaluate(
        "canvas => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size"
    )
    assert drawn > 20  # more than an empty picture
    page.get_by_role("button", name="Stop").click()
    page.locator("#result-title", has_text="microphone.wav").wait_for()  # the recording as a timeline
    assert page.locator("#rows tr").count() >= 1
    assert page.locator("#live-problem").is_hidden()


@pytest.mark.long
def test_actors_who_play_anger_and_sadness_are_heard_so(
    open_page: Opener, launch: "Callable[[Path], Browser]", real_corpora: Path, tmp_path: Path
) -> None:
    angry, sad = (next(real_corpora.rglob(f"{name}.*")) for name in ("03a02Wc", "03a02Ta"))  # of EmoDB: Wut, Trauer
    voices = [serkit.load_audio(file, target_rate=RATE) for file in (angry, sad)]
    pause = np.zeros(RATE)
    sound = np.concatenate([pause, voices[0], pause, pause, voices[1], np.tile(pause, 20)])
    file = tmp_path / "actors.wav"
    soundfile.write(file, sound, RATE)
    page = open_page(of=launch(file))
    page.get_by_role("button", name="Start the microphone").click()
    page.locator("#utterances li").nth(1).wait_for()
    assert [re.sub(r"[\s\d:.%\u2013]+", "", row) for row in page.locator("#utterances li").all_inner_texts()] == [
        "sadness",
        "anger",
    ]


def test_a_file_is_shown_played_from_where_one_clicks_and_downloaded(
    open_page: Opener, talk: Path, tmp_path: Path
) -> None:
    page = open_page()
    page.locator("#card dl").wait_for()
    page.locator("#file").set_input_files(talk)
    page.locator("#result-title", has_text=talk.name).wait_for()
    expected = serkit.load(threads=1).timeline(talk)
    rows = page.locator("#rows tr").all_inner_texts()
    assert [row.split("\t")[2].strip() for row in rows] == [segment.emotion for segment in expected.segments]
    box = page.locator("#canvas").bounding_box()
    assert box
    page.locator("#canvas").click(position={"x": box["width"] / 2, "y": 40})
    page.locator("#audio").evaluate("audio => new Promise(done => audio.paused ? audio.onplaying = done : done())")
    place = page.locator("#audio").evaluate("audio => audio.currentTime")
    assert place == pytest.approx(expected.duration / 2, abs=0.8)
    page.locator("#rows button").first.click()
    assert page.locator("#audio").evaluate("audio => audio.currentTime") == pytest.approx(
        expected.segments[0].start, abs=0.5
    )
    documents = {}
    for name in ("JSON", "CSV", "TextGrid (Praat)", "SRT (subtitles)"):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        documents[download.value.suggested_filename.rsplit(".", 1)[1]] = download.value.path().read_text("utf-8")
    assert set(documents) == {"json", "csv", "TextGrid", "srt"}
    assert json.loads(documents["json"])["name"] == talk.name
    assert len(list(csv.DictReader(documents["csv"].splitlines()))) == len(expected.segments)
    assert "IntervalTier" in documents["TextGrid"]
    assert "-->" in documents["srt"]


def test_a_wrong_file_is_told_in_words_and_the_page_goes_on(open_page: Opener, talk: Path, tmp_path: Path) -> None:
    page = open_page()
    page.locator("#card dl").wait_for()
    page.locator("#file").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no sound" * 99})
    problem = page.locator("#file-problem")
    problem.wait_for()
    assert "'notes.txt' is not audio" in problem.inner_text()
    assert problem.get_attribute("role") == "alert"
    large = {"name": "large.wav", "mimeType": "audio/wav", "buffer": b"x" * 3_000_000}
    page.locator("#file").set_input_files(large)
    page.get_by_text("this service accepts at most 2 MB").wait_for()
    page.locator("#file").set_input_files(talk)
    page.locator("#result-title", has_text=talk.name).wait_for()
    assert problem.is_hidden()


def test_a_long_upload_shows_how_far_it_is_and_can_be_canceled(open_page: Opener) -> None:
    page = open_page()
    page.locator("#card dl").wait_for()
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000}  # bytes a second
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", slow)
    page.locator("#file").set_input_files(
        {"name": "long.wav", "mimeType": "audio/wav", "buffer": b"RIFF" + bytes(1_900_000)}
    )
    page.get_by_text("Uploading long.wav").wait_for()
    shares, end = set(), time.monotonic() + 20
    while len(shares) < 3:
        assert time.monotonic() < end, shares
        shares.add(page.locator("#progress").evaluate("bar => bar.value"))
    assert all(0 <= share < 1 for share in shares)
    assert page.locator("#record").is_disabled()
    page.get_by_role("button", name="Cancel").click()
    page.locator("#sending").wait_for(state="hidden")
    assert page.locator("#file-problem").is_hidden()
    assert page.locator("#record").is_enabled()


def test_a_service_that_is_stopped_is_missed_aloud(browser: "Browser", open_page: Opener, talk: Path) -> None:
    with running_service("--rate", 0) as service:
        page = open_page(service.address)
        page.locator("#card dl").wait_for()
        page.get_by_role("button", name="Start the microphone").click()
        page.locator("#live").wait_for()
        service.process.terminate()
        service.process.wait(20)
        page.locator("#live-problem").wait_for()
        assert "shutting down" in page.locator("#live-problem").inner_text()
        page.locator("body:not(.recording) #record:not([disabled])").wait_for()
        page.locator("#file").set_input_files(talk)
        page.get_by_text("The service does not respond").wait_for()


def test_a_token_is_asked_for_and_then_used(open_page: Opener, guarded: Running) -> None:
    page = open_page(guarded.address)
    page.locator("#token:focus").wait_for()
    assert page.get_by_role("button", name="Start the microphone").is_disabled()
    assert page.locator("#file").is_disabled()
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Use token").click()
    page.locator("#door-problem", has_text="valid token").wait_for()
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.locator("#card dl").wait_for()
    assert page.locator("#door").is_hidden()
    page.locator("#record:focus").wait_for()
    page.get_by_role("button", name="Start the microphone").click()
    page.locator("#live").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.locator("body:not(.recording) #record").wait_for()


def test_below_a_path_of_a_proxy_the_page_is_whole(open_page: Opener, service: Running, talk: Path) -> None:
    with prefix_proxy(service.address, "/serkit") as address:
        page = open_page(f"{address}/serkit/")
        page.locator("#card dl").wait_for()
        page.get_by_role("button", name="Start the microphone").click()
        page.locator("body.recording #live").wait_for()
        page.locator("#utterances li").wait_for()
        page.get_by_role("button", name="Stop").click()
        page.locator("#result-title", has_text="microphone.wav").wait_for()
        page.locator("#file").set_input_files(talk)
        page.locator("#result-title", has_text=talk.name).wait_for()
        assert page.locator("header img").evaluate("image => image.naturalWidth") > 0


DROP = """() => {
  const data = new DataTransfer();
  data.items.add(new File(["x"], "a.wav"));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: data }));
}"""


def test_while_recording_a_phone_shows_button_and_answers_and_says_what_is_in_the_way(
    open_page: Opener, embedded: Path
) -> None:
    with running_service("--rate", 0, "--max-megabytes", 0.1) as service:
        page = open_page(service.address, viewport={"width": 360, "height": 640})
        page.get_by_role("button", name="Start the microphone").click()
        page.locator("body.recording").wait_for()
        page.get_by_text("The recording is full (0.1 MB)").wait_for()
        assert page.locator("#limits").is_hidden()
        assert page.locator("#live-meters").is_visible()
        bottom = page.locator("#bands").evaluate("box => box.getBoundingClientRect().bottom + scrollY")
        assert bottom < 640
        page.evaluate(DROP)
        assert page.locator("#file-problem").text_content() == "Stop the microphone first."
        page.get_by_role("button", name="Stop").click()
        page.locator("#result-title", has_text="microphone.wav").wait_for()
        assert page.locator("#file-problem").text_content() == ""
        assert page.locator("#limits").is_visible()
        assert page.locator("output").count() == 0  # which screen readers would read out ten times a second


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_says_what_it_is_not_for(open_page: Opener, talk: Path, scheme: str) -> None:
    page = open_page(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page.locator("#card dl").wait_for()
    page.locator("#file").set_input_files(talk)
    page.locator("#result-title", has_text=talk.name).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert "not for decisions about people" in page.locator("#limits").inner_text()
    assert "hiring" in page.locator("#card").inner_text()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark is (scheme == "dark")


def test_all_of_it_works_by_keyboard_and_has_a_name_for_screen_readers(open_page: Opener, talk: Path) -> None:
    page = open_page()
    page.locator("#card dl").wait_for()
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert {"record", "file"} <= set(reached)
    page.locator("#file").set_input_files(talk)
    page.locator("#result-title", has_text=talk.name).wait_for()
    slider = page.get_by_role("slider", name="Position in the recording")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuenow") == "2.0"
    assert (slider.get_attribute("aria-valuetext") or "").startswith("0:02.0")
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, a, input, [role=slider], [role=meter], audio")]
        .filter((one) => one.checkVisibility() && !(one.textContent.trim() || one.ariaLabel || one.labels?.length))
        .map((one) => one.id)"""
    )
    assert nameless == []
