"""Checks by acoustic fingerprints that a finished model is not tested on recordings that it was fitted on."""

from collections.abc import Mapping, Sequence

from serkit.card import Card
from serkit.data.fingerprint_cache import Codes, from_text
from serkit.data.near_duplicates import NearDuplicate, near_duplicates_between
from serkit.errors import LeakageError, ModelFileError


def check_recordings_unseen(card: Card, codes: Codes, speaker_of: Mapping[str, str], what: str) -> None:
    """Check that no recording is one that a model was trained or validated on, under whatever name.

    Args:
        card: Card of the model.
        codes: Utterance id to fingerprint of the test utterances.
        speaker_of: Utterance id to speaker.
        what: Name of the model in the message.

    Raises:
        LeakageError: If one is; the message names the speakers.
        ModelFileError: If a fingerprint on the card is damaged or of another version.
    """
    seen = {
        f"{speaker} {n}": from_text(text) for speaker, some in card.fingerprints.items() for n, text in enumerate(some)
    }
    try:
        found = near_duplicates_between(seen, codes)
    except ValueError as error:
        raise ModelFileError(
            f"the card of {what} has a fingerprint that cannot be compared ({error}) Export the model again, or pass "
            "--no-fingerprints."
        ) from error
    if found:
        raise LeakageError(f"{what} {_described(found, speaker_of)}")


def _described(found: Sequence[NearDuplicate], speaker_of: Mapping[str, str]) -> str:
    count = len({pair.second for pair in found})
    first = found[0]
    speaker, known = speaker_of[first.second], first.first.rpartition(" ")[0]
    return (
        f"was fitted on {count} of these recordings: {first.second!r} of {speaker!r} is a recording of {known!r} "
        f"(similarity {first.similarity:.2f}). Use other recordings to test and validate it."
    )
