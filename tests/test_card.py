import json
from dataclasses import asdict, replace
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


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.lists(st.text(), max_size=4))
def test_any_text_and_number_survives(text: str, number: float, names: list[str]) -> None:
    card = replace(CARD, label_note=text, temperature=number, classes=tuple(names))
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
    assert content == json.loads(CARD.to_json()) == json.loads(json.dumps(CARD.to_dict()))


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


@pytest.mark.parametrize(
    "change",
    [{"evidence": None}, {"evidence": [1]}, {"evidence": ["x"]}, {"evidence": [{}]}, {"format": "1"}, {"format": None}],
    ids=str,
)
def test_a_card_with_a_field_of_another_shape_is_damaged(change: dict[str, Any]) -> None:
    assert "damaged serkit card" in refused(metadata(change))


@pytest.mark.parametrize("text", ["", "{", "null", "1", "[]", '"card"', "{}", "[[]]", "{'format': 1}"])
def test_a_card_that_is_no_json_object_is_damaged(text: str) -> None:
    assert "damaged serkit card" in refused({METADATA_KEY: text})


@given(st.data())
def test_a_card_that_was_cut_off_is_damaged(data: st.DataObject) -> None:
    text = write_card(CARD)[METADATA_KEY]
    assert "damaged serkit card" in refused({METADATA_KEY: text[: data.draw(st.integers(0, len(text) - 1))]})


def test_fields_that_this_version_does_not_know_are_left_aside() -> None:
    assert read_card(metadata({"mood_of_the_author": "good"}), "model") == CARD


def test_every_card_names_the_uses_that_it_is_not_for() -> None:
    for word in ("hiring", "policing", "education", "health", "lie detection", "work", "schools"):
        assert word in " ".join(NOT_FOR)
