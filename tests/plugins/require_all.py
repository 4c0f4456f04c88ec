"""Where `ARTESIAN_REQUIRE_ALL=1` every test runs: a skip, which elsewhere only shows its reason, is a failure."""

import os
from collections.abc import Generator

import pytest

REQUIRED = os.environ.get("ARTESIAN_REQUIRE_ALL") == "1"


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that keeps the reason. An expected failure is no skip."""
    if REQUIRED and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason}\nARTESIAN_REQUIRE_ALL=1: what this test needs has to be here."


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """See `refuse_skip`."""
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """See `refuse_skip`."""
    report = yield
    refuse_skip(report)
    return report
