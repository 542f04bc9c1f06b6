import io
import json
import os
import pickle
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

import serkit
from serkit.audio.decode import load_clip
from serkit.card import FORMAT, METADATA_KEY
from serkit.errors import (
    AudioError,
    AudioNotFoundError,
    AudioShapeError,
    AudioTooLongError,
    AudioTooShortError,
    EmptyAudioFileError,
    InferenceError,
    ModelFileError,
    SamplingRateError,
    SerkitError,
    SettingsError,
    UnknownNameError,
)
from serkit.runtime import session as module
from serkit.runtime.recognizer import Recognizer
from serkit.runtime.session import ModelSession
from serkit.types import Prediction
from support.synthetic import voice

RATE = 16_000
GOLDEN = Path(__file__).parents[1] / "golden"
EXAMPLES = Path(__file__).parents[2] / "examples"
SOURCE = Path(serkit.__file__).parent
SPEECH = voice("anger", "emodb/03", seconds=1.2)
PCM = (SPEECH * 32_767).round().astype(np.int16)  # what a 16-bit file holds


@pytest.fixture(scope="module")
def recognizer(model_file: Path) -> Recognizer:
    return Recognizer.load(model_file)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("clips") / "clip.wav"
    soundfile.write(file, PCM, RATE)
    return file


def assert_same(found: Prediction, expected: Prediction, *, within: float = 0.0) -> None:
    assert found.probabilities == pytest.approx(expected.probabilities, abs=within)
    np.testing.assert_allclose(found.embedding, expected.embedding, atol=max(within, 1e-12))


def difference(a: Prediction, b: Prediction) -> float:
    return max(abs(a.probabilities[name] - b.probabilities[name]) for name in a.probabilities)


def test_a_prediction_has_every_class_most_probable_first_and_sums_to_one(recognizer: Recognizer, clip: Path) -> None:
    answer = recognizer.predict(clip, reject=False)
    assert isinstance(answer, Prediction)
    assert sorted(answer.probabilities) == sorted(recognizer.card.classes)
    values = list(answer.probabilities.values())
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-6)
    assert answer.emotion == next(iter(answer.probabilities))
    assert all(type(value) is float for value in values)
    assert (answer.embedding.shape, answer.embedding.dtype) == ((16,), np.float32)
    assert answer.duration == 1.2


def test_what_is_no_speech_is_named_so_unless_an_answer_is_forced(recognizer: Recognizer, clip: Path) -> None:
    """The clip is a tone, and still has probabilities."""
    answer, forced = recognizer.predict(clip), recognizer.predict(clip, reject=False)
    assert (answer.emotion, forced.emotion) == ("no speech", next(iter(answer.probabilities)))
    assert answer.probabilities == forced.probabilities


def test_the_small_model_has_learned_enough_to_tell_clips_apart(recognizer: Recognizer) -> None:
    answers = [
        recognizer.predict(voice(emotion, "emodb/03", seconds=1.0), sampling_rate=RATE)
        for emotion in recognizer.card.classes
    ]
    assert max(difference(a, b) for a in answers for b in answers) > 0.1  # or the tests below would compare nothing


def test_a_path_a_string_and_a_file_object_give_the_same_answer(recognizer: Recognizer, clip: Path) -> None:
    expected = recognizer.predict(clip)
    assert_same(recognizer.predict(str(clip)), expected)
    assert_same(recognizer.predict(io.BytesIO(clip.read_bytes())), expected)
    with clip.open("rb") as file:
        assert_same(recognizer.predict(file), expected)


@pytest.mark.parametrize(
    "form", ["int16", "int32", "float32", "float64", "one channel", "two channels", "not contiguous"]
)
def test_an_array_in_any_form_gives_the_same_answer_as_the_file(recognizer: Recognizer, clip: Path, form: str) -> None:
    floats = (PCM / 32_768).astype(np.float32)
    arrays: dict[str, NDArray[np.generic]] = {
        "int16": PCM,
        "int32": PCM.astype(np.int32) * 2**16,
        "float32": floats,
        "float64": floats.astype(np.float64),
        "one channel": floats[None],
        "two channels": np.stack([floats, floats]),
        "not contiguous": np.repeat(floats, 2)[::2],
    }
    assert_same(recognizer.predict(arrays[form], sampling_rate=RATE), recognizer.predict(clip))


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("flac", "PCM_16"), ("flac", "PCM_24"), ("wav", "FLOAT"), ("aiff", "PCM_16")]
)
def test_the_same_audio_in_another_lossless_file_gives_the_same_answer(
    recognizer: Recognizer, clip: Path, tmp_path: Path, suffix: str, subtype: str
) -> None:
    soundfile.write(tmp_path / f"clip.{suffix}", PCM / 32_768, RATE, subtype=subtype)
    assert_same(recognizer.predict(tmp_path / f"clip.{suffix}"), recognizer.predict(clip))


