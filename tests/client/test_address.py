"""The URL of the service."""

import pytest

from artesian.address import find_key, find_url, is_loopback

FOUND = {
    "no variable": ({}, "http://127.0.0.1:8000"),
    "a URL": ({"ARTESIAN_URL": "https://artesian.example/bedrock/"}, "https://artesian.example/bedrock"),
    "a URL overrides host and port": (
        {"ARTESIAN_URL": "http://a:1", "ARTESIAN_HOST": "b", "ARTESIAN_PORT": "2"},
        "http://a:1",
    ),
    "host and port": ({"ARTESIAN_HOST": "10.1.2.3", "ARTESIAN_PORT": "9000"}, "http://10.1.2.3:9000"),
    "a port": ({"ARTESIAN_PORT": "9000"}, "http://127.0.0.1:9000"),
    "a server that listens on all addresses": ({"ARTESIAN_HOST": "0.0.0.0"}, "http://127.0.0.1:8000"),
    "all IPv6 addresses": ({"ARTESIAN_HOST": "::"}, "http://[::1]:8000"),
    "empty values": ({"ARTESIAN_URL": "", "ARTESIAN_HOST": "", "ARTESIAN_PORT": ""}, "http://127.0.0.1:8000"),
}


@pytest.mark.parametrize(("environment", "url"), FOUND.values(), ids=FOUND)
def test_the_url_is_read_from_the_environment(environment: dict[str, str], url: str) -> None:
    assert find_url(environment=environment) == url


def test_an_argument_overrides_the_environment() -> None:
    environment = {"ARTESIAN_URL": "http://a:1", "ARTESIAN_API_KEY": "theirs"}

    assert find_url("http://b:2", environment) == "http://b:2"
    assert find_key("mine", environment) == "mine"
    assert find_key(None, environment) == "theirs"
    assert find_key(None, {"ARTESIAN_API_KEY": ""}) is None


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://a", "http://", "artesian"])
def test_an_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="include the scheme"):
        find_url(url)


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://127.0.0.2", True), ("http://[::1]:1", True), ("http://localhost", True), ("http://a", False)],
)
def test_no_proxy_is_used_for_this_machine(url: str, here: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_loopback(url) is here
