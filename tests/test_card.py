import json
from dataclasses import asdict, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serkit.card import FORMAT, METADATA_KEY, NOT_FOR, Card, Evidence, read_card, write_card
from serkit.errors import ModelFileError

EVIDENCE = Evidence(
    run="emodb-loso-crnn", protocol="leave_one_speaker_out", corpora=("emodb",), is_speaker_independent=True,
    speakers=10, utterances=535, seeds=3, uar=80.1, uar_low=75.0, uar_high=85.5, interval_over="speakers",
    wa=81.0, macro_f1=79.9, per_corpus=({"corpus": "emodb", "uar": 80.1},),
)  # fmt: skip
CARD = Card(
    name="emodb-loso-crnn", serkit_version="0.1.0", classes=("anger", "neutral"), label_set="emodb",
    label_note="the classes of EmoDB", sampling_rate=16_000, inputs=("waveform", "lengths"), minimum_duration=0.1,
    parameters=1234, corpora=({"name": "emodb", "license": "CC0-1.0", "speakers": 10},), languages=("de",),
    train_speakers=("emodb/03", "emodb/08"), validation_speakers=("emodb/09",), split_digest="abc", temperature=1.25,
    validation_uar=None, evidence=(EVIDENCE,), license="CC0-1.0", is_commercial_use_allowed=True, not_for=NOT_FOR,
    recipe={"name": "emodb-loso-crnn", "seeds": [0, 1], "model": {"name": "crnn"}},
)  # fmt: skip
TEXT = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))
CALIBRATION = {
    "speakers": 1, "utterances": 60, "ece_before": None, "ece_after": 4.3, "brier_before": None, "brier_after": 0.4,
    "error_rate": 25.0, "threshold": 0.5, "coverage": 60.0, "error": 24.0, "conformal": {"0.8": 0.2, "0.9": 0.1},
}  # fmt: skip


def metadata(change: dict[str, Any] | None = None, *, without: str | None = None) -> dict[str, str]:
    """Return a file's metadata with the card, some of its fields changed or one left out."""
    content = json.loads(write_card(CARD)[METADATA_KEY]) | (change or {})
    content.pop(without, None)
    return {METADATA_KEY: json.dumps(content)}


def refused(entries: dict[str, str]) -> str:
    with pytest.raises(ModelFileError) as caught:
        read_card(entries, "'model.onnx'")
    message = str(caught.value)
    assert message.startswith("'model.onnx' ")
    assert "\n" not in message
    return message


def test_a_card_is_read_as_it_was_written() -> None:
    assert read_card(write_card(CARD), "model") == CARD


def test_a_card_without_evidence_or_with_much_of_it_is_read_as_it_was_written() -> None:
    for evidence in ((), (EVIDENCE, replace(EVIDENCE, run="other", per_corpus=()))):
        card = replace(CARD, evidence=evidence, validation_uar=71.5)
        assert read_card(write_card(card), "model") == card


@given(st.text(TEXT), st.floats(0.01, 1e9), st.text(TEXT))
def test_any_text_and_number_survives(text: str, number: float, speaker: str) -> None:
    card = replace(CARD, label_note=text, temperature=number, train_speakers=(speaker,))
    assert read_card(write_card(card), "model") == card


def test_a_card_of_format_1_is_read_with_the_names_of_today() -> None:
    content = json.loads(write_card(CARD)[METADATA_KEY])
    content |= {"format": 1, "licence": content.pop("license"), "quantisation": content.pop("quantization")}
    content["corpora"] = [{"name": "emodb", "licence": "CC0-1.0", "speakers": 10}]
    content["recipe"] |= {"features": {"name": "logmel", "normalise": "band"}}
    card = replace(CARD, recipe=dict(CARD.recipe) | {"features": {"name": "logmel", "normalize": "band"}})
    assert read_card({METADATA_KEY: json.dumps(content)}, "model") == card


def test_other_metadata_of_the_file_does_not_matter() -> None:
    assert read_card(write_card(CARD) | {"author": "somebody"}, "model") == CARD


def test_a_card_in_json_holds_its_formats_number_and_every_field() -> None:
    content = json.loads(write_card(CARD)[METADATA_KEY])
    assert content["format"] == FORMAT
    assert content.keys() == {"format", *asdict(CARD)}
    computed = {"promise": CARD.promise, "limits": list(CARD.limits), "fingerprints": 0}
    assert content | computed == json.loads(CARD.to_json()) == json.loads(json.dumps(CARD.to_dict()))


