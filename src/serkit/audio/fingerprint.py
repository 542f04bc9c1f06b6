"""stub"""


def fingerprint(samples, sampling_rate: int) -> bytes:
    return b""


def excerpt(code: bytes) -> bytes:
    return code
