import csv
import io
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings

from serkit.annotations import FORMATS, format_of, render, suffix_of
from serkit.annotations.timeline import Timeline
from serkit.errors import UnknownNameError
from serkit.types import UNCERTAIN, Window
from support.timelines import AWKWARD, CLASSES, segment, timeline, timelines

few = settings(max_examples=25)  # of each format; a timeline takes its time to draw
Found = list[tuple[int, int, int, str]]  # start and end in milliseconds, channel, emotion


def expected(made: Timeline, *, by_start: bool = True) -> Found:
    found = [(round(1000 * s.start), round(1000 * s.end), s.channel, s.emotion) for s in made.segments]
    return sorted(found, key=lambda row: (row[0], row[2])) if by_start else found


def parse_textgrid(text: str) -> tuple[float, dict[str, list[tuple[float, float, str]]]]:
    """Read the values of a long TextGrid (numbers, texts, flags) and ignore the rest, as Praat does."""
    values = iter(re.findall(r'"(?:[^"]|"")*"|<exists>|(?<=[= ])-?\d+(?:\.\d+)?(?![\]\d])', text))

    def word() -> str:
        return next(values)[1:-1].replace('""', '"')

    assert (word(), word()) == ("ooTextFile", "TextGrid")
    assert float(next(values)) == 0
    end = float(next(values))
    assert next(values) == "<exists>"
    tiers = {}
    for _ in range(int(next(values))):
        assert word() == "IntervalTier"
        name = word()
        assert (float(next(values)), float(next(values))) == (0, end)
        tiers[name] = [(float(next(values)), float(next(values)), word()) for _ in range(int(next(values)))]
    assert next(values, None) is None
    return end, tiers


def parse_subtitles(text: str, point: str) -> Iterator[tuple[int, int, str]]:
    time = rf"(\d\d+):(\d\d):(\d\d){re.escape(point)}(\d\d\d)"
    for block in text.strip("\n").split("\n\n"):
        lines = block.split("\n")
        if len(lines) < 2 or "-->" not in block:
            continue
        arrow = next(number for number, line in enumerate(lines) if " --> " in line)
        match = re.fullmatch(rf"{time} --> {time}", lines[arrow])
        assert match
        assert len(lines) == arrow + 2
        h1, m1, s1, ms1, h2, m2, s2, ms2 = map(int, match.groups())
        yield (
            ((h1 * 60 + m1) * 60 + s1) * 1000 + ms1,
            ((h2 * 60 + m2) * 60 + s2) * 1000 + ms2,
            lines[arrow + 1],
        )


