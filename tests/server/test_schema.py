"""What the OpenAPI document allows never makes the service fail, and what it forbids is refused: schemathesis asks."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from support.serving import Running

WITH_BODY = ("/v1/predict", "/v1/timeline")
PATHS = (*WITH_BODY, "/v1/models", "/v1/stream", "/healthz", "/readyz", "/metrics")


@pytest.fixture(scope="module")
def api(service: Running) -> Any:
    return schemathesis.openapi.from_url(f"{service.address}/openapi.json")


def test_the_document_has_these_paths_and_no_other(api: Any) -> None:
    assert sorted(operation.ok().path for operation in api.get_all_operations()) == sorted(PATHS)


@pytest.mark.parametrize(
    ("path", "mode"),
    [(path, GenerationMode.POSITIVE) for path in PATHS] + [(path, GenerationMode.NEGATIVE) for path in WITH_BODY],
    ids=lambda value: str(getattr(value, "value", value)),
)
def test_answers_are_as_the_document_says(api: Any, service: Running, path: str, mode: GenerationMode) -> None:
    operation = next(iter(api[path].values()))

    @settings(max_examples=60 if path in WITH_BODY else 5, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        # no schema says what a sound is, so what fits the schema may be refused as no sound
        answer = case.call_and_validate(timeout=30, excluded_checks=[positive_data_acceptance])
        assert answer.status_code != 500

    ask()
    assert "Traceback" not in "".join(service.log)
