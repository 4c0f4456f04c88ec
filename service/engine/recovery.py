"""What follows a failed call, as a pure decision over the columns of `errors.CODES` and the state of the generation."""

from typing import NamedTuple

from service.engine.continuation import Leg
from service.errors import ServiceError

BASE_S = 0.5
CAP_S = 20.0
MAX_RETRY_AFTER_S = 60.0  # a longer `Retry-After` is passed on to the client instead of being waited for


class RecoveryState(NamedTuple):
    """What a decision depends on besides the error.

    `shown`: readers have a part of the answer. `continuation`: the call that continues it; None: policy or model rule
    that out. `blocked`: the circuit breaker rejects the next call. `fallback_ready`: another model can take the
    request. `retries`: retries made. `budget_left`: the process may retry. `left_s`: time until the deadline.
    `original`: the error of the requested model, once a fallback has been called. `jitter`: random, from 0 to 1.
    """

    shown: bool
    continuation: Leg | None
    blocked: bool
    fallback_ready: bool
    retries: int
    max_retries: int
    budget_left: bool
    left_s: float
    original: ServiceError | None
    jitter: float


class Retry(NamedTuple):
    """Repeat the call after `delay_s`: readers have nothing of the answer yet."""

    delay_s: float


class Fallback(NamedTuple):
    """Call the next model."""


class Continue(NamedTuple):
    """Continue the truncated answer with `leg` after `delay_s`."""

    leg: Leg
    delay_s: float


class GiveUp(NamedTuple):
    """End the generation with `error`."""

    error: ServiceError


Step = Retry | Fallback | Continue | GiveUp


def next_step(error: ServiceError, state: RecoveryState) -> Step:
    """Decide what follows a failed call."""
    if state.shown and state.continuation is None:
        return GiveUp(error)
    can_fall_back = state.fallback_ready and not state.shown
    if can_fall_back and error.code.fallback:
        return Fallback()
    if _may_retry(error, state):
        delay_s = delay_before(state.retries + 2, error, state.jitter)
        return Continue(state.continuation, delay_s) if state.continuation else Retry(delay_s)
    # A request that the requested model rejects is wrong; one that a fallback rejects may suit the next fallback.
    if can_fall_back and (error.retried or state.original):
        return Fallback()
    return GiveUp(state.original if state.original and not error.retryable else error)


def _may_retry(error: ServiceError, state: RecoveryState) -> bool:
    return (
        error.retried
        and not state.blocked
        and state.retries < state.max_retries
        and (error.retry_after or 0.0) <= min(MAX_RETRY_AFTER_S, state.left_s)
        and state.budget_left
    )


def delay_before(attempt: int, error: ServiceError, jitter: float) -> float:
    """Return the delay before attempt number `attempt` (2 is the first retry), in seconds.

    Full jitter over an exponential ceiling (AWS Architecture Blog, "Exponential Backoff and Jitter"); Bedrock's
    `Retry-After` is added to it.
    """
    ceiling = min(CAP_S, BASE_S * 2.0 ** (attempt - 2))
    return (error.retry_after or 0.0) + ceiling * jitter
