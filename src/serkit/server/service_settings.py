"""The service's settings and their defaults, token files and allowed origins."""

import ipaddress
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from serkit.errors import SettingsError

FORM_OVERHEAD = 65_536  # bytes of a form besides its file
_HOPS_PER_WINDOW = 6
MIN_TOKEN_LENGTH = 16  # characters; shorter tokens can be guessed


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one worker process.

    Attributes:
        body_bytes: Maximum size of an upload.
        clip_seconds: Maximum duration of a clip for ``/v1/predict``.
        recording_seconds: Maximum duration of a recording for ``/v1/timeline``.
        decode_seconds: Time limit for decoding a clip.
        timeline_seconds: Time limit for making a timeline.
        stall_seconds: Maximum pause within an upload.
        slowest_rate: Minimum average upload speed in bytes per second, after the first ``stall_seconds``. Weak mobile
            networks send 10,000 to 30,000.
        requests: Maximum number of concurrent uploads; further ones are refused.
        timelines: Maximum number of timelines among them.
        uploaded_bytes: Maximum size of all concurrent uploads together.
        sessions: Maximum number of concurrent streams.
        connections: Maximum number of open connections.
        request_seconds: Maximum time that a connection may take to send the head of a request.
        client_share: Share of uploads, timelines, uploaded bytes, streams and connections that one client may use at
            once, above 0; 1 disables the limit.
        session_seconds: Maximum duration of the sound in one stream.
        idle_seconds: Maximum time for which a stream may send no sound, or leave its events unread.
        rate: Average number of requests and streams per second and client; 0 disables the limit.
        burst: Number of requests that one client may send at once.
    """

    body_bytes: int = 64_000_000
    clip_seconds: float = 60.0
    recording_seconds: float = 3600.0
    decode_seconds: float = 20.0
    timeline_seconds: float = 300.0
    stall_seconds: float = 20.0
    slowest_rate: float = 5_000.0
    requests: int = 64
    timelines: int = 8
    uploaded_bytes: int = 256_000_000
    sessions: int = 64
    connections: int = 1024
    request_seconds: float = 15.0
    client_share: float = 0.25
    session_seconds: float = 3600.0
    idle_seconds: float = 30.0
    rate: float = 20.0
    burst: int = 100

    @property
    def window_seconds(self) -> float:
        """Maximum duration of all windows of one timeline together.

        The longest recording may have windows of six hops, or of three hops for two separate channels. Shorter
        recordings may have more.
        """
        return _HOPS_PER_WINDOW * self.recording_seconds

    @property
    def client_bytes(self) -> int:
        """Maximum size of one client's concurrent uploads together; at least one upload of the maximum size."""
        return max(self.of_client(self.uploaded_bytes), self.body_bytes + FORM_OVERHEAD)

    def of_client(self, most: int) -> int:
        """Return one client's share of a limit, at least 1."""
        return max(1, math.ceil(self.client_share * most))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of the service.

    Attributes:
        model: Model file, or the name of an embedded model; None for the default model.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        workers: Number of worker processes.
        tokens: SHA-256 digests of the accepted tokens; if empty, no token is required.
        allowed_hosts: Host names of the service, besides localhost and IP addresses.
        origins: Origins of other web pages that may use the service, such as ``https://example.org``.
        trusted_proxies: Addresses of proxies whose X-Forwarded-For header is trusted.
        root_path: Path below which a proxy serves the service, such as ``/serkit``; empty for none.
        clip_decoders: Number of processes per worker that decode clips.
        timeline_decoders: Number of processes per worker that make timelines.
        limits: Limits of each worker.
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
    root_path: str = ""
    clip_decoders: int = 2
    timeline_decoders: int = 2
    limits: Limits = field(default_factory=Limits)
    is_logging_requests: bool = False

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        address = address_of(self.host)
        return address.is_loopback if address else self.host.lower() == "localhost"


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address that a host string spells; None if it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def digest(token: str) -> bytes:
    """Return the SHA-256 digest of a token."""
    import hashlib  # its import takes 3 ms, which every command would pay

    return hashlib.sha256(token.encode()).digest()


def read_tokens(path: Path) -> frozenset[bytes]:
    """Return the digests of the tokens in a file: one per line; lines that begin with # are comments.

    Raises:
        SettingsError: If the file cannot be read, holds no token, or holds a token that could be guessed.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text file"
        raise SettingsError(f"cannot read the token file {str(path)!r}: {why}.") from error
    tokens = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not tokens:
        raise SettingsError(f"the token file {str(path)!r} holds no token; write one per line.")
    for number, token in enumerate(tokens, start=1):
        if len(token) < MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable() or " " in token:
            raise SettingsError(
                f"token {number} in {str(path)!r} must have {MIN_TOKEN_LENGTH} or more printable ASCII characters and "
                'no space; make one with python -c "import secrets; print(secrets.token_urlsafe())".'
            )
    return frozenset(map(digest, tokens))


def check_origins(origins: Iterable[str]) -> tuple[str, ...]:
    """Return origins as browsers send them: scheme, host and, if it is not the scheme's default, port.

    Raises:
        SettingsError: If a string is not an origin.
    """
    found = []
    for origin in origins:
        scheme, mark, rest = origin.lower().rstrip("/").partition("://")
        if not mark or scheme not in ("http", "https") or not rest or set(rest) & set("/ *?#@"):
            raise SettingsError(
                f"{origin!r} is not an origin; expected a form such as https://example.org, without a path."
            )
        found.append(f"{scheme}://{rest}")
    return tuple(found)


def check_root_path(path: str) -> str:
    """Return a path below which a proxy serves the service, without a slash at its end.

    Raises:
        SettingsError: If it is not such a path.
    """
    parts = path.rstrip("/").split("/")
    if path and (parts[0] or not all(re.fullmatch(r"[\w.~-]+", part, re.ASCII) for part in parts[1:])):
        raise SettingsError(f"{path!r} is not a path to serve below; expected a form such as /serkit.")
    return "/".join(parts)
