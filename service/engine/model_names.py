"""Permission of a key to call a model: its patterns match any name of the model."""

from service.access.caller import Caller
from service.bedrock.catalog.resolution import Target, base_id
from service.errors import ServiceError


def permit(caller: Caller, asked: str, target: Target) -> None:
    """Reject a model that a key may not use, under any of its names.

    Raises:
        ServiceError: `forbidden`; it names the model where it is one of the catalogue's, and repeats nothing else.
    """
    if not caller.may_use(*names(asked, target)):
        model = f"the model {target.base_id}" if target.model.listed else "this model"
        raise ServiceError("forbidden", f"model_id: this API key may not use {model}.")


def names(asked: str, target: Target) -> tuple[str, ...]:
    """Every name: as it was asked for, what an alias stands for, and the model's own, without geo prefix."""
    return asked, target.model_id, target.base_id, base_id(asked)