def test_a_card_speaks_utf8_and_not_escapes() -> None:
    assert "Straße" in write_card(replace(CARD, label_note="Straße"))[METADATA_KEY]


def test_the_speakers_that_a_model_has_seen_are_those_of_training_and_validation() -> None:
    assert CARD.seen_speakers == {"emodb/03", "emodb/08", "emodb/09"}


def test_a_file_without_a_card_is_no_model_of_ours() -> None:
    for entries in ({}, {"author": "somebody"}):
        assert "without a serkit card; use a model file made by 'serkit export'" in refused(entries)


def test_a_card_of_a_later_format_says_upgrade() -> None:
    message = refused(metadata({"format": FORMAT + 1, "classes": {"something": "new"}}, without="inputs"))
    assert message.startswith(f"'model.onnx' has a card of format {FORMAT + 1}, but this serkit reads up to ")
    assert message.endswith(f" format {FORMAT}; upgrade serkit.")


@pytest.mark.parametrize("field", ["format", "classes", "sampling_rate", "evidence", "train_speakers", "temperature"])
def test_a_card_with_a_field_missing_is_damaged(field: str) -> None:
    assert "damaged serkit card" in refused(metadata(without=field))


# A value of another type, or out of range, for each field that has one.
WRONG: dict[str, list[Any]] = {
    "format": ["1", None, True, 1.5, [1]],
    "name": [1, None, ["x"]],
    "serkit_version": [1],
    "classes": [None, "anger", [], ["anger"], [1, 2], {"anger": 1}, ["anger", "anger"], ["", "anger"], [" ", "anger"],
                ["anger\x1b[31m", "fear"], ["a\nb", "c"], ["a\u202eb", "c"], ["uncertain", "fear"],
                ["no speech", "fear"], [["anger"], ["fear"]]],
    "label_set": [None],
    "label_note": [3],
    "sampling_rate": [16_000.0, "16000", True, 0, -16_000, 10**400, 10**12, None],
    "inputs": [["waveform"], ["audio", "lengths"], "waveform", None],
    "minimum_duration": ["0.1", -0.1, 60.0, 10**400, True, None],
    "maximum_duration": [0.05, 0.1, "60", None],
    "parameters": [-1, 1.5, "many"],
    "corpora": [None, {}, ["emodb"], [{"name": 1}], [{"speakers": "ten"}]],
    "languages": ["de", [1]],
    "train_speakers": [None, [1], "emodb/03"],
    "validation_speakers": [None, [None]],
    "split_digest": [1],
    "temperature": [0, -1.0, "1", None, 10**400],
    "validation_uar": ["70", -1, 101, True],
    "evidence": [None, [1], ["x"], [{}], [asdict(EVIDENCE) | {"uar": "80"}], [asdict(EVIDENCE) | {"uar": 120}],
                 [asdict(EVIDENCE) | {"per_corpus": [1]}]],
    "license": [None],
    "is_commercial_use_allowed": ["yes", 1],
    "is_sharing_allowed": [None],
    "not_for": ["war", [1]],
    "recipe": [None, []],
    "weights_digest": [1],
    "needs_equal_lengths": ["no"],
    "calibration": [None, [], {"threshold": 0.5}, *(CALIBRATION | wrong for wrong in (
        {"threshold": "0.5"}, {"threshold": 1.5}, {"threshold": -0.1}, {"error": None}, {"conformal": [0.1]},
        {"conformal": {"0.9": 2}}, {"conformal": None}, {"error_rate": "25"}, {"speakers": 1.5}))],
    "quantization": [None, [], {"uar": "80"}, {"weights": 8}],
    "validation": ["somebody", None, []],
    "fingerprints": [None, [], {"emodb/03": "AAAA"}, {"emodb/03": [1]}, {"emodb/03": ["no base64"]},
                     {"emodb/03": ["AAA"]}],
}  # fmt: skip


def test_there_is_a_wrong_value_for_every_field() -> None:
    assert WRONG.keys() == {"format", *(field.name for field in fields(Card))}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_card_with_a_field_of_another_type_or_range_is_damaged(name: str, value: Any) -> None:
    assert "damaged serkit card" in refused(metadata({name: value}))


