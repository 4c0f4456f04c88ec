"""InvokeModel: each family's own shape."""

from collections.abc import Callable

from service.bedrock.catalog import Model
from service.local.answering import Job
from service.local.families import claude_messages
from service.local.families.common import Asked
from service.local.plan import Plan
from service.local.refusal import Refused

_PLANS: dict[str, Callable[[Asked], Plan]] = {
    "claude_messages": claude_messages.plan,
}


def plan(body: object, model: Model, job: Job, *, streaming: bool) -> Plan:
    """Plan the answer to a body of InvokeModel.

    Raises:
        Refused: the family would not take it.
    """
    make = _PLANS.get(model.family)
    if make is None:
        raise Refused("The provided model identifier is invalid.")
    return make(Asked(body, model, streaming, job.headers))
