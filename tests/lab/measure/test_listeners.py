import json
from collections.abc import Sequence
from dataclasses import replace

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from serkit.data.manifest import Manifest
from serkit.errors import ManifestError
from serkit.lab.measure.listeners import cohens_kappa, krippendorffs_alpha, listeners_of
from serkit.lab.measure.metrics import confusion_matrix
from serkit.types import Utterance

EMOTIONS = ("anger", "fear", "neutral")


def manifest(clips: Sequence[tuple[str, str]], *, speakers: int = 7) -> Manifest:
    """Return utterances with an acted emotion and votes each."""
    return Manifest(
        tuple(
            Utterance(
                id=f"toy/{n}", path="", corpus="toy", speaker=f"toy/{n % speakers}", emotion=emotion,
                extra={"votes": votes} if votes else {},
            )
            for n, (emotion, votes) in enumerate(clips)
        )
    )  # fmt: skip


CLIPS = [
    ("anger", "anger=3 neutral=1"),
    ("anger", "anger=1 fear=1"),  # a tie
    ("fear", "neutral=4"),
    ("fear", "fear=2 neutral=1"),
    ("neutral", "neutral=5"),
    ("anger", ""),  # nobody was asked
    ("fear", "anger=2"),
]


def test_each_vote_counts_as_a_prediction_of_the_acted_emotion() -> None:
    found = listeners_of(manifest(CLIPS))
    assert (found.emotions, found.utterances, found.answers) == (EMOTIONS, 6, 20)
    assert found.heard == ((4, 1, 1), (2, 2, 5), (0, 0, 5))
    assert found.wa == round(100 * 11 / 20, 2)
    assert found.uar == round(100 * (4 / 6 + 2 / 9 + 1) / 3, 2)
    assert found.uar_low <= found.uar <= found.uar_high
    true = np.repeat([0, 1, 2], [6, 9, 5])
    answers = np.repeat([0, 1, 2, 0, 1, 2, 2], [4, 1, 1, 2, 2, 5, 5])
    assert found.macro_f1 == round(100 * f1_score(true, answers, average="macro"), 2)


def test_a_tie_has_no_majority_and_is_counted() -> None:
    found = listeners_of(manifest(CLIPS))
    assert found.ties == 1
    assert found.majority == ((1, 0, 0), (1, 1, 1), (0, 0, 1))
    assert found.majority_wa == 60.0


def test_kappa_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    true, heard = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    heard[:90] = true[:90]
    expected = cohen_kappa_score(true, heard)
    assert cohens_kappa(confusion_matrix(true, heard, 4)) == pytest.approx(expected, abs=1e-12)


def test_alpha_is_that_of_the_library_krippendorff() -> None:
    rng = np.random.default_rng(1)
    counts = rng.multinomial(9, [0.1, 0.2, 0.7], size=60) * (rng.random((60, 1)) < 0.9)
    counts[:8] = rng.permutation([[1, 0, 0], [0, 5, 0], [2, 2, 2], [0, 0, 9]] * 2)
    expected = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    assert krippendorffs_alpha(counts) == pytest.approx(expected, abs=1e-12)


def test_listeners_who_all_agree_have_an_alpha_of_one() -> None:
    assert krippendorffs_alpha(np.array([[4, 0], [0, 3]])) == 1
    assert krippendorffs_alpha(np.array([[4, 0], [3, 0]])) == 1


def test_single_votes_say_nothing_of_agreement() -> None:
    assert np.isnan(krippendorffs_alpha(np.array([[1, 0], [0, 1]])))


def test_a_corpus_without_votes_is_refused_in_a_sentence() -> None:
    with pytest.raises(ManifestError, match="no utterance of toy has listeners' votes; where the release has a table"):
        listeners_of(manifest([("anger", "")]))


def test_what_is_not_defined_is_none_in_json() -> None:
    ties = listeners_of(manifest([("anger", "anger=1 fear=1")]))
    assert (ties.majority_wa, ties.kappa) == (None, None)
    assert listeners_of(manifest([("anger", "anger=1"), ("fear", "anger=1")])).alpha is None
    assert "NaN" not in json.dumps(ties.to_json())


def test_listeners_are_compared_with_what_was_acted_also_under_the_labels_that_they_gave() -> None:
    clips = manifest(CLIPS)
    heard = tuple(replace(u, emotion="neutral", extra={**u.extra, "acted": u.emotion}) for u in clips)
    assert listeners_of(Manifest(heard)) == listeners_of(clips)
