"""`make bench`: every gateway through every scenario, in interleaved passes, each beside the naive service."""

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench import report, scenarios, tools
from bench.bench import GATEWAY_CORE, LOAD_CORE, Bench
from bench.gateways import ROOT, gateway
from bench.processes import free_port, running, valkey_binary

_OWN = {"PYTHONPATH": str(ROOT)}
_GATEWAYS = ("naive", "raw", "artesian", "artesian-sqlite", "artesian-valkey")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--passes", type=int, default=3, help="how often each gateway is measured, interleaved")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the requests, for a quick look")
    parser.add_argument("--gateways", default=",".join(_GATEWAYS), help="which, separated by commas")
    parser.add_argument("--scenarios", default="", help="only these, separated by commas")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "bench", help="where the results go")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if not tools.build(Path(name)):
            print(
                "No C compiler here: Python stands in for the upstream and the load, and the overload run is smaller."
            )
        runs = _measure(asked, Path(name))
    _write(runs, asked.out)


def _measure(asked: argparse.Namespace, folder: Path) -> dict[str, list[scenarios.Figures]]:
    runs: dict[str, list[scenarios.Figures]] = defaultdict(list)
    only = set(filter(None, asked.scenarios.split(",")))
    with _upstream(folder) as upstream, _valkey(folder) as valkey:
        for number in range(asked.passes):
            for name in asked.gateways.split(","):
                if name == "artesian-valkey" and valkey is None:
                    print("artesian-valkey: no valkey-server here, left out")
                    continue
                steps = [step for step in _steps(name) if not only or step.__name__ in only]
                figures = _one(name, upstream, valkey, folder, steps, asked.scale)
                print(
                    f"pass {number + 1} {name}: {json.dumps({k: round(v, 3) for k, v in figures.items()})}", flush=True
                )
                runs[name].append(figures)
    return runs


def _steps(name: str) -> tuple[Callable[[Bench], scenarios.Figures], ...]:
    match name:
        case "artesian":
            return scenarios.EVERYBODY + scenarios.OURS_ALONE
        case "artesian-sqlite" | "artesian-valkey":
            return scenarios.JOURNALS
    return scenarios.EVERYBODY


def _one(
    name: str,
    upstream: str,
    valkey: str | None,
    folder: Path,
    steps: list[Callable[[Bench], scenarios.Figures]],
    scale: float,
) -> scenarios.Figures:
    port = free_port()
    described = gateway(name, port, upstream, folder, valkey)
    figures: scenarios.Figures = {}
    with running(described.command, GATEWAY_CORE, described.environment, folder) as process:
        figures["start_s"] = process.wait_until_up(port, "/healthz")
        figures["idle_mb"] = process.memory_kb / 1024
        bench = Bench(process, port, folder, scale)
        for step in steps:
            figures |= step(bench)
    return figures


@contextmanager
def _upstream(folder: Path) -> Iterator[str]:
    port = free_port()
    with running([*tools.program(folder, "upstream"), str(port)], LOAD_CORE, _OWN, folder) as upstream:
        upstream.wait_until_up(port)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _valkey(folder: Path) -> Iterator[str | None]:
    """A Valkey for the journal, as the test dependencies bring it; None where there is none."""
    binary = valkey_binary()
    if binary is None:
        yield None
        return
    address = folder / "valkey.sock"
    command = [binary, "--port", "0", "--unixsocket", str(address), "--save", ""]
    with running(command, LOAD_CORE, {}, folder) as server:
        server.wait_for(address)
        yield f"unix://{address}"


def _write(runs: dict[str, list[scenarios.Figures]], out: Path) -> None:
    found = report.medians(runs)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    out.mkdir(parents=True, exist_ok=True)
    told = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.stdout.strip(),
        **report.machine(),
        "medians": found,
        "passes": runs,
    }
    (out / "results.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (out / "results.svg").write_text(report.plot(found), encoding="utf-8")
    print(report.table(found))


if __name__ == "__main__":
    main()