def test_what_other_libraries_use_gives_the_same_answer(recognizer: Recognizer, clip: Path) -> None:
    torch = pytest.importorskip("torch")
    expected = recognizer.predict(clip)
    sound = (PCM / 32_768).astype(np.float32)
    for audio in (
        clip.read_bytes(), bytearray(clip.read_bytes()), (RATE, PCM), (RATE, np.stack([PCM, PCM], axis=1)),
        {"array": sound, "sampling_rate": RATE, "path": None}, {"bytes": clip.read_bytes(), "path": "clip.wav"},
        {"path": str(clip)},
    ):  # fmt: skip
        assert_same(recognizer.predict(audio), expected, within=1e-6)
    tensor = torch.from_numpy(sound)
    assert_same(recognizer.predict(tensor, sampling_rate=RATE), expected)
    assert len(recognizer.timeline(tensor, sampling_rate=RATE).windows) == len(recognizer.timeline(clip).windows)
    with pytest.raises(AudioShapeError, match="cannot read a Tensor as an array"):
        recognizer.predict(tensor.clone().requires_grad_(), sampling_rate=RATE)
    with pytest.raises(SamplingRateError, match="the array comes with 16000 Hz, but sampling_rate is 8000 Hz"):
        recognizer.predict((RATE, PCM), sampling_rate=8_000)


