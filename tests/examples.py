"""How many examples the property tests try: some in `make test`, many in `make soak`."""

from hypothesis import HealthCheck, settings

MORE = 20  # times as many in `make soak`

settings.register_profile("test", max_examples=40, deadline=None)
settings.register_profile("soak", max_examples=40 * MORE, deadline=None)


def examples(number: int, *, stateful_steps: int = 50) -> settings:
    """Settings for a property test: so many examples in `make test`, `MORE` times as many in `make soak`."""
    times = MORE if settings.get_current_profile_name() == "soak" else 1
    return settings(
        max_examples=number * times,
        stateful_step_count=stateful_steps,
        deadline=None,  # no test asserts time
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
