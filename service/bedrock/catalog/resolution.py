"""The catalogue: from a model id, a profile id or an ARN to the model, and from a request to what is called."""

import difflib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from msgspec import structs

from service.bedrock.catalog import ids
from service.bedrock.catalog.model import ANY_CHOICE, AUTO_ONLY, Abilities, Api, Model, Target
from service.bedrock.catalog.rows import ROWS
from service.bedrock.catalog.series import SERIES, UNKNOWN, Series, series_of
from service.bedrock.continuation import continuation
from service.bedrock.words import uses_tools
from service.errors import InvalidRequest
from service.generation import Request

__all__ = [
    "FAMILY_NAMES",
    "MODELS",
    "Abilities",
    "Alias",
    "Api",
    "Model",
    "Target",
    "base_id",
    "continuation",
    "hidden_family",
    "lookup",
    "nearest",
    "resolve",
]

Alias = tuple[str, str | None]
"""What a client's name stands for: an id or ARN, and the family (or series) where the ARN hides it."""

WRITTEN = "2026-11-22"
_POWERS = {2: 2048, 3: 3072, 4: 4096, 8: 8192, 16: 16384}
"""Limits of output that are powers of two; above them models differ, and the round number is below either."""


_LONGEST_NAME = 100  # characters that are compared; no id has more
_GEO_ORDER = ("global", "us", "eu", "apac", "jp", "au", "ca", "in", "us-gov")  # the likeliest to be of use first


def _with_flags(abilities: Abilities, flags: str, reasons: str) -> Abilities:
    """Refine a series by a row's flags: they say what the series leaves open."""
    open_fields = {"f": "tools", "v": "images", "p": "documents", "k": "cache_points", "P": "prefill"}
    said: dict[str, Any] = {
        name: True for flag, name in open_fields.items() if flag in flags and getattr(abilities, name) is None
    }
    said |= {name: False for flag, name in {"V": "images", "D": "documents"}.items() if flag in flags}
    if "S" in flags:
        said |= dict.fromkeys(("temperature", "top_p", "top_k"), False)
    if "T" in flags:
        said["tool_choice"] = AUTO_ONLY
    elif "c" in flags and abilities.tool_choice is None:
        said["tool_choice"] = ANY_CHOICE
    if "r" in flags and abilities.reasoning is None:
        said["reasoning"] = reasons
    return structs.replace(abilities, **said)


def _listed(line: str) -> Model:
    model_id, flags, limits, end, name, *geos = re.split(r"\s{2,}", line)
    series = series_of(model_id) or UNKNOWN
    context, output = (int(thousands) for thousands in limits.split("/"))
    return Model(
        id=model_id,
        family=series.family,
        provider=model_id.split(".", 1)[0],
        name=name,
        series=series.name,
        geos=tuple(sorted(geos[0].split(), key=_GEO_ORDER.index)) if geos else (),
        profile_only="o" in flags,
        context_tokens=context * 1000,
        max_output_tokens=_POWERS.get(output, output * 1000),
        end_of_life=None if end == "-" else end,
        ended=end != "-" and end <= WRITTEN,
        converse=_with_flags(series.converse, flags, series.reasons),
        invoke=_with_flags(series.invoke, flags, series.reasons),
        always_reasons=series.always_reasons or "A" in flags,
        reasoning_tag=series.reasoning_tag,
    )


def _guessed(model_id: str, series: Series) -> Model:
    return Model(
        id=model_id,
        family=series.family,
        provider="" if ids.arn_parts(model_id) else model_id.split(".", 1)[0],
        name=model_id,
        series=series.name,
        converse=series.converse,
        invoke=series.invoke,
        always_reasons=series.always_reasons,
        reasoning_tag=series.reasoning_tag,
        listed=False,
    )


MODELS: tuple[Model, ...] = tuple(_listed(line) for line in ROWS.strip().splitlines())
_BY_ID = {model.id: model for model in MODELS}
_SERIES = {series.name: series for series in SERIES}
_BY_FAMILY = {series.family: series for series in reversed(SERIES)} | {
    "claude_messages": _SERIES["claude"],
    "nova": _SERIES["nova"],
    "llama": _SERIES["llama3"],
    "openai_chat": _SERIES["openai"],
    "tolerant": UNKNOWN,
}
FAMILY_NAMES = frozenset(_BY_FAMILY) | frozenset(_SERIES)
"""What an alias may name as its family: a family, or a series where the template depends on it."""


