"""The votes of listeners: how many of them heard each emotion in an utterance.

A corpus keeps them as the fact ``votes`` of an utterance, ``anger=1 neutral=8``.
"""

from serkit.errors import ManifestError
from serkit.labels import EMOTIONS
from serkit.types import Utterance

VOTES = "votes"  # key of ``Utterance.extra``
MOST_VOTES = 10_000  # for one emotion of one utterance; a larger number is a damaged table


def votes_of(utterance: Utterance) -> dict[str, int]:
    """Return canonical emotion to the number of listeners who heard it; empty where nobody was asked.

    Raises:
        ManifestError: If the votes are not written as ``anger=1 neutral=8``, or are more than :data:`MOST_VOTES`.

    Example:
        >>> clip = Utterance(id="a/1", path="", corpus="a", speaker="a/1", emotion="anger", extra={"votes": "anger=2"})
        >>> votes_of(clip)
        {'anger': 2}
    """
    found: dict[str, int] = {}
    for vote in utterance.extra.get(VOTES, "").split():
        emotion, equals, count = vote.partition("=")
        is_number = count.isascii() and count.isdecimal() and len(count) <= len(str(MOST_VOTES))
        if not equals or emotion not in EMOTIONS or not is_number or int(count) > MOST_VOTES:
            raise ManifestError(
                f"{utterance.id}: {vote!r} is not a number of votes up to {MOST_VOTES}; write votes as "
                "anger=1 neutral=8."
            )
        found[emotion] = found.get(emotion, 0) + int(count)
    return found