def test_a_message_names_the_field_and_both_types() -> None:
    assert refused(metadata({"sampling_rate": "fast"})).endswith('card (sampling_rate is "fast"; expected an integer).')
    wrong = asdict(EVIDENCE) | {"uar": None}
    assert "(evidence[0].uar is null; expected a number)" in refused(metadata({"evidence": [wrong]}))
    assert "(validation_uar is [1]; expected a number)" in refused(metadata({"validation_uar": [1]}))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused_anywhere(number: str) -> None:
    for old, text in (('"temperature": 1.25', '"temperature": '), ('"seeds": [0, 1]', '"seeds": ')):
        content = write_card(CARD)[METADATA_KEY]
        assert old in content
        assert "damaged serkit card" in refused({METADATA_KEY: content.replace(old, text + number)})


@pytest.mark.parametrize("depth", [101, 2_000, 500_000])
def test_json_that_is_nested_deeply_is_refused_in_a_sentence(depth: int) -> None:
    text = json.dumps({"format": FORMAT, "recipe": "HERE"}).replace('"HERE"', "[" * depth + "]" * depth)
    assert "is nested more than 100 levels deep" in refused({METADATA_KEY: text})


def test_control_characters_in_texts_become_the_replacement_character() -> None:
    entries = metadata({"license": "\x1b]0;owned\x07", "recipe": {"a\x9b": ["b\u202e"]}})
    card = read_card(entries, "model")
    assert card.license == "\ufffd]0;owned\ufffd"
    assert card.recipe == {"a\ufffd": ["b\ufffd"]}


# What a card promises


def test_a_card_tells_a_threshold_no_threshold_and_no_calibration_apart() -> None:
    card = replace(CARD, calibration=CALIBRATION)
    assert card.promise == (
        "below 0.50 the answer is uncertain; in validation 60 % of clips were answered, 24 % of them wrongly"
    )
    closed = replace(CARD, calibration=CALIBRATION | {"threshold": None, "coverage": 0.0, "error": None})
    assert closed.promise.startswith("no threshold keeps to 25 % wrong answers in validation: every answer is ")
    assert "no stored answers" in CARD.promise
    nobody = replace(CARD, validation_speakers=())
    assert nobody.promise == (
        "nothing is promised, because the model was not validated here: the most probable class is always named"
    )
    for one in (card, closed, CARD, nobody):
        assert read_card(write_card(one), "model") == one


@pytest.mark.parametrize(
    "change",
    [{"validation": "training speakers"}, {"validation_speakers": []}, {"calibration": CALIBRATION | {"speakers": 2}}],
    ids=["stated", "all were in training", "some were in training"],
)
def test_a_calibration_on_training_speakers_promises_nothing(change: dict[str, Any]) -> None:
    card = read_card(metadata({"calibration": CALIBRATION} | change), "model")
    assert card.calibration == {}
    if "calibration" not in change:
        said = replace(card, validation_uar=80.0).promise
        assert said.startswith(
            "nothing is promised, because the model was validated on speakers that it was trained on"
        )


@pytest.mark.parametrize("text", ["", "{", "null", "1", "[]", '"card"', "{}", "[[]]", "{'format': 1}"])
def test_a_card_that_is_no_json_object_is_damaged(text: str) -> None:
    assert "damaged serkit card" in refused({METADATA_KEY: text})


@given(st.data())
def test_a_card_that_was_cut_off_is_damaged(data: st.DataObject) -> None:
    text = write_card(CARD)[METADATA_KEY]
    assert "damaged serkit card" in refused({METADATA_KEY: text[: data.draw(st.integers(0, len(text) - 1))]})


def test_fields_that_this_version_does_not_know_are_left_aside() -> None:
    assert read_card(metadata({"mood_of_the_author": "good"}), "model") == CARD


def test_a_card_says_that_the_model_has_heard_no_telephone_unless_it_has() -> None:
    assert [limit.partition(":")[0] for limit in CARD.limits] == ["telephone speech"]
    assert json.loads(CARD.to_json())["limits"] == list(CARD.limits)
    chains = ({"waveform": [{"name": "noise"}, {"name": "telephone"}]}, ["lowpass"], [{"name": "telephone"}])
    for augment in chains:
        assert replace(CARD, recipe={"augment": augment}).limits == ()
    assert replace(CARD, sampling_rate=8_000).limits == ()
    for odd in ({"waveform": ["noise"]}, {"waveform": 5}, "odd", None):
        assert replace(CARD, recipe={"augment": odd}).limits == CARD.limits


def test_every_card_names_the_uses_that_it_is_not_for() -> None:
    for word in ("hiring", "policing", "education", "health", "lie detection", "work", "schools"):
        assert word in " ".join(NOT_FOR)
