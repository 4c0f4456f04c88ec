"""Kubernetes: the rendered resources match their schemas and fit together."""

import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest

from service.telemetry.metrics import MetricSet
from tests.deploying.kustomize import build
from tests.deploying.manifests import DEPLOY, document
from tests.deploying.starting import SECRETS, longest_end_s, started
from tests.harness import Json

FOLDER = DEPLOY / "kubernetes"
OVERLAYS = ["local", "eks"]
VERSIONS = ["1.34", "1.37"]  # the oldest that certainly has `sleep`, and the newest with schemas
RENDERED = {name: build(FOLDER / "overlays" / name) for name in OVERLAYS} | {"base": build(FOLDER / "base")}
EVERYWHERE = pytest.mark.parametrize("name", RENDERED)


def of_kind(name: str, kind: str) -> list[Json]:
    return [thing for thing in RENDERED[name] if thing["kind"] == kind]


def one(name: str, kind: str) -> Json:
    (thing,) = (thing for thing in of_kind(name, kind) if thing["metadata"]["name"] == "artesian")
    return thing


def pods(name: str) -> Iterator[Json]:
    """Yield the pod of each workload."""
    for thing in RENDERED[name]:
        if "template" in thing.get("spec", {}):
            yield thing["spec"]["template"]


def containers(name: str) -> Iterator[tuple[Json, Json]]:
    for pod in pods(name):
        for container in pod["spec"]["containers"]:
            yield pod["spec"], container


def service_container(name: str) -> Json:
    (container,) = one(name, "Deployment")["spec"]["template"]["spec"]["containers"]
    found: Json = container
    return found


def environment(name: str) -> dict[str, str]:
    """Return the variables of the service's container, from the ConfigMap and secrets."""
    container = service_container(name)
    (source,) = container["envFrom"]
    values = dict(one(name, "ConfigMap")["data"])
    assert source["configMapRef"]["name"] == "artesian"
    for variable in container["env"]:
        assert "secretKeyRef" in variable["valueFrom"]  # no secret is a plain value
        values[variable["name"]] = SECRETS[variable["name"]]
    return values


@EVERYWHERE
@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_matches_its_schema(name: str, version: str) -> None:
    for thing in RENDERED[name]:
        if thing["kind"] != "ServiceMonitor":  # a resource of the Prometheus Operator, see below
            kubernetes_validate.validate(thing, version, strict=True)


@EVERYWHERE
def test_every_selector_matches_pods(name: str) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods(name)]
    wanted: list[Json] = [thing["spec"]["selector"] for thing in of_kind(name, "Service")]
    wanted += [thing["spec"]["selector"]["matchLabels"] for thing in of_kind(name, "Deployment")]
    wanted += [thing["spec"]["selector"]["matchLabels"] for thing in of_kind(name, "PodDisruptionBudget")]
    wanted += [thing["spec"]["podSelector"]["matchLabels"] for thing in of_kind(name, "NetworkPolicy")]
    pod = one(name, "Deployment")["spec"]["template"]["spec"]
    wanted += [spread["labelSelector"]["matchLabels"] for spread in pod["topologySpreadConstraints"]]

    for selector in wanted:
        assert [found for found in labels if selector.items() <= found.items()], selector


