"""EAF for ELAN: a tier for speech and a tier for emotion in each channel. Times are in milliseconds.

The classes form a controlled vocabulary, so that annotators pick corrections from a list. The document names the
recording without a folder; ELAN finds a recording that lies beside the EAF file. The format requires a date, and the
document has a fixed one, so that equal timelines give equal documents.

Source:
    The Language Archive, EAF 3.0: https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf
"""

from collections.abc import Sequence
from pathlib import PurePath
from xml.etree import ElementTree as ET

from serkit.annotations.spans import spans
from serkit.annotations.timeline_data import TimelineData
from serkit.annotations.wording import one_line, tier_name
from serkit.types import UNCERTAIN

_SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_NO_DATE = "1970-01-01T00:00:00+00:00"
_KINDS = {".wav": "audio/x-wav"}  # ELAN draws the waveform of this type
_ANY_KIND = "audio/*"
_LANGUAGE = {
    "LANG_ID": "und", "LANG_LABEL": "undetermined (und)", "LANG_DEF": "http://cdb.iso.org/lg/CDB-00130975-001"
}  # fmt: skip
_CONSTRAINTS = {  # ELAN expects all four, even unused
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps allowed within this "
    "interval",
    "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering to the same parent are "
    "ordered",
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are allowed",
}
Mark = tuple[int, int, str]  # start and end in milliseconds, text


def write(timeline: TimelineData) -> str:
    """Return a timeline as an EAF document."""
    tiers = _tiers(timeline)
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": one_line(timeline.model),
            "DATE": _NO_DATE,
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{{{_SCHEMA_INSTANCE}}}noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
        },
    )
    _add_header(root, timeline, sum(len(marks) for _, _, marks in tiers))
    _add_tiers(root, tiers)
    for kind, more in (("speech", {}), ("emotion", {"CONTROLLED_VOCABULARY_REF": "emotions"})):
        plain = {"LINGUISTIC_TYPE_ID": kind, "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
        ET.SubElement(root, "LINGUISTIC_TYPE", {**plain, **more})
    ET.SubElement(root, "LANGUAGE", _LANGUAGE)
    for stereotype, description in _CONSTRAINTS.items():
        ET.SubElement(root, "CONSTRAINT", {"STEREOTYPE": stereotype, "DESCRIPTION": description})
    _add_vocabulary(root, [*timeline.classes, UNCERTAIN])
    ET.indent(root, "    ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _tiers(timeline: TimelineData) -> list[tuple[str, str, list[Mark]]]:
    """Return name, type and marks of each tier."""
    speech, segments = spans(timeline.speech), spans(timeline.segments)
    tiers = []
    for channel in range(timeline.channels):
        marked = [(s.start, s.end, "speech") for s in speech if s.stretch.channel == channel]
        named = [(s.start, s.end, one_line(s.stretch.emotion)) for s in segments if s.stretch.channel == channel]
        tiers.append((tier_name(timeline, "speech", channel), "speech", marked))
        tiers.append((tier_name(timeline, "emotion", channel), "emotion", named))
    return tiers


def _add_header(root: ET.Element, timeline: TimelineData, annotations: int) -> None:
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    name = one_line(PurePath(timeline.name).name)
    if name:
        kind = _KINDS.get(PurePath(name).suffix.lower(), _ANY_KIND)
        places = {"MEDIA_URL": f"file:///{name}", "MIME_TYPE": kind, "RELATIVE_MEDIA_URL": f"./{name}"}
        ET.SubElement(header, "MEDIA_DESCRIPTOR", places)
    ET.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"}).text = str(annotations)


def _add_tiers(root: ET.Element, tiers: Sequence[tuple[str, str, list[Mark]]]) -> None:
    order = ET.SubElement(root, "TIME_ORDER")
    slots: list[tuple[int, ET.Element, str]] = []  # time, annotation that refers to it, name of the attribute
    number = 0
    for name, kind, marks in tiers:
        tier = ET.SubElement(root, "TIER", {"TIER_ID": name, "LINGUISTIC_TYPE_REF": kind})
        for start, end, text in marks:
            number += 1
            holder = ET.SubElement(tier, "ANNOTATION")
            annotation = ET.SubElement(holder, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{number}"})
            ET.SubElement(annotation, "ANNOTATION_VALUE").text = text
            slots += [(start, annotation, "TIME_SLOT_REF1"), (end, annotation, "TIME_SLOT_REF2")]
    for place, (time, annotation, attribute) in enumerate(sorted(slots, key=lambda slot: slot[0]), start=1):
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{place}", "TIME_VALUE": str(time)})
        annotation.set(attribute, f"ts{place}")


def _add_vocabulary(root: ET.Element, words: Sequence[str]) -> None:
    vocabulary = ET.SubElement(root, "CONTROLLED_VOCABULARY", {"CV_ID": "emotions"})
    ET.SubElement(vocabulary, "DESCRIPTION", {"LANG_REF": _LANGUAGE["LANG_ID"]}).text = "the classes of the model"
    for place, word in enumerate(words, start=1):
        entry = ET.SubElement(vocabulary, "CV_ENTRY_ML", {"CVE_ID": f"cve{place}"})
        ET.SubElement(entry, "CVE_VALUE", {"LANG_REF": _LANGUAGE["LANG_ID"]}).text = one_line(word)
