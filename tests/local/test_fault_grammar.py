"""The grammar of `X-Artesian-Fault`."""

import pytest

from service.local.faults import HEALTHY, Fault, parse
from service.local.refusal import LocalRefusal

MALFORMED = {
    "an unknown fault": ("flood", "there is no fault 'flood'"),
    "nothing": ("", "there is no fault ''"),
    "an empty step": ("throttle,,ok", "there is no fault ''"),
    "a position that is none": ("cut@soon", "'soon' is no position for cut"),
    "a position too early": ("crc@headers", "crc cannot come before the headers"),
    "a position below nothing": ("cut@-1", "'-1' is no position"),
    "a position for what has none": ("html@3", "html takes no position"),
    "a value for what takes none": ("cut=3", "cut takes no value"),
    "no value for what needs one": ("http", "http needs a value, as in http=503"),
    "a status that is none": ("http=200", "'200' is neither an HTTP status nor one of"),
    "a code that is none": ("http=WaterException", "'WaterException' is neither"),
    "a number that is none": ("slow=long", "'long' is no number for slow"),
    "time that runs backwards": ("pause=-1@3", "'-1' is no number for pause"),
    "time without end": ("slow=inf", "'inf' is no number for slow"),
    "times that are none": ("throttle*x", "'x' in 'throttle*x' is no number of calls"),
    "no times at all": ("throttle*0", "'0' in 'throttle*0' is no number of calls"),
    "an unknown parameter": ("throttle;colour=blue", "the parameter 'colour' is not known"),
    "an original status that is none": ("exception=x+status=9", "'9' is no HTTP status"),
}


@pytest.mark.parametrize(("script", "part"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_fault_is_refused_with_what_is_wrong(script: str, part: str) -> None:
    with pytest.raises(LocalRefusal) as caught:
        parse(script)

    assert caught.value.status == 400
    assert part in str(caught.value)
    assert "X-Artesian-Fault" in str(caught.value)


def test_a_script_is_read() -> None:
    script = parse("throttle*2, cut@5+rate=80 ,exception=x@open+message=a%2Cb,ok,stall;key=k;counted")

    assert script.key == "k"
    assert script.step(0) == script.step(1)
    assert script.step(1).faults == (Fault("http", "ThrottlingException"),)
    assert script.step(2).faults == (Fault("cut", "", 5), Fault("rate", "80"))
    assert script.step(3).faults == (Fault("exception", "x", "open"), Fault("message", "a,b"))
    assert script.step(4) == HEALTHY
    assert script.step(5).faults == (Fault("stall", "", 0),)
    assert script.step(6) == HEALTHY


def test_a_step_can_be_for_ever() -> None:
    script = parse("ok,throttle*")

    assert script.step(0) == HEALTHY
    assert script.step(10_000).get("http")
