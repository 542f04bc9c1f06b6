"""What whoever runs the service decides; every default stands here."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from serkit.errors import RecipeError

SHORTEST_TOKEN = 16  # characters: what is shorter can be guessed


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one worker process takes on.

    Attributes:
        body_bytes: Of one upload.
        clip_seconds: Of the sound that ``/v1/predict`` answers as one.
        recording_seconds: Of the sound that ``/v1/timeline`` hears.
        decode_seconds: That decoding a clip may take.
        timeline_seconds: That a timeline may take.
        stall_seconds: That a sender may be silent in the middle of an upload.
        slowest_rate: Bytes a second that a sender must send on average, after the first ``stall_seconds``.
        requests: Uploads that are in work at once; more are sent away.
        timelines: How many of them may be timelines, which take long and wait for each other.
        uploaded_bytes: Of all of them together.
        sessions: Streams at once.
        session_seconds: Of sound in one stream.
        idle_seconds: That a stream may be silent, or leave its events unread.
        rate: Requests and streams a second of one client, on average; 0 does not count them.
        burst: How many more may come at once.
    """

    body_bytes: int = 64_000_000
    clip_seconds: float = 60.0
    recording_seconds: float = 3600.0
    decode_seconds: float = 20.0
    timeline_seconds: float = 300.0
    stall_seconds: float = 20.0
    slowest_rate: float = 50_000.0
    requests: int = 64
    timelines: int = 8
    uploaded_bytes: int = 256_000_000
    sessions: int = 64
    session_seconds: float = 3600.0
    idle_seconds: float = 30.0
    rate: float = 20.0
    burst: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the service runs.

    Attributes:
        model: A model file, or the name of an embedded model; None for the default one.
        host: Address to listen at.
        port: Likewise; 0 takes a free one.
        workers: Processes that answer.
        tokens: SHA-256 digests of the tokens, one of which a client must have; none asks for none.
        allowed_hosts: Names by which the service is reached, beside localhost and addresses.
        origins: Of other web pages that may use the service, such as ``https://example.org``.
        trusted_proxies: Addresses whose word on a client's address is taken.
        decoders: Processes that decode clips, of each worker.
        listeners: Processes that make timelines, of each worker.
        limits: See :class:`Limits`.
        is_logging_requests: Whether each request is logged, with the client's address.
    """

    model: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    tokens: frozenset[bytes] = frozenset()
    allowed_hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    decoders: int = 2
    listeners: int = 1
    limits: Limits = field(default_factory=Limits)
    is_logging_requests: bool = False

    @property
    def is_local(self) -> bool:
        """Whether nobody from another machine can reach it."""
        address = address_of(self.host)
        return address.is_loopback if address else self.host.lower() == "localhost"


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is written as; None where it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def digest(token: str) -> bytes:
    """Return what is kept of a token."""
    import hashlib  # 3 ms, which each command would take

    return hashlib.sha256(token.encode()).digest()


def read_tokens(path: Path) -> frozenset[bytes]:
    """Read a file of tokens, one a line; lines that begin with # say something to people.

    Raises:
        RecipeError: If it cannot be read, or holds no token, or one that could be guessed.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise RecipeError(f"cannot read the token file {str(path)!r}: {why}.") from error
    tokens = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not tokens:
        raise RecipeError(f"the token file {str(path)!r} holds no token: one a line.")
    for number, token in enumerate(tokens, start=1):
        if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
            raise RecipeError(
                f"token {number} in {str(path)!r} is not {SHORTEST_TOKEN} or more printable ASCII characters without "
                'a space; python -c "import secrets; print(secrets.token_urlsafe())" makes one.'
            )
    return frozenset(map(digest, tokens))


def check_origins(origins: Iterable[str]) -> tuple[str, ...]:
    """Return origins as browsers send them: scheme, host and, where it is not the scheme's own, port.

    Raises:
        RecipeError: If one is none.
    """
    found = []
    for origin in origins:
        scheme, mark, rest = origin.lower().rstrip("/").partition("://")
        if not mark or scheme not in ("http", "https") or not rest or set(rest) & set("/ *?#@"):
            raise RecipeError(f"{origin!r} is no origin; expected one such as https://example.org, without a path.")
        found.append(f"{scheme}://{rest}")
    return tuple(found)
