"""The grammar of `X-Artesian-Fault`."""

import pytest

from service.local.faults import NO_FAULTS, Fault, parse_script
from service.local.refusal import LocalRefusal

MALFORMED = {
    "an unknown fault": ("flood", "unknown fault 'flood'"),
    "an empty script": ("", "unknown fault ''"),
    "an empty step": ("throttle,,ok", "unknown fault ''"),
    "an invalid position": ("cut@soon", "'soon' is not a position for cut"),
    "a position before the headers": ("crc@headers", "crc is not possible before the headers"),
    "a negative position": ("cut@-1", "'-1' is not a position"),
    "a position of a fault without positions": ("html@3", "html has no position"),
    "a value of a fault without values": ("cut=3", "cut has no value"),
    "a missing value": ("http", "http needs a value, for example http=503"),
    "a successful status": ("http=200", "'200' is neither an HTTP status nor one of"),
    "an unknown code": ("http=WaterException", "'WaterException' is neither"),
    "an invalid number": ("slow=long", "'long' is not a number for slow"),
    "a negative time": ("pause=-1@3", "'-1' is not a number for pause"),
    "an infinite time": ("slow=inf", "'inf' is not a number for slow"),
    "an invalid number of calls": ("throttle*x", "'x' in 'throttle*x' is not a number of calls"),
    "zero calls": ("throttle*0", "'0' in 'throttle*0' is not a number of calls"),
    "an unknown parameter": ("throttle;colour=blue", "unknown parameter 'colour'"),
    "an invalid original status": ("exception=x+status=9", "'9' is not an HTTP status"),
}


@pytest.mark.parametrize(("script", "part"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_fault_is_rejected_with_the_reason(script: str, part: str) -> None:
    with pytest.raises(LocalRefusal) as caught:
        parse_script(script)

    assert caught.value.status == 400
    assert part in str(caught.value)
    assert "X-Artesian-Fault" in str(caught.value)


def test_a_script_is_parsed() -> None:
    script = parse_script("throttle*2, cut@5+rate=80 ,exception=x@open+message=a%2Cb,ok,stall;key=k;counted")

    assert script.key == "k"
    assert script.step(0) == script.step(1)
    assert script.step(1).faults == (Fault("http", "ThrottlingException"),)
    assert script.step(2).faults == (Fault("cut", "", 5), Fault("rate", "80"))
    assert script.step(3).faults == (Fault("exception", "x", "open"), Fault("message", "a,b"))
    assert script.step(4) == NO_FAULTS
    assert script.step(5).faults == (Fault("stall", "", 0),)
    assert script.step(6) == NO_FAULTS


def test_a_step_can_apply_without_limit() -> None:
    script = parse_script("ok,throttle*")

    assert script.step(0) == NO_FAULTS
    assert script.step(10_000).get("http")
