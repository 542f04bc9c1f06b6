import pytest

from serkit.corpora import corpus_names, get_corpus
from serkit.errors import LabelError, UnknownNameError
from serkit.labels import EMOTIONS, LABEL_SETS, LabelSet, check_emotion, get_label_set

every_label_set = pytest.mark.parametrize("labels", LABEL_SETS.values(), ids=lambda labels: labels.name)


def test_the_canonical_emotions_are_the_thirteen_of_the_design() -> None:
    assert set(EMOTIONS) == {
        "anger", "boredom", "calm", "contempt", "disgust", "excitement", "fear",
        "frustration", "happiness", "neutral", "sadness", "surprise", "other",
    }  # fmt: skip


@every_label_set
def test_classes_are_canonical_and_stand_once(labels: LabelSet) -> None:
    assert set(labels.classes) <= set(EMOTIONS)
    assert len(set(labels.classes)) == len(labels.classes)


@every_label_set
def test_merging_leads_from_canonical_emotions_to_classes(labels: LabelSet) -> None:
    assert set(labels.merge) <= set(EMOTIONS)
    assert set(labels.merge.values()) <= set(labels.classes)
    assert not set(labels.merge) & set(labels.classes), "a class that is merged away could never be predicted"


@every_label_set
def test_a_class_has_the_index_of_its_place(labels: LabelSet) -> None:
    assert [labels.index(name) for name in labels.classes] == list(range(len(labels.classes)))


@every_label_set
def test_a_label_set_stands_under_its_own_name_and_says_why(labels: LabelSet) -> None:
    assert get_label_set(labels.name) is labels
    assert labels.why


@pytest.mark.parametrize("name", corpus_names())
def test_the_label_set_of_a_corpus_has_exactly_its_emotions(name: str) -> None:
    assert set(get_label_set(name).classes) == set(get_corpus(name).emotions.values())


def test_calm_counts_as_neutral_in_basic7() -> None:
    basic7 = get_label_set("basic7")
    assert basic7.class_of("calm") == "neutral"
    assert basic7.index("calm") == basic7.index("neutral")


def test_calm_is_a_class_of_its_own_in_ravdess() -> None:
    assert get_label_set("ravdess").class_of("calm") == "calm"


def test_basic7_leaves_boredom_out() -> None:
    basic7 = get_label_set("basic7")
    assert basic7.class_of("boredom") is None
    with pytest.raises(LabelError, match=r"'basic7' has no class for 'boredom': it has anger, disgust, .*surprise\.$"):
        basic7.index("boredom")


def test_an_unknown_emotion_is_refused_with_the_nearest_and_all_known_ones() -> None:
    with pytest.raises(LabelError) as caught:
        check_emotion("angry")
    assert "unknown emotion 'angry'; did you mean 'anger'?" in str(caught.value)
    assert all(emotion in str(caught.value) for emotion in EMOTIONS)


def test_an_unknown_emotion_with_nothing_near_is_refused_with_all_known_ones() -> None:
    with pytest.raises(LabelError, match=r"unknown emotion 'xyz'; the canonical ones are anger, .*, other\.$"):
        check_emotion("xyz")


def test_a_label_set_refuses_an_emotion_that_is_not_canonical() -> None:
    with pytest.raises(LabelError, match="unknown emotion 'happy'"):
        get_label_set("basic7").class_of("happy")


def test_an_unknown_label_set_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no label set 'basic6'; did you mean 'basic7'\?"):
        get_label_set("basic6")