def test_integers_are_taken_by_their_meaning(recognizer: Recognizer) -> None:
    """A list of 16-bit samples becomes int64, and on some systems int32, whose full scale is another."""
    expected = recognizer.predict(PCM, sampling_rate=RATE)
    assert_same(recognizer.predict(PCM.astype(np.int32) << 16, sampling_rate=RATE), expected)
    with pytest.raises(AudioShapeError, match=r"int32 samples with a peak of \d+ look like 16-bit samples"):
        recognizer.predict(PCM.astype(np.int32), sampling_rate=RATE)
    for wrong in (np.int64, np.uint8, np.uint16):
        with pytest.raises(AudioShapeError, match="at most 32 bits"):
            recognizer.predict(PCM.astype(wrong), sampling_rate=RATE)
    for silent in (np.zeros(RATE, np.int32), (PCM.astype(np.int32) // 200) << 8):  # digital silence; 24 bits, very soft
        assert recognizer.predict(silent, sampling_rate=RATE).emotion == "no speech"


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_a_clip_longer_than_the_models_longest_is_sent_to_a_timeline(recognizer: Recognizer, rate: int) -> None:
    longest = recognizer.card.maximum_duration
    sound = np.zeros(round(longest * rate), np.float32)
    assert recognizer.predict(sound, sampling_rate=rate).duration == longest
    with pytest.raises(AudioTooLongError, match=r"longer than 60 s; .* 'serkit timeline' \(Recognizer\.timeline\)"):
        recognizer.predict(np.append(sound, np.float32(0)), sampling_rate=rate)


def test_a_window_longer_than_the_models_longest_is_refused(recognizer: Recognizer) -> None:
    model = ModelSession(recognizer.model._session, replace(recognizer.card, maximum_duration=2.0))
    with pytest.raises(SettingsError, match="window is 3 s, but the model takes at most 2 s at once"):
        Recognizer(model).stream(sampling_rate=RATE)


def test_another_process_opens_the_same_model(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model_file.parent)
    for recognizer in (Recognizer.load(model_file.name, threads=1), serkit.load(), serkit.load("emodb")):
        content = pickle.dumps(recognizer)
        assert len(content) < 1_000
        monkeypatch.chdir("/")
        again = pickle.loads(content)
        assert again.card == recognizer.card
        assert_same(again.predict(SPEECH, sampling_rate=RATE), recognizer.predict(SPEECH, sampling_rate=RATE))
        monkeypatch.chdir(model_file.parent)
    with pytest.raises(TypeError, match=r"only a Recognizer from Recognizer\.load"):
        pickle.dumps(Recognizer(recognizer.model))


def test_stereo_is_the_mean_of_its_channels(recognizer: Recognizer, clip: Path) -> None:
    left, right = 1.5 * SPEECH, 0.5 * SPEECH
    both = recognizer.predict(np.stack([left, right]), sampling_rate=RATE)
    assert_same(both, recognizer.predict(SPEECH, sampling_rate=RATE), within=1e-5)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_audio_at_another_rate_gives_nearly_the_same_answer(recognizer: Recognizer, clip: Path, rate: int) -> None:
    faster = soxr.resample(SPEECH, RATE, rate, quality="VHQ")
    answer = recognizer.predict(faster, sampling_rate=rate)
    assert answer.duration == pytest.approx(1.2, abs=1e-3)
    assert difference(answer, recognizer.predict(clip)) < 0.1  # a resampler cuts the highest bands


def test_audio_at_a_lower_rate_is_taken_too(recognizer: Recognizer) -> None:
    answer = recognizer.predict(SPEECH[::2], sampling_rate=RATE // 2)
    assert answer.duration == pytest.approx(1.2, abs=1e-3)


def test_an_array_needs_its_rate_and_a_file_must_not_have_one(recognizer: Recognizer, clip: Path) -> None:
    with pytest.raises(SamplingRateError, match="pass sampling_rate="):
        recognizer.predict(SPEECH)
    with pytest.raises(SamplingRateError, match="for arrays only"):
        recognizer.predict(clip, sampling_rate=RATE)


@pytest.mark.parametrize("level", [0.0, 1e-8, 1.0])
def test_silence_and_full_scale_get_a_finite_answer(recognizer: Recognizer, level: float) -> None:
    answer = recognizer.predict(np.full(RATE, level, np.float32), sampling_rate=RATE)
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert np.isfinite(answer.embedding).all()


def test_audio_below_the_models_minimum_is_refused_with_that_minimum(recognizer: Recognizer, tmp_path: Path) -> None:
    assert recognizer.card.minimum_duration == 0.1
    with pytest.raises(AudioTooShortError, match=r"^the array lasts 0\.0999 s; the model needs 0\.1 s or more\.$"):
        recognizer.predict(SPEECH[:1599], sampling_rate=RATE)
    soundfile.write(tmp_path / "short.wav", PCM[:1], RATE)
    with pytest.raises(AudioTooShortError, match=r"short\.wav' lasts 0\.0001 s; the model needs 0\.1 s"):
        recognizer.predict(tmp_path / "short.wav")


def test_audio_as_long_as_the_minimum_is_taken_at_any_rate(recognizer: Recognizer) -> None:
    for rate in (RATE, 8000, 44_100, 48_000):
        samples = np.resize(SPEECH, rate // 10)
        assert recognizer.predict(samples, sampling_rate=rate).duration == 0.1


def test_a_prediction_leaves_the_array_as_it_was(recognizer: Recognizer) -> None:
    samples = SPEECH.copy()
    samples.flags.writeable = False
    recognizer.predict(samples, sampling_rate=RATE)
    np.testing.assert_array_equal(samples, SPEECH)


def test_the_same_clip_gets_the_same_answer_every_time(recognizer: Recognizer, model_file: Path, clip: Path) -> None:
    expected = recognizer.predict(clip)
    recognizer.predict(voice("fear", "emodb/08", seconds=2.0), sampling_rate=RATE)
    assert_same(recognizer.predict(clip), expected)
    assert_same(Recognizer.load(str(model_file), threads=1).predict(clip), expected, within=1e-6)


def test_threads_that_share_a_recognizer_get_the_answers_of_one(recognizer: Recognizer) -> None:
    clips = [voice(e, f"emodb/{s:02d}", seconds=0.3 + 0.1 * s) for s in range(4) for e in recognizer.card.classes]
    expected = [recognizer.predict(samples, sampling_rate=RATE) for samples in clips]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda samples: recognizer.predict(samples, sampling_rate=RATE), clips)
    for a, b in zip(found, expected, strict=True):
        assert_same(a, b)


def test_many_clips_are_answered_in_order(recognizer: Recognizer, clip: Path) -> None:
    others = [voice(emotion, "emodb/08", seconds=0.5) for emotion in ("fear", "anger", "sadness")]
    found = list(recognizer.predict_many(others, sampling_rate=RATE))
    for answer, samples in zip(found, others, strict=True):
        assert isinstance(answer, Prediction)
        assert_same(answer, recognizer.predict(samples, sampling_rate=RATE))
    assert not list(recognizer.predict_many([]))
    assert len(list(recognizer.predict_many([clip, str(clip), io.BytesIO(clip.read_bytes())]))) == 3


def test_a_bad_clip_is_raised_where_it_stands(recognizer: Recognizer, clip: Path, tmp_path: Path) -> None:
    answers = recognizer.predict_many([clip, tmp_path / "none.wav", clip])
    assert isinstance(next(answers), Prediction)
    with pytest.raises(AudioNotFoundError, match="none"):
        next(answers)


def test_bad_clips_are_returned_in_their_place_when_asked(recognizer: Recognizer, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    files = [tmp_path / "none.wav", clip, tmp_path / "empty.wav", tmp_path, clip]
    found = list(recognizer.predict_many(files, on_error="return"))
    kinds = [type(answer) for answer in found]
    assert kinds[:4] == [AudioNotFoundError, Prediction, EmptyAudioFileError, serkit.errors.AudioIsDirectoryError]
    assert isinstance(found[4], Prediction)
    assert all(isinstance(answer, Prediction | SerkitError) for answer in found)
    assert all(
        file.name in str(error) for file, error in zip(files, found, strict=True) if isinstance(error, AudioError)
    )


def test_a_clip_for_which_there_is_no_memory_costs_none_of_the_others(
    recognizer: Recognizer, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(audio: Any, **options: Any) -> Any:
        if audio == "large.wav":
            raise MemoryError
        return load_clip(audio, **options)

    monkeypatch.setattr("serkit.runtime.recognizer.load_clip", load)
    first, second = recognizer.predict_many(["large.wav", clip], on_error="return")
    assert str(first) == "there is not enough memory for 'large.wav'."
    assert isinstance(second, Prediction)


def test_a_programming_error_is_not_taken_for_a_bad_clip(recognizer: Recognizer) -> None:
    with pytest.raises(TypeError, match="must be a path"):
        list(recognizer.predict_many([3], on_error="return"))  # type: ignore[list-item]


def test_many_clips_are_read_one_at_a_time_and_only_when_asked_for(recognizer: Recognizer, clip: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Path]:
        while True:
            taken.append(len(taken))
            yield clip

    answers = recognizer.predict_many(endless())
    assert not taken
    next(answers)
    next(answers)
    assert len(taken) == 2


def test_a_padded_batch_of_the_graph_gets_the_answers_of_predict(recognizer: Recognizer) -> None:
    waveform = np.zeros((2, len(SPEECH)), np.float32)
    waveform[0] = SPEECH
    waveform[1, :8000] = SPEECH[:8000]
    probabilities, embedding = recognizer.run(waveform, np.array([len(SPEECH), 8000]))
    assert probabilities.shape == (2, 7)
    for row, vector, samples in zip(probabilities, embedding, (SPEECH, SPEECH[:8000]), strict=True):
        answer = recognizer.predict(samples, sampling_rate=RATE)
        assert dict(zip(recognizer.card.classes, row.tolist(), strict=True)) == pytest.approx(
            answer.probabilities, abs=1e-5
        )
        np.testing.assert_allclose(vector, answer.embedding, atol=1e-5)


def refused(file: str | Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        Recognizer.load(file)
    message = str(caught.value)
    assert "\n" not in message
    assert message.count(". ") == 0
    assert Path(file).name in message
    return message


def test_a_model_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    expected = f"cannot read the model {os.fspath(tmp_path / 'none.onnx')!r}: No such file or directory."
    assert refused(tmp_path / "none.onnx") == expected


def test_a_folder_is_no_model_file(tmp_path: Path) -> None:
    assert refused(tmp_path).endswith("Is a directory.")


def test_a_path_that_cannot_be_is_no_model_file() -> None:
    with pytest.raises(ModelFileError, match="null byte"):
        Recognizer.load("a\0b.onnx")


@pytest.mark.parametrize("content", [b"", b"hello, this is text\n", b"\x00" * 1000, b"\xff" * 100, b"PK\x03\x04zip"])
def test_a_file_of_something_else_is_no_model_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    assert refused(tmp_path / "model.onnx").startswith("the model '")


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.99, 0.999999])
def test_a_model_file_that_was_cut_off_is_refused(model_file: Path, tmp_path: Path, share: float) -> None:
    content = model_file.read_bytes()
    (tmp_path / "model.onnx").write_bytes(content[: int(share * len(content))])
    refused(tmp_path / "model.onnx")


def test_an_onnx_file_without_a_card_is_not_one_of_ours(model_file: Path, tmp_path: Path) -> None:
    graph = onnx.load(model_file)
    del graph.metadata_props[:]
    onnx.save(graph, tmp_path / "model.onnx")
    assert "is an ONNX file without a serkit card" in refused(tmp_path / "model.onnx")


def test_a_card_of_a_later_format_in_a_file_says_upgrade(model_file: Path, tmp_path: Path) -> None:
    graph = onnx.load(model_file)
    card = json.loads(graph.metadata_props[0].value)
    assert graph.metadata_props[0].key == METADATA_KEY
    graph.metadata_props[0].value = json.dumps(card | {"format": 99})
    onnx.save(graph, tmp_path / "model.onnx")
    assert refused(tmp_path / "model.onnx").endswith(f"this serkit reads up to format {FORMAT}; upgrade serkit.")


def test_an_installation_without_its_embedded_model_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEFAULT_MODEL", "none")
    with pytest.raises(ModelFileError, match=r"^cannot read the embedded model: No such file or directory\.$"):
        serkit.load()


def test_loading_by_the_package_is_loading_by_the_class(model_file: Path, clip: Path) -> None:
    by_package = serkit.load(model_file, threads=1)
    assert isinstance(by_package, Recognizer)
    assert by_package.card == Recognizer.load(model_file).card
    assert_same(by_package.predict(clip), Recognizer.load(model_file, threads=1).predict(clip))


@pytest.mark.parametrize("name", module.embedded_models())
def test_an_embedded_model_has_a_card_that_tells_what_it_is(name: str) -> None:
    card = serkit.load(name).card
    assert card.sampling_rate == RATE
    assert len(card.classes) == len(set(card.classes)) > 3
    assert card.evidence, "serkit export --evidence RUN"
    assert all(evidence.is_speaker_independent for evidence in card.evidence)
    assert all(corpus["license"] and corpus["citation"] for corpus in card.corpora)
    assert card.license
    assert card.not_for
    assert card.seen_speakers


@pytest.mark.parametrize("name", module.embedded_models())
def test_an_embedded_model_gives_the_stored_answer_for_every_example(name: str) -> None:
    stored = json.loads((GOLDEN / "embedded.json").read_text("utf-8"))[name]
    recognizer = serkit.load(name)
    assert stored["model"] == recognizer.card.name
    clips = sorted(file for file in EXAMPLES.iterdir() if file.suffix in {".wav", ".flac"})
    assert sorted(stored["answers"]) == [clip.name for clip in clips]
    for clip, answer in zip(clips, recognizer.predict_many(clips), strict=True):
        assert isinstance(answer, Prediction)
        assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-6)
        expected = stored["answers"][clip.name]
        assert answer.probabilities == pytest.approx(expected, abs=1e-4), (
            "if that was meant: python tests/golden/make.py"
        )


def test_the_model_of_emodb_is_free_for_any_use() -> None:
    card = serkit.load("emodb").card
    assert [corpus["name"] for corpus in card.corpora] == ["emodb"]
    assert (card.license, card.is_commercial_use_allowed, card.is_sharing_allowed) == ("CC0-1.0", True, True)
    assert serkit.load().card.name == serkit.load("default").card.name != card.name


def test_an_unknown_name_lists_the_embedded_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError, match="No such file or directory; the embedded models are default, emodb"):
        serkit.load("emodbb")
    shutil.copyfile(SOURCE / "assets" / "default.onnx", "emodb")
    assert serkit.load("./emodb").card.name == serkit.load().card.name


@pytest.mark.usefixtures("embedded")
def test_the_embedded_models_are_small() -> None:
    for name in module.embedded_models():
        assert (Path(serkit.__file__).parent / "assets" / f"{name}.onnx").stat().st_size < 12_000_000


def test_a_model_that_fails_on_valid_audio_is_an_error_that_predict_many_returns(model_file: Path) -> None:
    class Full:
        def run(self, names: object, feeds: object) -> object:
            raise RuntimeError("no memory")

    recognizer = Recognizer(ModelSession(Full(), Recognizer.load(model_file).card))
    (answer,) = recognizer.predict_many([np.zeros(16_000, np.float32)], sampling_rate=16_000, on_error="return")
    assert isinstance(answer, InferenceError)
    assert "the model failed on audio of shape (1, 16000): no memory" in str(answer)


def test_predict_many_refuses_a_single_path(model_file: Path) -> None:
    with pytest.raises(TypeError, match="for one clip, call predict"):
        Recognizer.load(model_file).predict_many("clip.wav")  # type: ignore[arg-type]


def test_a_recognizer_shows_what_it_is(recognizer: Recognizer) -> None:
    shown = repr(recognizer)
    assert shown.startswith("Recognizer(name='emodb-small', classes=('anger', 'boredom', ")
    assert shown.endswith("), sampling_rate=16000)")


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"on_error": "skip"}, SettingsError, "on_error must be 'raise' or 'return', not 'skip'"),
        ({"threshold": 2}, SettingsError, "threshold must be a probability between 0 and 1, not 2"),
        ({"threshold": {"angr": 0.5}}, UnknownNameError, "did you mean 'anger'"),
        ({"sampling_rate": 10}, SamplingRateError, "expected 1000 to 768000 Hz"),
        ({"sex": "f"}, SettingsError, "sex must be one of male, female, unknown, not 'f'"),
        ({"sex": ["male", "f"]}, SettingsError, "sex must be one of male, female, unknown, not 'f'"),
        ({"sex": ["male"]}, SettingsError, "sex has 1 entries for 2 clips"),
    ],
)
def test_predict_many_checks_its_arguments_when_it_is_called(
    recognizer: Recognizer, clip: Path, wrong: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        recognizer.predict_many([clip, clip], **wrong)


def test_predict_refuses_an_unknown_sex(recognizer: Recognizer, clip: Path) -> None:
    with pytest.raises(SettingsError, match="not 'f'"):
        recognizer.predict(clip, sex="f")  # type: ignore[arg-type]


class SexSession:
    """A model with two classes whose probabilities are those of its input for sex."""

    def run(self, names: list[str], feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        share = feeds["sex"][:, None]
        return [np.concatenate([share, 1 - share], axis=1), share]


@pytest.mark.parametrize(
    ("sex", "expected"), [("female", [0, 0, 0]), (("male", "female", "unknown"), [1, 0, 0.5]), ("unknown", [0.5] * 3)]
)
def test_the_sex_of_all_speakers_or_of_each_reaches_the_model(recognizer: Recognizer, sex: Any, expected: Any) -> None:
    card = replace(recognizer.card, classes=("a", "b"), inputs=("waveform", "lengths", "sex"), calibration={})
    model = Recognizer(ModelSession(SexSession(), card))
    answers = model.predict_many([SPEECH] * 3, sampling_rate=RATE, sex=sex)
    assert [answer.probabilities["a"] for answer in answers] == expected


def test_too_few_sexes_for_an_iterator_of_clips_show_when_they_run_out(recognizer: Recognizer, clip: Path) -> None:
    answers = recognizer.predict_many(iter([clip, clip]), sex=["male"])
    next(answers)
    with pytest.raises(SettingsError, match="sex has 1 entries, but there are more clips"):
        next(answers)


def test_progress_counts_the_clips_that_failed_too(recognizer: Recognizer, clip: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    answers = recognizer.predict_many([clip, tmp_path / "none.wav", clip], on_error="return", on_progress=seen.append)
    assert seen == []
    next(answers)
    assert seen == [1]
    assert len(list(answers)) == 2
    assert seen == [1, 2, 3]
