"""The IAM policies allow exactly what the service does."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from tests.deploying.manifests import DEPLOY, ROOT, document
from tests.harness import Json, settings

FOLDER = DEPLOY / "iam"
POLICIES = {name: document(FOLDER / f"{name}.json") for name in ("bedrock", "bedrock-one-model")}
TRUSTS = {name: document(FOLDER / f"{name}.json") for name in ("trust-ecs", "trust-irsa", "trust-pod-identity")}
BOTH = pytest.mark.parametrize("name", POLICIES)
MODEL = settings().default_model_id.removeprefix("global.")
WITHOUT_RESOURCE = {"bedrock:ListFoundationModels", "bedrock:ListInferenceProfiles"}  # IAM has no resource for lists


def several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


def allowed(policy: Json) -> dict[str, set[str]]:
    """Return the resources of each allowed action."""
    found: dict[str, set[str]] = {}
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in several(statement["Action"]):
            found.setdefault(action, set()).update(several(statement["Resource"]))
    return found


def called() -> set[str]:
    """Return the SDK's operations that the client uses, as IAM actions: Converse has none of its own."""
    text = "".join(path.read_text() for path in sorted((ROOT / "service" / "bedrock" / "client").glob("*.py")))
    session = botocore.session.get_session()
    names = {
        name
        for service in ("bedrock", "bedrock-runtime")
        for name in session.get_service_model(service).operation_names
        if re.search(rf'"({name}|{botocore.xform_name(name)})"', text)
    }
    as_iam = {"Converse": "InvokeModel", "ConverseStream": "InvokeModelWithResponseStream"}
    return {f"bedrock:{as_iam.get(name, name)}" for name in names}


@BOTH
def test_a_policy_allows_the_services_calls_and_guardrails_only(name: str) -> None:
    assert allowed(POLICIES[name]).keys() == called() | {"bedrock:ApplyGuardrail"}


@BOTH
def test_an_action_has_a_wildcard_resource_only_where_iam_requires_it(name: str) -> None:
    for action, resources in allowed(POLICIES[name]).items():
        assert "*" not in action
        assert (resources == {"*"}) is (action in WITHOUT_RESOURCE)


def test_the_narrow_policy_names_every_resource() -> None:
    for action, resources in allowed(POLICIES["bedrock-one-model"]).items():
        assert action in WITHOUT_RESOURCE or not any("*" in resource for resource in resources)


@pytest.mark.parametrize("geography", ["us", "global"])
def test_a_profile_is_allowed_with_its_model_in_all_its_regions(geography: str) -> None:
    for action in ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"):
        resources = allowed(POLICIES["bedrock-one-model"])[action]
        places = {"us": ["us-east-1", "us-east-2", "us-west-2"], "global": ["", "us-east-1"]}[geography]

        assert f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{geography}.{MODEL}" in resources
        for region in places:
            assert f"arn:aws:bedrock:{region}::foundation-model/{MODEL}" in resources


@pytest.mark.timeout(120)
def test_cloudformations_rules_accept_every_action_and_statement(tmp_path: Path) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUSTS["trust-ecs"]}}
    resources: Json = {"Role": role}
    for number, policy in enumerate(POLICIES.values()):
        written = {"PolicyName": f"policy{number}", "PolicyDocument": policy, "Roles": [{"Ref": "Role"}]}
        resources[f"Policy{number}"] = {"Type": "AWS::IAM::Policy", "Properties": written}
    for number, trust in enumerate(TRUSTS.values()):
        resources[f"Trust{number}"] = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}
    template = tmp_path / "policies.json"
    template.write_text(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}))
    lint = Path(sys.executable).parent / "cfn-lint"
    said = subprocess.run([lint, "--regions", "us-east-1", "--", template], capture_output=True, text=True, check=False)

    assert (said.returncode, said.stdout) == (0, "")


@pytest.mark.parametrize("name", TRUSTS)
def test_a_role_trusts_one_account_one_cluster_or_one_service_account(name: str) -> None:
    (statement,) = TRUSTS[name]["Statement"]

    assert statement["Principal"] != "*"
    assert {"StringEquals"} <= statement["Condition"].keys()
    assert "*" not in json.dumps(statement["Condition"]["StringEquals"])
