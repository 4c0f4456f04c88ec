"""What a run found: medians and spread, ratios, a table and a plot."""

import platform
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Runs = Mapping[str, Sequence[Mapping[str, float]]]

FIGURES = {
    "request_ms": "CPU a request (ms)",
    "first_p50_ms": "first token, p50 (ms)",
    "first_p99_ms": "first token, p99 (ms)",
    "flat_us": "flat: CPU a delta (µs)",
    "paced20_us": "paced20: CPU a delta (µs)",
    "paced200_us": "paced200: CPU a delta (µs)",
    "neighbours_p99_ms": "slow neighbours, p99 (ms)",
    "overload_deltas_s": "overload: deltas a second",
    "open_kb": "an open stream (KB)",
    "idle_mb": "idle (MB)",
    "start_s": "start to ready (s)",
    "resume_ms": "resume 2,000 events (ms)",
    "resume_cpu_ms": "resume 2,000 events, CPU (ms)",
    "capacity_goodput_tokens_s": "three times capacity: tokens a second of finished streams",
    "capacity_goodput_share": "three times capacity: share of the peak",
    "capacity_refusal_p50_ms": "three times capacity: a refusal, p50 (ms)",
    "capacity_health_p50_ms": "three times capacity: health, p50 (ms)",
    "capacity_health_p99_ms": "three times capacity: health, p99 (ms)",
    "capacity_memory_mb": "three times capacity: memory added (MB)",
}


def medians(runs: Runs) -> dict[str, dict[str, dict[str, float]]]:
    """For each gateway and figure: the median of the passes, and their least and most."""
    return {
        name: {
            figure: {
                "median": statistics.median(values),
                "least": min(values),
                "most": max(values),
            }
            for figure in FIGURES
            if (values := [run[figure] for run in passes if figure in run])
        }
        for name, passes in runs.items()
    }


def table(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Write the medians as a table, and ratios to the naive service beside them."""
    names = list(found)
    lines = ["| " + " | ".join(["", *names]) + " |", "| --- " * (len(names) + 1) + "|"]
    for figure, title in FIGURES.items():
        cells = [_cell(found, name, figure) for name in names]
        if any(cells):
            lines.append("| " + " | ".join([title, *cells]) + " |")
    return "\n".join(lines)


def _cell(found: Mapping[str, Mapping[str, Mapping[str, float]]], name: str, figure: str) -> str:
    measured, naive = found[name].get(figure), found.get("naive", {}).get(figure)
    if measured is None:
        return ""
    value = measured["median"]
    shown = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - where decimals say nothing
    return shown if name == "naive" or not naive else f"{shown} ({value / naive['median']:.2f})"


def machine() -> dict[str, Any]:
    """What it was measured on."""
    return {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}


def plot(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Draw the ratios to the naive service as an SVG: shorter is better."""
    figures = [figure for figure in FIGURES if figure in found.get("naive", {}) and figure != "overload_deltas_s"]
    names = [name for name in found if name != "naive"]
    height, width, bar = 0, 720, 12
    shapes: list[str] = []
    for figure in figures:
        height += 22
        shapes.append(f'<text x="8" y="{height}">{FIGURES[figure]}</text>')
        for place, name in enumerate(names):
            if figure not in found[name]:
                continue
            ratio = found[name][figure]["median"] / found["naive"][figure]["median"]
            height += bar + 4
            long = max(1, min(360, ratio * 240))
            shapes.append(f'<rect x="220" y="{height - bar}" width="{long:.0f}" height="{bar}" class="g{place}"/>')
            shapes.append(f'<text x="{228 + long:.0f}" y="{height - 2}" class="s">{name} {ratio:.2f}</text>')
    style = (
        "text{font:13px sans-serif;fill:#333}.s{font-size:11px}"
        ".g0{fill:#adb5bd}.g1{fill:#0b7285}.g2{fill:#1098ad}.g3{fill:#66d9e8}"
    )
    line = f'<line x1="460" y1="0" x2="460" y2="{height}" stroke="#c92a2a" stroke-dasharray="4"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + 12}"><style>{style}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{line}{"".join(shapes)}</svg>\n'
    )
