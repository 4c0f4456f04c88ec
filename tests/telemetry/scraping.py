"""Scrapes of `/metrics`, parsed by prometheus_client."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.harness import Service

HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"


class Scrape:
    """One scrape: each sample by name and labels."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self._samples = [sample for family in self.families for sample in family.samples]

    def __call__(self, name: str, /, **labels: str) -> float:
        """Return the sum of the samples that have these labels."""
        return sum(
            sample.value
            for sample in self._samples
            if sample.name == name and all(sample.labels.get(label) == value for label, value in labels.items())
        )

    def labels(self, name: str) -> list[Mapping[str, str]]:
        """Return the labels of all samples of a metric."""
        return [sample.labels for sample in self._samples if sample.name == name]


async def scrape(service: Service) -> Scrape:
    """Read `/metrics` as Prometheus does."""
    response = await service.http.get("/metrics")
    assert response.status_code == 200, response.text
    return Scrape(response.text)
