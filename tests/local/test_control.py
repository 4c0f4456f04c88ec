"""The control plane: models and inference profiles."""

import httpx
import pytest

from service.bedrock.catalog.resolution import MODELS
from tests.local.bedrock import CLAUDE, Bedrock, rejected


def test_all_models_are_listed(bedrock: Bedrock) -> None:
    summaries = bedrock.control.list_foundation_models()["modelSummaries"]

    assert {summary["modelId"] for summary in summaries} == {model.id for model in MODELS}
    titan = next(one for one in summaries if one["modelId"] == "amazon.titan-text-express-v1")
    assert titan["modelLifecycle"]["status"] == "LEGACY"
    assert titan["responseStreamingSupported"]
    jurassic = next(one for one in summaries if one["modelId"] == "ai21.j2-mid-v1")
    assert not jurassic["responseStreamingSupported"]


def test_models_are_filtered(bedrock: Bedrock) -> None:
    anthropic = bedrock.control.list_foundation_models(byProvider="anthropic")["modelSummaries"]
    on_demand = bedrock.control.list_foundation_models(byInferenceType="ON_DEMAND")["modelSummaries"]

    assert {summary["providerName"] for summary in anthropic} == {"Anthropic"}
    assert all("ON_DEMAND" in summary["inferenceTypesSupported"] for summary in on_demand)


@pytest.mark.parametrize("identifier", ["{}", "arn:aws:bedrock:us-east-1::foundation-model/{}"])
def test_a_model_is_shown(bedrock: Bedrock, identifier: str) -> None:
    id_ = "amazon.nova-lite-v1:0"

    details = bedrock.control.get_foundation_model(modelIdentifier=identifier.format(id_))["modelDetails"]

    assert details["modelId"] == id_
    with rejected("model identifier is invalid"):
        bedrock.control.get_foundation_model(modelIdentifier="amazon.nova-9")


def test_profiles_are_listed_in_pages(bedrock: Bedrock) -> None:
    pages = bedrock.control.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 50})
    ids = [profile["inferenceProfileId"] for page in pages for profile in page["inferenceProfileSummaries"]]

    assert len(ids) == len(set(ids)) == sum(len(model.geos) for model in MODELS)
    assert CLAUDE in ids
    assert bedrock.control.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"] == []


def test_a_profile_is_shown(bedrock: Bedrock) -> None:
    shown = bedrock.control.get_inference_profile(inferenceProfileIdentifier=CLAUDE)

    again = bedrock.control.get_inference_profile(inferenceProfileIdentifier=shown["inferenceProfileArn"])
    assert shown["models"] == again["models"]
    assert shown["models"][0]["modelArn"].endswith("/anthropic.claude-haiku-4-5-20251001-v1:0")


def test_an_application_profile_names_its_model(bedrock: Bedrock) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl"

    shown = bedrock.control.get_inference_profile(inferenceProfileIdentifier=arn)

    assert shown["type"] == "APPLICATION"
    assert shown["models"][0]["modelArn"].endswith("anthropic.claude-haiku-4-5-20251001-v1:0")
    with rejected("not found", "ResourceNotFoundException", 404):
        bedrock.control.get_inference_profile(inferenceProfileIdentifier="us.amazon.nova-9")


def test_an_invalid_page_size_is_rejected(url: str) -> None:
    answer = httpx.get(f"{url}/inference-profiles?maxResults=0", trust_env=False)

    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"].startswith("ValidationException")
