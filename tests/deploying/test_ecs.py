"""ECS: the template matches CloudFormation's rules, and its parts fit together."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load

from tests.deploying.manifests import DEPLOY, SLACK_S, document
from tests.deploying.starting import SECRETS, longest_end_s, started
from tests.harness import Json

PATH = DEPLOY / "ecs" / "artesian.yaml"
TEMPLATE: Json = load(str(PATH))
RESOURCES = TEMPLATE["Resources"]


def properties(name: str) -> Json:
    found: Json = RESOURCES[name]["Properties"]
    return found


def container(name: str) -> Json:
    (found,) = (each for each in properties("Task")["ContainerDefinitions"] if each["Name"] == name)
    wanted: Json = found
    return wanted


def attributes(name: str, member: str) -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in properties(name)[member]}


@cache
def environment() -> dict[str, str]:
    service = container("artesian")
    values = {pair["Name"]: pair["Value"] for pair in service["Environment"]}
    values |= {pair["Name"]: SECRETS[pair["Name"]] for pair in service["Secrets"]}
    return values | {"ARTESIAN_REGION": "us-east-1"}


@pytest.mark.timeout(120)
def test_cloudformations_rules_find_no_error() -> None:
    lint = Path(sys.executable).parent / "cfn-lint"
    said = subprocess.run([lint, "--regions", "us-east-1", "--", PATH], capture_output=True, text=True, check=False)

    assert (said.returncode, said.stdout) == (0, "")


def test_the_service_starts_with_its_variables_and_requires_keys() -> None:
    settings = started(environment())

    assert (settings.backend, settings.host) == ("aws", "0.0.0.0")
    assert settings.api_keys_file
    assert not settings.allow_anonymous
    assert "Default" not in TEMPLATE["Parameters"]["KeysSecretArn"]
    (port,) = container("artesian")["PortMappings"]
    assert port["ContainerPort"] == settings.port == properties("Targets")["Port"]
    assert settings.stream_memory < int(properties("Task")["Memory"]) * 2**20 / 2


def test_no_secret_is_a_plain_variable() -> None:
    named = {pair["Name"] for pair in container("artesian")["Environment"]}

    assert not named & SECRETS.keys()
    assert not re.search(r"(password|token|secret)\w*: *\"?[A-Za-z0-9]{12,}\"?$", PATH.read_text(), re.IGNORECASE)


def test_the_keys_file_is_written_to_its_path_before_the_service_starts(tmp_path: Path) -> None:
    keys, service = container("keys"), container("artesian")
    program, *options = keys["EntryPoint"]
    (script,) = keys["Command"]
    where = started(environment()).api_keys_file
    assert where
    assert script.count(where) == 1
    ran = subprocess.run(
        [sys.executable, *options, script.replace(where, str(tmp_path / "keys.json"))],
        env=os.environ | {"KEYS": '{"keys": []}'},
        check=False,
    )

    assert (program, ran.returncode) == ("python", 0)
    assert (tmp_path / "keys.json").read_text() == '{"keys": []}'
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert service["DependsOn"] == [{"ContainerName": "keys", "Condition": "SUCCESS"}]
    assert keys["Essential"] is False
    home = {"SourceVolume": "home", "ContainerPath": str(Path(where).parent), "ReadOnly": False}
    assert home in keys["MountPoints"]
    assert home in service["MountPoints"]


def test_containers_run_as_the_images_user_with_a_read_only_root() -> None:
    for each in properties("Task")["ContainerDefinitions"]:
        assert each["User"] == re.findall(r"^USER (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)[-1]
        assert each["ReadonlyRootFilesystem"] is True
        assert each["LogConfiguration"]["Options"]["mode"] == "non-blocking"


def test_a_stopping_task_has_time_to_drain() -> None:
    stop_s = container("artesian")["StopTimeout"]

    assert stop_s == longest_end_s(started(environment()))
    assert stop_s <= 120  # Fargate's own limit
    assert int(attributes("Targets", "TargetGroupAttributes")["deregistration_delay.timeout_seconds"]) >= stop_s


def test_the_load_balancers_timeout_is_between_the_longest_answer_and_the_services_timeout() -> None:
    settings = started(environment())
    idle_s = int(attributes("Balancer", "LoadBalancerAttributes")["idle_timeout.timeout_seconds"])

    assert settings.request_timeout < idle_s < settings.keep_alive
    assert idle_s <= 4000
    assert "access_logs.s3.enabled" not in attributes("Balancer", "LoadBalancerAttributes")


def test_the_health_check_uses_readiness_and_allows_a_failover() -> None:
    targets = properties("Targets")

    assert targets["HealthCheckPath"] == "/readyz"
    assert targets["HealthCheckIntervalSeconds"] * targets["UnhealthyThresholdCount"] >= 60
    assert attributes("Targets", "TargetGroupAttributes")["stickiness.enabled"] == "false"


def test_a_deployment_that_does_not_become_ready_is_rolled_back() -> None:
    deployment = properties("Service")["DeploymentConfiguration"]

    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert deployment["MinimumHealthyPercent"] == 100
    assert properties("Service")["HealthCheckGracePeriodSeconds"] >= SLACK_S


def plain(node: Any) -> Any:
    """Return a policy without the template's functions, as in the JSON file."""
    if isinstance(node, dict):
        if set(node) == {"Fn::Sub"}:
            return str(node["Fn::Sub"]).replace("${AWS::Partition}", "aws")
        return {key: plain(value) for key, value in node.items()}
    return [plain(value) for value in node] if isinstance(node, list) else node


def test_the_tasks_role_has_the_policy_of_the_json_file() -> None:
    (policy,) = properties("TaskRole")["Policies"]

    assert plain(policy["PolicyDocument"]) == document(DEPLOY / "iam" / "bedrock.json")


def test_only_the_execution_role_reads_secrets_each_by_its_arn() -> None:
    (policy,) = properties("ExecutionRole")["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    needed = [pair["ValueFrom"] for name in ("keys", "artesian") for pair in container(name)["Secrets"]]

    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert len(statement["Resource"]) == len(needed)
    assert "*" not in statement["Resource"]
