"""The decision table of recovery: what follows each failure in each state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bedrock.catalog.resolution import resolve
from service.engine.continuation import Leg
from service.engine.recovery import (
    CAP_S,
    Continue,
    Fallback,
    GiveUp,
    RecoveryState,
    Retry,
    Step,
    delay_before,
    next_step,
)
from service.errors import CODES, ServiceError, UpstreamError
from service.generation import Request
from tests.harness import CLAUDE

REQUEST = Request(CLAUDE, ())
LEG = Leg(REQUEST, resolve(REQUEST))
ORIGINAL = UpstreamError("throttled")
FRESH = RecoveryState(
    shown=False,
    continuation=None,
    blocked=False,
    fallback_ready=False,
    retries=0,
    max_retries=3,
    budget_left=True,
    left_s=100.0,
    original=None,
    jitter=1.0,
)
SHOWN = FRESH._replace(shown=True, continuation=LEG)
SPARE = FRESH._replace(fallback_ready=True)
THROTTLED = UpstreamError("throttled")
TRUNCATED = UpstreamError("upstream_truncated")
REJECTED = UpstreamError("validation")
DENIED = UpstreamError("access_denied")
SILENT = UpstreamError("upstream_stalled", retried=False)
HOPELESS = UpstreamError("model_error", hopeless=True)
FULL = ServiceError("overloaded")


@pytest.mark.parametrize(
    ("error", "state", "step"),
    [
        pytest.param(TRUNCATED, FRESH, Retry(0.5), id="a retried code is retried"),
        pytest.param(TRUNCATED, FRESH._replace(retries=2), Retry(2.0), id="the delay doubles with each retry"),
        pytest.param(TRUNCATED, FRESH._replace(retries=3), GiveUp(TRUNCATED), id="no retry is left"),
        pytest.param(TRUNCATED, FRESH._replace(budget_left=False), GiveUp(TRUNCATED), id="the budget is empty"),
        pytest.param(TRUNCATED, FRESH._replace(blocked=True), GiveUp(TRUNCATED), id="the breaker is open"),
        pytest.param(REJECTED, FRESH, GiveUp(REJECTED), id="a rejected request is not retried"),
        pytest.param(DENIED, FRESH, GiveUp(DENIED), id="denied access is not retried"),
        pytest.param(SILENT, FRESH, GiveUp(SILENT), id="an error may rule a retry out"),
        pytest.param(HOPELESS, FRESH, GiveUp(HOPELESS), id="a request that the model's server rejects is not retried"),
        pytest.param(FULL, FRESH, GiveUp(FULL), id="our own rejection is not retried"),
        pytest.param(THROTTLED, SPARE, Fallback(), id="a fallback comes before a retry"),
        pytest.param(DENIED, SPARE, Fallback(), id="a fallback follows an error that is not retried"),
        pytest.param(SILENT, SPARE, Fallback(), id="a fallback follows silence"),
        pytest.param(TRUNCATED, SPARE, Retry(0.5), id="a retry comes before a fallback"),
        pytest.param(TRUNCATED, SPARE._replace(retries=3), Fallback(), id="a fallback follows the last retry"),
        pytest.param(TRUNCATED, SPARE._replace(blocked=True), Fallback(), id="a fallback follows an open breaker"),
        pytest.param(REJECTED, SPARE, GiveUp(REJECTED), id="a rejected request is not given to a fallback"),
        pytest.param(HOPELESS, SPARE, GiveUp(HOPELESS), id="a hopeless request is not given to a fallback"),
        pytest.param(
            REJECTED, SPARE._replace(original=ORIGINAL), Fallback(), id="what a fallback rejects, another may take"
        ),
        pytest.param(
            REJECTED, FRESH._replace(original=ORIGINAL), GiveUp(ORIGINAL), id="the requested model's error is reported"
        ),
        pytest.param(
            SILENT, FRESH._replace(original=ORIGINAL), GiveUp(SILENT), id="a retryable error of a fallback is reported"
        ),
        pytest.param(TRUNCATED, SHOWN, Continue(LEG, 0.5), id="a truncated answer is continued"),
        pytest.param(
            THROTTLED, SHOWN._replace(fallback_ready=True), Continue(LEG, 0.5), id="text rules a fallback out"
        ),
        pytest.param(
            DENIED, SHOWN._replace(fallback_ready=True), GiveUp(DENIED), id="text rules a fallback out without a retry"
        ),
        pytest.param(TRUNCATED, SHOWN._replace(continuation=None), GiveUp(TRUNCATED), id="no continuation is possible"),
        pytest.param(
            REJECTED,
            SHOWN._replace(continuation=None, original=ORIGINAL),
            GiveUp(REJECTED),
            id="after text the error itself is reported",
        ),
    ],
)
def test_each_failure_has_its_step(error: ServiceError, state: RecoveryState, step: Step) -> None:
    assert next_step(error, state) == step


@pytest.mark.parametrize(
    ("retry_after", "left_s", "step"),
    [(61, 1000.0, GiveUp), (20, 10.0, GiveUp), (20, 1000.0, Retry)],
    ids=["longer than a minute", "beyond the deadline", "within both"],
)
def test_retry_after_is_waited_for_within_a_minute_and_the_deadline(
    retry_after: float, left_s: float, step: type[Step]
) -> None:
    error = UpstreamError("throttled", retry_after=retry_after)

    assert isinstance(next_step(error, FRESH._replace(left_s=left_s)), step)


@given(attempt=st.integers(2, 40), jitter=st.floats(0, 1), retry_after=st.none() | st.floats(0, 60))
def test_a_delay_lies_between_retry_after_and_the_cap_above_it(
    attempt: int, jitter: float, retry_after: float | None
) -> None:
    error = UpstreamError("throttled", retry_after=retry_after)

    assert (retry_after or 0) <= delay_before(attempt, error, jitter) <= (retry_after or 0) + CAP_S


def test_the_columns_of_each_code_are_as_documented() -> None:
    def having(column: str) -> set[str]:
        return {name for name, row in CODES.items() if getattr(row, column)}

    retried = {"throttled", "model_not_ready", "model_timeout", "model_error", "upstream_unavailable"}
    retried |= {"upstream_truncated", "upstream_corrupt", "upstream_stalled"}
    assert having("retried") == retried
    assert having("breaker") == retried - {"throttled", "model_not_ready"}
    assert having("fallback") == retried - {"model_error", "upstream_truncated", "upstream_corrupt"} | {
        "quota_exceeded",
        "access_denied",
        "model_not_found",
    }
    assert having("x_should_retry") == {"rate_limited", "overloaded", "draining", "interrupted"}


@pytest.mark.parametrize(
    ("error", "counted"), [(UpstreamError("model_error"), True), (HOPELESS, False), (THROTTLED, False)]
)
def test_the_breaker_counts_failures_of_the_model_alone(error: UpstreamError, counted: bool) -> None:  # noqa: FBT001
    assert error.breaker is counted