@EVERYWHERE
def test_references_between_resources_are_valid(name: str) -> None:
    container = service_container(name)
    service = one(name, "Service")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    assert str(ports["http"]) == environment(name)["ARTESIAN_PORT"]
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        assert container[probe]["httpGet"]["port"] == "http"
    for ingress in of_kind(name, "Ingress"):
        (rule,) = ingress["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        assert path["backend"]["service"] == {"name": "artesian", "port": {"name": "http"}}
    for autoscaler in of_kind(name, "HorizontalPodAutoscaler"):
        assert autoscaler["spec"]["scaleTargetRef"]["name"] == "artesian"
        assert "replicas" not in one(name, "Deployment")["spec"]
    assert one(name, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "artesian"
    assert one(name, "ServiceAccount")
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in one(name, "Deployment")["spec"]["template"]["spec"]["volumes"]}


@EVERYWHERE
def test_the_service_starts_with_its_variables(name: str) -> None:
    settings = started(environment(name))

    assert settings.host == "0.0.0.0"
    assert settings.journal_url.startswith("valkey")
    assert settings.database_url.startswith("postgresql")
    assert bool(settings.api_keys_file) is not settings.allow_anonymous
    if settings.api_keys_file:
        (keys,) = (mount for mount in service_container(name)["volumeMounts"] if mount["name"] == "keys")
        assert settings.api_keys_file == f"{keys['mountPath']}/keys.json"
        assert settings.secret_key


def test_anonymous_access_is_possible_from_inside_the_pod_only() -> None:
    assert started(environment("local")).allow_anonymous
    assert one("local", "NetworkPolicy")["spec"]["ingress"] == []
    assert of_kind("local", "Ingress") == []


@EVERYWHERE
def test_a_stopping_pod_has_time_to_drain(name: str) -> None:
    pod = one(name, "Deployment")["spec"]["template"]["spec"]
    wait_s = service_container(name)["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert wait_s + longest_end_s(started(environment(name))) == pod["terminationGracePeriodSeconds"]


@EVERYWHERE
def test_a_rolling_update_removes_no_pod_before_another_is_ready(name: str) -> None:
    deployment = one(name, "Deployment")["spec"]

    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert service_container(name)["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert service_container(name)["livenessProbe"]["httpGet"]["path"] == "/healthz"


@EVERYWHERE
def test_every_pod_meets_the_restricted_profile_with_a_read_only_root(name: str) -> None:
    for pod, container in containers(name):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "limits" in container["resources"]
        assert "cpu" not in container["resources"]["limits"]
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        for volume in pod.get("volumes", []):
            assert volume.keys() - {"name"} <= {"emptyDir", "secret"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_namespace_enforces_the_restricted_profile(name: str) -> None:
    (namespace,) = of_kind(name, "Namespace")

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {thing["metadata"].get("namespace", namespace["metadata"]["name"]) for thing in RENDERED[name]} == {
        namespace["metadata"]["name"]
    }


def attributes(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split(","))


def test_ingress_nginx_neither_buffers_nor_cuts_streams_nor_logs_queries() -> None:
    said = one("base", "Ingress")["metadata"]["annotations"]
    settings = started(environment("base"))
    prefix = "nginx.ingress.kubernetes.io/"

    assert said[f"{prefix}proxy-buffering"] == "off"
    assert int(said[f"{prefix}proxy-read-timeout"]) > settings.request_timeout
    assert int(said[f"{prefix}proxy-body-size"]) == settings.max_body
    assert "non_idempotent" not in said[f"{prefix}proxy-next-upstream"]
    assert said[f"{prefix}enable-access-log"] == "false"


def test_an_albs_timeout_is_between_the_longest_answer_and_the_services_timeout() -> None:
    said = one("eks", "Ingress")["metadata"]["annotations"]
    settings = started(environment("eks"))
    prefix = "alb.ingress.kubernetes.io/"
    idle_s = int(attributes(said[f"{prefix}load-balancer-attributes"])["idle_timeout.timeout_seconds"])
    leave_s = int(attributes(said[f"{prefix}target-group-attributes"])["deregistration_delay.timeout_seconds"])
    pod = one("eks", "Deployment")["spec"]["template"]["spec"]

    assert not [name for name in said if name.startswith("nginx")]
    assert settings.request_timeout < idle_s < settings.keep_alive
    assert idle_s <= 4000  # an ALB's own limit
    assert 15 + settings.drain_timeout < leave_s < pod["terminationGracePeriodSeconds"]
    assert said[f"{prefix}healthcheck-path"] == "/readyz"


def test_the_autoscaler_uses_a_metric_of_the_service_that_the_adapter_provides() -> None:
    metrics = {metric["type"]: metric for metric in one("base", "HorizontalPodAutoscaler")["spec"]["metrics"]}
    name = metrics["Pods"]["pods"]["metric"]["name"]
    (rule,) = document(FOLDER / "components" / "monitoring" / "adapter-values.yaml")["rules"]["custom"]

    assert name in {metric.name for metric in MetricSet().registry.collect()}
    assert name == rule["name"]["as"] == rule["name"]["matches"]
    assert rule["seriesQuery"].startswith(f"{name}{{")
    assert int(metrics["Pods"]["pods"]["target"]["averageValue"]) < started(environment("base")).max_streams


def test_the_service_monitor_scrapes_the_metrics_endpoint() -> None:
    (monitor,) = of_kind("eks", "ServiceMonitor")
    service = one("eks", "Service")
    (endpoint,) = monitor["spec"]["endpoints"]

    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["path"] == "/metrics"
    assert set(endpoint["authorization"]["credentials"]) == {"name", "key"}


def numbers(node: Any) -> Iterator[int]:
    """Yield every port in a policy."""
    if isinstance(node, dict):
        if isinstance(port := node.get("port"), int):
            yield port
        for value in node.values():
            yield from numbers(value)
    if isinstance(node, list):
        for value in node:
            yield from numbers(value)


def test_the_network_policy_allows_needed_egress_and_only_the_services_port_as_ingress() -> None:
    policy = one("base", "NetworkPolicy")["spec"]

    assert set(numbers(policy["ingress"])) == {8000}
    assert set(numbers(policy["egress"])) == {53, 80, 443, 4318, 5432, 6379}
    (agent,) = (rule for rule in policy["egress"] if set(numbers(rule)) == {80})
    assert agent["to"] == [{"ipBlock": {"cidr": "169.254.170.23/32"}}]  # EKS Pod Identity's agent


@EVERYWHERE
def test_an_image_has_a_tag(name: str) -> None:
    for _, container in containers(name):
        if name != "base":
            assert re.search(r":[\w.-]+(@sha256:\w+)?$", container["image"]), container["image"]
            assert not container["image"].endswith(":latest")