@lru_cache(maxsize=1024)
def lookup(model_id: str) -> Model | None:
    """Find the model of a bare id, a profile id, a provisioned variant or an ARN that tells it.

    An id that has no row but a known pattern gets a model of its series; None where nothing can be said.
    """
    bare_id = ids.bare(model_id)
    if bare_id is None:
        return None
    series = series_of(bare_id)
    return _BY_ID.get(bare_id) or (_guessed(bare_id, series) if series else None)


@lru_cache(maxsize=1024)
def base_id(model_id: str) -> str:
    """The id that CountTokens wants: without geo prefix and throughput suffix."""
    return ids.bare(model_id) or model_id


def hidden_family(model_id: str, aliases: Mapping[str, Alias] | None = None) -> bool:
    """Whether the control plane has to be asked (GetInferenceProfile) which model is behind this id."""
    real_id, family = (aliases or {}).get(model_id, (model_id, None))
    return family is None and ids.hides_profile(real_id)


def nearest(name: str, n: int = 3) -> list[str]:
    """Name the models that someone who asked for `name` may have meant, nearest first."""
    wanted = base_id(name[:_LONGEST_NAME]).lower().replace(".", "-")
    asked = _BY_ID.get(base_id(name))
    forms: dict[str, Model] = {}
    for model in MODELS:
        if not (asked and (model.ended or model is asked)):
            forms |= dict.fromkeys(_forms(model), model)
    found = difflib.get_close_matches(wanted, forms, 2 * n, cutoff=0.4)  # a model has two forms
    return [_as_asked(model, name) for model in dict.fromkeys(forms[form] for form in found)][:n]


def _forms(model: Model) -> tuple[str, str]:
    """How a model's id may be remembered: whole, or without its date and version; dots are taken for hyphens."""
    whole = model.id.replace(".", "-")
    return whole, re.sub(r"(-\d{8})?(-v\d+)?(:\d+)?$", "", whole)


def _as_asked(model: Model, name: str) -> str:
    """Name the model with the geo prefix that was asked for, where it has that profile."""
    profiles = zip(model.geos, model.profiles, strict=True)
    return next((profile for geo, profile in profiles if name.startswith(geo + ".")), model.names[0])


def resolve(
    request: Request,
    *,
    api: Literal["auto", "converse", "invoke"] = "auto",
    aliases: Mapping[str, Alias] | None = None,
    hidden: str | None = None,
) -> Target:
    """Choose what is called for a request.

    `api` holds where the request leaves it open. `hidden` is the id or ARN that the control plane named as the model
    behind an application profile.

    Raises:
        InvalidRequest: an alias names a family that does not exist.
    """
    model_id, family = (aliases or {}).get(request.model_id, (request.model_id, None))
    model = _told(model_id, family) if family else _known(model_id, hidden)
    chosen = api if request.api == "auto" else request.api
    if chosen == "auto":
        chosen = _likeliest(model, request)
    abilities = model.on(chosen)
    streams = abilities.streams and not (abilities.tools_streaming is False and uses_tools(request))
    return Target(model_id, model, chosen, streams)


def _likeliest(model: Model, request: Request) -> Api:
    """Converse where the model streams there, but for a dialogue with one that takes a single turn of it: Command."""
    abilities = model.on("converse")
    dialogue = any(message.role == "assistant" for message in request.messages)
    return "invoke" if not abilities.streams or (dialogue and abilities.turns is False) else "converse"


def _known(model_id: str, hidden: str | None) -> Model:
    return lookup(model_id) or (lookup(hidden) if hidden else None) or _guessed(model_id, UNKNOWN)


def _told(model_id: str, family: str) -> Model:
    """Take the operator's word for the family of an id; what its model takes is not known by that."""
    series = _SERIES.get(family) or _BY_FAMILY.get(family)
    if series is None:
        raise InvalidRequest(f"There is no family {family!r}: take one of {', '.join(sorted(FAMILY_NAMES))}.")
    model = _guessed(base_id(model_id), series)
    return structs.replace(model, converse=Abilities(streams=series.converse.streams))
