"""Compose: the files match the specification, and the services fit together."""

import json
import re
from importlib import resources

import jsonschema
import pytest

from tests.deploying.manifests import DEPLOY, compose, document, seconds, variables
from tests.deploying.starting import SECRETS, longest_end_s, started
from tests.harness import Json

FOLDER = DEPLOY / "compose"
FILES = {"as it stands": ["compose.yaml"], "with keys": ["compose.yaml", "compose.keys.yaml"]}
WAYS = pytest.mark.parametrize("files", FILES.values(), ids=FILES)
VENDORED = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
SCHEMA = json.loads((VENDORED / "compose-spec.json").read_text())
NGINX = (DEPLOY / "nginx" / "nginx.conf").read_text()
UPSTREAM = (DEPLOY / "nginx" / "upstream.conf").read_text()


def instances(whole: Json) -> list[Json]:
    return [service for name, service in whole["services"].items() if name.startswith("artesian-")]


@WAYS
def test_the_files_match_the_specification(files: list[str]) -> None:
    jsonschema.validate(compose(*files), SCHEMA)
    for file in files:
        jsonschema.validate(document(FOLDER / file), SCHEMA)


@WAYS
def test_two_instances_start_with_their_variables(files: list[str]) -> None:
    both = instances(compose(*files))
    first, second = (started(service["environment"]) for service in both)

    assert first == second
    assert first.backend == "local"  # no AWS account is needed to try it
    assert first.journal_url.startswith("valkey")
    assert first.database_url.startswith("postgresql")
    assert bool(first.api_keys_file) is not first.allow_anonymous


def test_the_example_variables_select_amazon_bedrock_for_both() -> None:
    text = (FOLDER / "artesian.env.example").read_text()
    named = {line.removeprefix("# ").split("=")[0] for line in text.splitlines() if line.endswith("=")}
    (service, _) = instances(compose("compose.yaml", "compose.keys.yaml"))
    given = variables(FOLDER / "artesian.env.example") | {name: SECRETS[name] for name in named if name in SECRETS}
    settings = started(given | service["environment"])

    assert named == {"AWS_BEARER_TOKEN_BEDROCK", "ARTESIAN_SECRET_KEY", "ARTESIAN_ENCRYPTION_KEY"}
    assert (settings.backend, settings.region) == ("aws", "us-east-1")
    assert settings.secret_key
    assert service["env_file"] == [{"path": "artesian.env", "required": False}]


@WAYS
def test_no_port_can_be_reached_from_another_machine(files: list[str]) -> None:
    whole = compose(*files)
    published = [port for service in whole["services"].values() for port in service.get("ports", [])]

    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert not any("ports" in service for service in instances(whole))
    assert whole["networks"]["back"] == {"internal": True}
    for name in ("valkey", "postgres"):
        assert whole["services"][name]["networks"] == ["back"]


def test_no_default_password_can_be_used_from_outside() -> None:
    whole = compose("compose.yaml", POSTGRES_PASSWORD="of-my-own")
    (first, _) = instances(whole)
    grafana = whole["services"]["grafana"]["environment"]

    assert whole["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"] == "of-my-own"
    assert ":of-my-own@" in first["environment"]["ARTESIAN_DATABASE_URL"]
    assert grafana["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert grafana["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


def test_a_stopping_instance_has_time_to_drain_and_so_has_nginx() -> None:
    whole = compose("compose.yaml")
    for service in instances(whole):
        assert seconds(service["stop_grace_period"]) == longest_end_s(started(service["environment"]))
    nginx = whole["services"]["nginx"]

    assert nginx["stop_signal"] == "SIGQUIT"
    assert nginx["stop_grace_period"] == instances(whole)[0]["stop_grace_period"]


def test_containers_have_minimal_privileges() -> None:
    whole = compose("compose.yaml")
    for service in [*instances(whole), whole["services"]["nginx"]]:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert not service["user"].startswith(("0", "root"))
        assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - in a container of its own
    for service in whole["services"].values():
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service["image"].endswith(":latest")
        assert ":" in service["image"]


@WAYS
def test_mounted_files_exist_or_are_documented_secrets(files: list[str]) -> None:
    whole = compose(*files)
    made = (FOLDER / ".gitignore").read_text().split()
    for service in whole["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source == "./keys":
                assert "keys/" in made
            elif source.startswith("."):
                assert (FOLDER / source).exists(), source
            else:
                assert source in whole["volumes"]
    for secret in whole.get("secrets", {}).values():
        assert secret["file"] in made
    assert "artesian.env" in made


def test_the_instances_are_built_from_the_dockerfile() -> None:
    for service in instances(compose("compose.yaml")):
        folder = (FOLDER / service["build"]["context"]).resolve()
        assert (folder / service["build"]["dockerfile"]).samefile(DEPLOY / "Dockerfile")


def test_nginx_and_prometheus_can_reach_every_instance_by_name() -> None:
    whole = compose("compose.yaml")
    names = [name for name in whole["services"] if name.startswith("artesian-")]
    settings = started(whole["services"]["artesian-1"]["environment"])
    (job,) = document(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]

    assert sorted(job["static_configs"][0]["targets"]) == [f"{name}:{settings.port}" for name in names]
    assert set(names) <= set(settings.allowed_hosts)
    for name in names:
        assert f"server {name}:{settings.port} resolve" in UPSTREAM


def test_prometheus_with_a_key_scrapes_the_same_targets() -> None:
    plain, keyed = (document(DEPLOY / "prometheus" / f"prometheus{way}.yml") for way in ("", ".keys"))
    key = keyed["scrape_configs"][0].pop("authorization")["credentials_file"]
    whole = compose(*FILES["with keys"])
    prometheus = whole["services"]["prometheus"]

    assert plain == keyed
    assert key == f"/run/secrets/{prometheus['secrets'][0]['target']}"
    assert prometheus["command"][0] == "--config.file=/etc/prometheus/prometheus.keys.yml"
    assert prometheus["command"][1:] == compose("compose.yaml")["services"]["prometheus"]["command"][1:]


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    (source,) = document(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    (provider,) = document(DEPLOY / "grafana/provisioning/dashboards/artesian.yaml")["providers"]
    mounts = compose("compose.yaml")["services"]["grafana"]["volumes"]

    assert source["url"] == "http://prometheus:9090"
    assert f"../grafana:{provider['options']['path']}:ro" in mounts
    assert "../grafana/provisioning:/etc/grafana/provisioning:ro" in mounts


def test_nginx_agrees_with_the_services_settings() -> None:
    settings = started(instances(compose("compose.yaml"))[0]["environment"])
    said = dict(re.findall(r"^ +(\w+) ([^;]+);", NGINX, re.MULTILINE))
    kept_s = int(UPSTREAM.split("keepalive_timeout ")[1].split("s;")[0])

    assert int(said["client_max_body_size"]) == settings.max_body
    assert seconds(said["proxy_read_timeout"]) > settings.request_timeout
    assert seconds(said["send_timeout"]) > settings.send_timeout
    assert kept_s < settings.keep_alive
    assert said["proxy_buffering"] == "off"
    assert said["proxy_next_upstream"] == "error timeout"  # and not non_idempotent
