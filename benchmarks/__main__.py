"""`python -m benchmarks [--json OUT.json] [NAME ...]`: run the named benchmarks (none = all that run here), one record each."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from stom_ray.engine.cuda_device import why_no_gpu

MODULES = {
    "ingest": "benchmarks.ingest",
    "features": "benchmarks.features",
    "reload": "benchmarks.reload",
    "kernel-per-core": "benchmarks.kernel",
    "search-overhead": "benchmarks.search_overhead",
    "overhead-us": "benchmarks.overhead",
    "study-million-minutes": "benchmarks.study",
    "grid-rare": "benchmarks.planned",
    "grid-medium": "benchmarks.planned",
    "grid-dense": "benchmarks.planned",
    "grid-medium-over-naive": "benchmarks.planned",
    "rows-medium": "benchmarks.planned",
    "pass-medium": "benchmarks.planned",
    "general-sell-medium": "benchmarks.planned",
    "two-cores": "benchmarks.two_cores",
    "end-to-end-rare": "benchmarks.end_to_end",
    "end-to-end-medium": "benchmarks.end_to_end",
    "single-backtest-seconds": "benchmarks.single_backtest",
    "against-exec": "benchmarks.against",
    "against-vectorbt": "benchmarks.against",
    "peak-memory-gb": "benchmarks.peak_memory",
    "cuda-grid-medium": "benchmarks.cuda",
    "cuda-rows-medium": "benchmarks.cuda",
}  # each module's `run(name)` makes the record: value, unit, equal, peer, ratio, command; or `skipped`, the reason in words


def machine() -> dict[str, Any]:
    """The machine in words: processor, cores, memory, Python."""
    model = platform.processor() or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text()
        model = next(line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    return {"cpu": model, "cores": os.cpu_count(), "memory_gib": round(pages / 2**30, 1), "python": platform.python_version()}


def all_here() -> list[str]:
    """Every name, without those of a GPU where there is none."""
    return [name for name, module in MODULES.items() if module != "benchmarks.cuda" or not why_no_gpu()]


def shown(name: str, record: dict[str, Any]) -> str:
    if record.get("skipped"):
        return f"{name:24} skipped: {record['skipped']}"
    equal = "equal" if record["equal"] else "NOT EQUAL"
    return f"{name:24} {record['value']:>16,.6g} {record['unit']:24} {equal:9} {record['ratio']:.3g} x {record['peer']}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODULES)}; none = all that run here")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write the records there")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in MODULES]
    if unknown:
        parser.error(f"unknown benchmark {', '.join(unknown)}; known: {', '.join(MODULES)}")
    records = []
    for name in options.names or all_here():
        record = {**importlib.import_module(MODULES[name]).run(name), "machine": machine()}
        records.append(record)
        print(shown(name, record), flush=True)
    if options.json:
        options.json.write_text(json.dumps(records, indent=1, ensure_ascii=False), encoding="utf-8")
    return 0 if all(record.get("skipped") or record["equal"] for record in records) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
