"""The examples in the OpenAPI document: real answers of the embedded model, shortened, and problems."""

from typing import Any

PREDICTION: dict[str, Any] = {
    "file": "loud_fast_high.wav",
    "model": "default-3fold-crnn",
    "emotion": "uncertain",
    "probabilities": {"fear": 0.487205, "anger": 0.380904, "happiness": 0.080069},
    "duration": 2.0986,
    "remarks": [],
    "gaps": [],
}
PREDICTION_CSV = (
    "file,emotion,duration,anger,disgust,fear,remarks,error\n"
    "loud_fast_high.wav,uncertain,2.0986,0.380904,0.031561,0.487205,,\n"
)
TIMELINE: dict[str, Any] = {
    "name": "talk.wav",
    "model": "default-3fold-crnn",
    "duration": 15.6,
    "sampling_rate": 16000,
    "channels": 1,
    "classes": ["anger", "disgust", "fear"],
    "settings": {"window": 3.0, "hop": 1.0, "smooth": 0.0, "channels": "mix"},
    "remarks": [],
    "gaps": [],
    "speech": [{"start": 0.72, "end": 5.06, "channel": 0}],
    "segments": [
        {"start": 0.72, "end": 5.06, "channel": 0, "emotion": "fear", "probabilities": {"fear": 0.692, "anger": 0.205}}
    ],
    "windows": [
        {"start": 0.32, "end": 3.32, "channel": 0, "emotion": "fear", "probabilities": {"fear": 0.647, "anger": 0.209}}
    ],
}
TIMELINE_SRT = "1\n00:00:00,720 --> 00:00:05,060\nfear 69 %\n\n"
PROBLEMS: dict[int, dict[str, Any]] = {
    400: {"code": "bad-form", "detail": "the form cannot be read: Missing boundary in multipart."},
    401: {"code": "no-valid-token", "detail": "this service requires a valid token."},
    403: {"code": "foreign-origin", "detail": "pages from that origin may not use this service."},
    406: {
        "code": "not-acceptable",
        "detail": "the Accept header allows none of the formats that this service sends here.",
    },
    408: {
        "code": "upload-stalled",
        "detail": "the upload stalled: nothing arrived for 20 s, after 131.1 kB.",
    },
    413: {"code": "body-too-large", "detail": "the upload is larger than 64 MB.", "accepted": {"most_bytes": 64000000}},
    415: {"code": "unsupported-format", "detail": "'notes.txt' is not audio that can be decoded."},
    421: {"code": "unknown-host", "detail": "this service does not answer to that host name."},
    422: {"code": "invalid-audio", "detail": "'clip.wav' is cut off: it has 1000 of 67328 bytes of audio."},
    426: {"code": "upgrade-required", "detail": "this address is a WebSocket; see docs/PROTOCOL.md."},
    429: {"code": "too-many-requests", "detail": "more than 20 requests per second; wait 1 s."},
    503: {"code": "overloaded", "detail": "the service is busy: too many uploads at once; try again."},
}