def parse_elan(text: str) -> dict[str, list[tuple[int, int, str]]]:
    root = ET.fromstring(text)
    slots = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")}
    return {
        tier.attrib["TIER_ID"]: [
            (slots[one.attrib["TIME_SLOT_REF1"]], slots[one.attrib["TIME_SLOT_REF2"]], one[0].text or "")
            for one in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        for tier in root.iter("TIER")
    }


def name_of(made: Timeline, what: str, channel: int) -> str:
    return what if made.channels == 1 else f"{what} channel {channel + 1}"


@few
@given(timelines())
def test_json_parses_back_to_the_segments_and_all_else(made: Timeline) -> None:
    read = json.loads(render(made, "json"))
    found = [(round(1000 * s["start"]), round(1000 * s["end"]), s["channel"], s["emotion"]) for s in read["segments"]]
    assert found == expected(made, by_start=False)
    assert [s["probabilities"] for s in read["segments"]] == [s.probabilities for s in made.segments]
    assert (read["name"], read["channels"], read["classes"]) == (made.name, made.channels, list(made.classes))
    assert (len(read["windows"]), len(read["speech"])) == (len(made.windows), len(made.speech))
    assert read["duration"] == round(made.duration, 3)


@few
@given(timelines())
def test_csv_parses_back_to_the_segments(made: Timeline) -> None:
    for form in ("csv", "windows-csv"):  # each segment has one window here
        rows = list(csv.DictReader(io.StringIO(render(made, form))))
        found = [
            (round(1000 * float(r["start"])), round(1000 * float(r["end"])), int(r["channel"]), r["emotion"])
            for r in rows
        ]
        assert found == expected(made, by_start=False)
        assert [[float(r[name]) for name in CLASSES] for r in rows] == [
            [round(s.probabilities[name], 6) for name in CLASSES] for s in made.segments
        ]


@few
@given(timelines())
def test_textgrid_parses_back_to_the_segments(made: Timeline) -> None:
    _, tiers = parse_textgrid(render(made, "textgrid"))
    found = [
        (round(1000 * start), round(1000 * end), channel, text)
        for channel in range(made.channels)
        for start, end, text in tiers[name_of(made, "emotion", channel)]
        if text
    ]
    assert found == expected(made, by_start=False)


@few
@given(timelines(shortest=0.0, whole_ms=False))
def test_tiers_of_a_textgrid_have_no_gap_no_overlap_and_no_empty_interval(made: Timeline) -> None:
    end, tiers = parse_textgrid(render(made, "textgrid"))
    assert end >= round(made.duration, 6)
    for intervals in tiers.values():
        assert intervals[0][0] == 0
        assert intervals[-1][1] == end
        assert all(start < stop for start, stop, _ in intervals)
        assert all(one[1] == other[0] for one, other in pairwise(intervals))
        assert all(one[2] or other[2] for one, other in pairwise(intervals))


@few
@given(timelines())
def test_elan_parses_back_to_the_segments(made: Timeline) -> None:
    tiers = parse_elan(render(made, "elan"))
    found = [
        (start, end, channel, text)
        for channel in range(made.channels)
        for start, end, text in tiers[name_of(made, "emotion", channel)]
    ]
    assert found == expected(made, by_start=False)
    assert sum(map(len, tiers.values())) == 2 * len(found)  # speech was the same here


@few
@given(timelines(shortest=0.0, whole_ms=False))
def test_elan_refers_to_slots_in_order_and_to_nothing_that_is_not_there(made: Timeline) -> None:
    text = render(made, "elan")
    root = ET.fromstring(text)
    order = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LANGUAGE", "CONSTRAINT", "CONTROLLED_VOCABULARY"]
    places = [order.index(child.tag) for child in root]
    assert places == sorted(places)
    assert set(places) == set(range(len(order)))
    times = [int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")]
    assert times == sorted(times)
    ids = [v for e in root.iter() for k, v in e.attrib.items() if k in {"TIME_SLOT_ID", "ANNOTATION_ID", "CVE_ID"}]
    assert len(set(ids)) == len(ids)
    types = {one.attrib["LINGUISTIC_TYPE_ID"] for one in root.iter("LINGUISTIC_TYPE")}
    assert {tier.attrib["LINGUISTIC_TYPE_REF"] for tier in root.iter("TIER")} == types
    for marks in parse_elan(text).values():
        assert all(start < end for start, end, _ in marks)
        assert all(one[1] <= other[0] for one, other in pairwise(marks))


@few
@given(timelines())
def test_audacity_parses_back_to_the_segments(made: Timeline) -> None:
    found = []
    for line in render(made, "audacity").splitlines():
        start, end, label = line.split("\t")
        emotion, _, channel = label.removesuffix(")").partition(" (channel ")
        found.append((round(1000 * float(start)), round(1000 * float(end)), int(channel or 1) - 1, emotion))
    assert found == expected(made)


@few
@given(timelines())
def test_subtitles_parse_back_to_the_segments(made: Timeline) -> None:
    for form, point, before, after in (("srt", ",", "channel ", ": "), ("vtt", ".", "<v channel ", ">")):
        found = []
        for start, end, text in parse_subtitles(render(made, form), point):
            head, _, words = text.rpartition(after) if made.channels > 1 else ("", "", text)
            channel = int(head.removeprefix(before)) - 1 if head else 0
            found.append((start, end, channel, words.split(" ")[0]))
        assert found == expected(made)


@few
@given(timelines(shortest=0.0, whole_ms=False))
def test_no_subtitle_ends_before_it_starts(made: Timeline) -> None:
    for form, point in (("srt", ","), ("vtt", ".")):
        assert all(start < end for start, end, _ in parse_subtitles(render(made, form), point))


@few
@given(timelines())
def test_rttm_parses_back_to_the_segments(made: Timeline) -> None:
    found = []
    for line in render(made, "rttm").splitlines():
        kind, file, channel, start, length, *rest = line.split(" ")
        assert (kind, len(rest)) == ("SPEAKER", 5)
        assert file
        begin = round(1000 * float(start))
        found.append((begin, begin + round(1000 * float(length)), int(channel) - 1, rest[2]))
    assert found == expected(made)


@few
@given(timelines(shortest=0.0, whole_ms=False))
def test_every_format_holds_any_timeline_as_text_that_can_be_written(made: Timeline) -> None:
    for form in FORMATS:
        render(made, form).encode("utf-8")


def test_an_uncertain_subtitle_says_what_it_would_be() -> None:
    made = timeline([segment(0.0, 1.0, UNCERTAIN), segment(1.0, 2.0, "anger")])
    for form, point in (("srt", ","), ("vtt", ".")):
        texts = [text for _, _, text in parse_subtitles(render(made, form), point)]
        assert texts == ["uncertain (happiness 41 %)", "anger 60 %"]


def test_hours_over_99_are_written_in_full() -> None:
    made = timeline([segment(360_000.5, 363_599.9994, "sadness")], duration=363_600.0, peaks=np.zeros((1, 1), "f4"))
    assert "100:00:00,500 --> 100:59:59,999\n" in render(made, "srt")
    assert "100:00:00.500 --> 100:59:59.999\n" in render(made, "vtt")


def test_a_time_that_is_rounded_up_carries_over() -> None:
    made = timeline([segment(59.9996, 3599.9999)], duration=3600.0, peaks=np.zeros((1, 1), "f4"))
    assert "00:01:00,000 --> 01:00:00,000" in render(made, "srt")


def test_segments_that_round_to_nothing_are_left_out_where_the_format_forbids_them() -> None:
    made = timeline([segment(1.0, 1.0002), segment(1.0002, 1.0004, "sadness"), segment(1.0004, 2.0, "happiness")])
    for form in ("srt", "vtt", "rttm", "elan"):
        assert "happiness" in render(made, form)
        assert ">anger<" not in render(made, form).split("CONTROLLED_VOCABULARY CV_ID")[0]
        assert "anger 60" not in render(made, form)
    assert [row["start"] for row in json.loads(render(made, "json"))["segments"]] == [1.0, 1.0, 1.0]
    _, tiers = parse_textgrid(render(made, "textgrid"))
    assert (1.0002, 1.0004, "sadness") in tiers["emotion"]  # which has microseconds


def test_segments_that_overlap_by_a_mistake_do_not_overlap_in_a_tier() -> None:
    _, tiers = parse_textgrid(render(timeline([segment(1.0, 3.0), segment(2.0, 4.0, "sadness")]), "textgrid"))
    assert [one for one in tiers["emotion"] if one[2]] == [(1, 3, "anger"), (3, 4, "sadness")]


def test_a_timeline_without_segments_is_valid_in_each_format() -> None:
    made = timeline()
    assert parse_textgrid(render(made, "textgrid")) == (10, {"speech": [(0, 10, "")], "emotion": [(0, 10, "")]})
    assert parse_elan(render(made, "elan")) == {"speech": [], "emotion": []}
    assert json.loads(render(made, "json"))["segments"] == []
    assert render(made, "csv") == "start,end,channel,emotion,anger,happiness,sadness\n"
    assert render(made, "vtt").startswith("WEBVTT\n")
    assert [render(made, form) for form in ("srt", "audacity", "rttm")] == ["", "", ""]


@pytest.mark.parametrize("channels", [1, 2])
def test_awkward_names_break_no_format(channels: int) -> None:
    strange = (*CLASSES, AWKWARD)
    one = segment(0.0, 1.0, AWKWARD, channel=channels - 1)
    made = timeline([one], channels=channels, name=AWKWARD, model=AWKWARD, classes=strange)
    plain = 'a "b" c d <e> & --> é 日本 ? $x$ </script><!--.wav'
    emotion = name_of(made, "emotion", channels - 1)
    texts = {form: render(made, form) for form in FORMATS}
    assert [text for *_, text in parse_textgrid(texts["textgrid"])[1][emotion]] == [plain, ""]
    assert parse_elan(texts["elan"])[emotion] == [(0, 1000, plain)]
    media = ET.fromstring(texts["elan"]).find("HEADER/MEDIA_DESCRIPTOR")
    assert media is not None
    assert media.attrib["RELATIVE_MEDIA_URL"].endswith("<!--.wav")
    assert len(texts["audacity"].splitlines()) == len(texts["rttm"].splitlines()) == 1
    assert len(texts["rttm"].split()) == 10
    assert len(list(parse_subtitles(texts["srt"], ","))) == 1
    (vtt,) = parse_subtitles(texts["vtt"], ".")
    assert vtt[2].endswith("&lt;e&gt; &amp; --&gt; é 日本 ? $x$ &lt;/script&gt;&lt;!--.wav")
    assert texts["vtt"].count("-->") == 1
    assert json.loads(texts["json"])["name"] == AWKWARD.replace("\udcff", "?")
    (row,) = csv.DictReader(io.StringIO(texts["csv"], newline=""))
    assert row["emotion"] == AWKWARD.replace("\udcff", "?")


def test_vtt_names_the_recording_and_the_model_in_a_note() -> None:
    assert "\n\nNOTE\nEmotions in call.wav\nRecognized by made\n\n" in render(timeline([segment(0, 1)]), "vtt")
    assert "NOTE" not in render(timeline(name="", model=""), "vtt")


def test_rttm_names_the_file_without_spaces_and_an_array_somehow() -> None:
    made = timeline([segment(0.5, 2.0)], name="my long call.v2.wav")
    assert render(made, "rttm") == "SPEAKER my_long_call.v2 1 0.500 1.500 <NA> <NA> anger <NA> <NA>\n"
    assert render(timeline([segment(0, 1)], name=""), "rttm").startswith("SPEAKER audio 1 ")


def test_elan_offers_the_classes_and_uncertain_to_choose_from() -> None:
    root = ET.fromstring(render(timeline([segment(0, 1)]), "elan"))
    assert [one.text for one in root.iter("CVE_VALUE")] == [*CLASSES, UNCERTAIN]
    (media,) = root.iter("MEDIA_DESCRIPTOR")
    assert (media.attrib["RELATIVE_MEDIA_URL"], media.attrib["MIME_TYPE"]) == ("./call.wav", "audio/x-wav")
    assert not list(ET.fromstring(render(timeline(name=""), "elan")).iter("MEDIA_DESCRIPTOR"))


def test_json_has_embeddings_where_there_are_any_and_settings_of_any_kind() -> None:
    one = Window(
        start=0.0, end=1.0, emotion="anger", probabilities={"anger": 1 / 3}, embedding=np.array([0.1, 2], np.float32)
    )
    settings = {
        "hop": np.float32(0.5),
        "longest": float("inf"),
        "path": Path("a"),
        "on": True,
        "rule": {"n": [1, None]},
    }
    read = json.loads(render(timeline(windows=(one, Window(start=1, end=2, emotion="", probabilities={})),
                                      settings=settings), "json"))  # fmt: skip
    assert read["windows"][0]["embedding"] == [0.1, 2.0]
    assert read["windows"][0]["probabilities"] == {"anger": 0.333333}
    assert "embedding" not in read["windows"][1]
    assert read["settings"] == {"hop": 0.5, "longest": None, "path": "a", "on": True, "rule": {"n": [1, None]}}


def test_a_probability_that_is_missing_is_an_empty_cell() -> None:
    made = timeline(windows=(Window(start=0, end=1, emotion="anger", probabilities={"anger": 1.0}),))
    assert render(made, "windows-csv").splitlines()[1] == "0.000,1.000,0,anger,1.000000,,"


def test_the_same_timeline_is_the_same_text() -> None:
    made = timeline([segment(0, 1), segment(1, 2, "sadness")])
    assert all(render(made, form) == render(made, form) for form in FORMATS)


def test_endings_name_formats_and_formats_have_endings() -> None:
    assert [format_of(f"A.{suffix_of(form)}".upper()) for form in FORMATS] == list(FORMATS)
    assert format_of("call.windows.csv") == "windows-csv"
    with pytest.raises(UnknownNameError, match=r"no format has the ending '\.tgz'"):
        format_of("call.tgz")
    with pytest.raises(UnknownNameError, match=r"'call' has no ending; the name must end in one of .*\.TextGrid"):
        format_of("call")
    with pytest.raises(UnknownNameError, match="no format 'textgird'; did you mean 'textgrid'"):
        render(timeline(), "textgird")
    with pytest.raises(UnknownNameError, match="There are json, csv"):
        suffix_of("table")


PLANTED = "=a\x1b[31m\u202eb\u200b"


@pytest.mark.parametrize("format", [name for name in FORMATS if name not in ("json", "csv", "windows-csv")])
def test_no_format_holds_what_a_terminal_obeys_or_what_hides(format: str) -> None:  # noqa: A002
    text = render(timeline([segment(0, 1, PLANTED)], name=f"{PLANTED}.wav", model=PLANTED), format)
    assert all(char.isprintable() or char in "\n\t" for char in text)


@pytest.mark.parametrize("format", ["csv", "windows-csv"])
def test_a_spreadsheet_runs_no_emotion(format: str) -> None:  # noqa: A002
    found = timeline([segment(0, 1, "=1+1")], classes=("=1+1", "@x"))
    text = render(found, format)
    assert text.splitlines()[0] == "start,end,channel,emotion,'=1+1,'@x"
    assert format != "csv" or ",'=1+1," in text.splitlines()[1]
