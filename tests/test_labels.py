import pytest

from serkit.data.corpora import corpus_names, get_corpus, label_set_of
from serkit.errors import LabelError, UnknownNameError
from serkit.labels import EMOTIONS, LABEL_SETS, EmotionMap, LabelSet, check_emotion, common_labels, get_label_set
from serkit.types import SEX_VALUES

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
    assert set(label_set_of(name, [name]).classes) == set(get_corpus(name).emotions.values())


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


# The maps from a corpus's own labels


@pytest.fixture
def emotions() -> EmotionMap:
    return EmotionMap("Mine", 2, {"W": "anger", "Ä": "anger", "T": "sadness"})


def test_a_map_leads_from_own_labels_to_canonical_emotions(emotions: EmotionMap) -> None:
    assert dict(emotions) == {"W": "anger", "Ä": "anger", "T": "sadness"}
    assert emotions["T"] == "sadness"
    assert ("W" in emotions, "w" in emotions, len(emotions)) == (True, False, 3)
    assert (emotions.owner, emotions.version) == ("Mine", 2)


def test_the_classes_of_a_map_stand_once_and_in_order(emotions: EmotionMap) -> None:
    assert emotions.classes == ("anger", "sadness")


def test_a_label_that_a_map_does_not_know_is_refused_with_all_that_it_knows(emotions: EmotionMap) -> None:
    with pytest.raises(
        LabelError, match=r"^Mine has no label 'w': it knows W \(anger\), Ä \(anger\), T \(sadness\)\.$"
    ):
        emotions["w"]
    with pytest.raises(LabelError):
        emotions.get("w")


def test_a_map_to_an_emotion_that_is_not_canonical_is_refused() -> None:
    with pytest.raises(LabelError, match="unknown emotion 'angry'; did you mean 'anger'"):
        EmotionMap("Mine", 1, {"W": "angry"})


def test_a_map_does_not_change_with_what_it_was_made_from() -> None:
    source = {"W": "anger"}
    emotions = EmotionMap("Mine", 1, source)
    source["W"] = "fear"
    assert emotions["W"] == "anger"


# What corpora share


def test_common_labels_are_what_all_have_in_alphabetical_order() -> None:
    labels = common_labels({"a": ("sadness", "anger", "calm"), "b": ["fear", "anger", "sadness"]})
    assert labels == LabelSet("common", ("anger", "sadness"), "what a and b share; left out: calm (a), fear (b)")


def test_common_labels_say_nothing_of_losses_where_there_are_none() -> None:
    assert common_labels({"a": ("fear", "anger"), "b": ("anger", "fear")}).why == "what a and b share"


def test_the_common_labels_of_one_corpus_are_its_own() -> None:
    assert common_labels({"emodb": get_corpus("emodb").emotions.classes}).classes == get_label_set("emodb").classes


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            {"a": ("anger", "fear"), "b": ("anger", "sadness")},
            r"a and b share 1 emotion; a label set needs at least",
        ),
        ({"a": ("anger",), "b": ("sadness",)}, r"a and b share 0 emotions; a label set needs at least"),
        ({}, r"no corpora are named, so they share no emotion"),
    ],
)
def test_corpora_that_share_fewer_than_two_emotions_have_no_common_labels(
    classes: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        common_labels(classes)


def test_excitement_counts_as_happiness_in_iemocap4_and_frustration_is_left_out() -> None:
    iemocap4 = get_label_set("iemocap4")
    assert iemocap4.class_of("excitement") == iemocap4.class_of("happiness") == "happiness"
    assert iemocap4.class_of("frustration") is None


def test_superset6_leaves_out_what_not_all_of_its_four_corpora_have() -> None:
    shared = common_labels({name: get_corpus(name).emotions.classes for name in get_corpus("kaggle-ser-en").parts})
    assert get_label_set("superset6").classes == shared.classes


def test_an_unknown_label_set_is_refused_with_all_that_there_are() -> None:
    with pytest.raises(UnknownNameError) as caught:
        get_label_set("xyz")
    assert all(name in str(caught.value) for name in (*LABEL_SETS, "common"))


def test_sex_is_a_number_as_document_b_has_it() -> None:
    assert SEX_VALUES == {"male": 1, "female": 0, "unknown": 0.5}
