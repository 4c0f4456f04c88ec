"""The control plane: lists of foundation models and inference profiles, on the same port as the runtime."""

import re
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.bedrock.catalog.resolution import MODELS, Model
from service.local.models import DEFAULT_MODEL_ID
from service.local.refusal import LocalRefusal

_REGION, _ACCOUNT = "us-east-1", "000000000000"
_CREATED = "2026-01-01T00:00:00Z"
_MAX_PAGE = 1_000
_FILTERS = {
    "byOutputModality": "outputModalities",
    "byInferenceType": "inferenceTypesSupported",
    "byCustomizationType": "customizationsSupported",
}


async def list_models(request: Request) -> Response:
    """Answer ListFoundationModels."""
    wanted = request.query_params
    summaries = [_summary(model) for model in MODELS]
    for name, member in _FILTERS.items():
        if value := wanted.get(name):
            summaries = [one for one in summaries if value in one[member]]
    if provider := wanted.get("byProvider", "").lower():
        summaries = [one for one in summaries if one["providerName"].lower() == provider]
    return _answer({"modelSummaries": summaries})


async def get_model(request: Request) -> Response:
    """Answer GetFoundationModel, by id or ARN."""
    identifier = _identifier(request).rpartition("foundation-model/")[2]
    for model in MODELS:
        if model.id == identifier:
            return _answer({"modelDetails": _summary(model)})
    raise LocalRefusal("The provided model identifier is invalid.")


async def list_profiles(request: Request) -> Response:
    """Answer ListInferenceProfiles, in pages."""
    wanted = request.query_params
    size, after = wanted.get("maxResults", str(_MAX_PAGE)), wanted.get("nextToken", "0")
    if not (size.isdecimal() and 1 <= int(size) <= _MAX_PAGE and after.isdecimal()):
        raise LocalRefusal("maxResults must be between 1 and 1000, and nextToken a token of an earlier page.")
    kind = wanted.get("type") or wanted.get("typeEquals") or "SYSTEM_DEFINED"
    profiles = [_profile(model, geo) for model in MODELS for geo in model.geos] if kind == "SYSTEM_DEFINED" else []
    start, end = int(after), int(after) + int(size)
    page: dict[str, Any] = {"inferenceProfileSummaries": profiles[start:end]}
    if end < len(profiles):
        page["nextToken"] = str(end)
    return _answer(page)


async def get_profile(request: Request) -> Response:
    """Answer GetInferenceProfile; all application profiles are profiles of the same model."""
    identifier = _identifier(request)
    if "application-inference-profile/" in identifier or re.fullmatch(r"[a-z0-9]{12}", identifier):
        return _answer(_application_profile(identifier))
    identifier = identifier.rpartition("inference-profile/")[2]
    for model in MODELS:
        for geo, profile in zip(model.geos, model.profiles, strict=True):
            if profile == identifier:
                return _answer(_profile(model, geo))
    raise LocalRefusal("Inference profile not found.", "ResourceNotFoundException")


def routes() -> list[Route]:
    """Return the routes; Starlette has decoded the slash of an identifier."""
    return [
        Route("/foundation-models", list_models),
        Route("/foundation-models/{identifier:path}", get_model),
        Route("/inference-profiles", list_profiles),
        Route("/inference-profiles/{identifier:path}", get_profile),
    ]


def _answer(payload: dict[str, Any]) -> Response:
    return JSONResponse(payload, headers={"x-amzn-RequestId": str(uuid4())})


def _identifier(request: Request) -> str:
    return unquote(str(request.path_params["identifier"]))


def _summary(model: Model) -> dict[str, Any]:
    inputs = ["TEXT", *(["IMAGE"] if model.on("converse").images else [])]
    throughput = (
        ["INFERENCE_PROFILE"] if model.profile_only else ["ON_DEMAND", *(["INFERENCE_PROFILE"] if model.geos else [])]
    )
    lifecycle = {"status": "LEGACY" if model.end_of_life else "ACTIVE"}
    if model.end_of_life:
        lifecycle["endOfLifeTime"] = (model.end_of_life + "-01-01")[:10] + "T00:00:00Z"
    return {
        "customizationsSupported": [],
        "inferenceTypesSupported": throughput,
        "inputModalities": inputs,
        "modelArn": _model_arn(model),
        "modelId": model.id,
        "modelLifecycle": lifecycle,
        "modelName": model.name,
        "outputModalities": ["TEXT"],
        "providerName": _PROVIDERS.get(model.provider, model.provider.capitalize()),
        "responseStreamingSupported": model.invoke.streams,
    }


_PROVIDERS = {"ai21": "AI21 Labs", "deepseek": "DeepSeek", "mistral": "Mistral AI", "openai": "OpenAI",
              "moonshot": "Moonshot AI", "moonshotai": "Moonshot AI", "nvidia": "NVIDIA", "xai": "xAI",
              "zai": "Z.AI", "minimax": "MiniMax"}  # fmt: skip


def _model_arn(model: Model) -> str:
    return f"arn:aws:bedrock:{_REGION}::foundation-model/{model.id}"


def _profile(model: Model, geo: str) -> dict[str, Any]:
    id_ = f"{geo}.{model.id}"
    return {
        "createdAt": _CREATED,
        "description": f"Routes requests to {model.name} in {geo}.",
        "inferenceProfileArn": f"arn:aws:bedrock:{_REGION}:{_ACCOUNT}:inference-profile/{id_}",
        "inferenceProfileId": id_,
        "inferenceProfileName": f"{geo.upper()} {model.name}",
        "models": [{"modelArn": _model_arn(model)}],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        "updatedAt": _CREATED,
    }


def _application_profile(identifier: str) -> dict[str, Any]:
    id_ = identifier.rpartition("/")[2]
    return {
        "createdAt": _CREATED,
        "inferenceProfileArn": f"arn:aws:bedrock:{_REGION}:{_ACCOUNT}:application-inference-profile/{id_}",
        "inferenceProfileId": id_,
        "inferenceProfileName": f"application {id_}",
        "models": [{"modelArn": f"arn:aws:bedrock:{_REGION}::foundation-model/{DEFAULT_MODEL_ID}"}],
        "status": "ACTIVE",
        "type": "APPLICATION",
        "updatedAt": _CREATED,
    }
