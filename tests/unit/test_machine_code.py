"""Kernels on disk: never older than what they were compiled from, and no run stopped by a disk that takes nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "stom_ray").rglob("*.py"))

INNER = """
from stom_ray.machine_code import njit
from probe.constants import FACTOR

@njit(cache=True, error_model="numpy", nogil=True)
def inner(x):
    return FACTOR * x + {added}
"""
OUTER = """
from stom_ray.machine_code import njit
from probe.inner import inner

@njit(cache=True, error_model="numpy", nogil=True)
def outer(x):
    return inner(x)
"""
RUN = """
import warnings
{before}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from probe.outer import outer
    from probe.inner import inner
    found = outer(2.0)
print(found, sum(outer.stats.cache_hits.values()), [str(one.message) for one in caught])
"""


@pytest.fixture
def probe(tmp_path):
    """Writes a package of two kernels, the outer one calling the inner one, and runs it in a process of its own."""
    package = tmp_path / "probe"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "outer.py").write_text(OUTER)

    def run(added=0.0, factor=10.0, before="", env=None):
        (package / "constants.py").write_text(f"FACTOR = {factor}\n")
        (package / "inner.py").write_text(INNER.format(added=added))
        for stale in package.glob("__pycache__/*.pyc"):
            stale.unlink()
        places = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [sys.executable, "-c", RUN.format(before=before)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**places, **(env or {})},
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        value, hits, warned = done.stdout.strip().split(" ", 2)
        return float(value), int(hits), ast.literal_eval(warned)

    run.package = package
    return run


def test_a_kernel_is_loaded_while_nothing_changes_and_compiled_when_what_it_calls_does(probe):
    assert probe(added=1.0) == (21.0, 0, [])
    assert probe(added=1.0) == (21.0, 1, [])
    assert probe(added=2.0) == (22.0, 0, [])
    assert probe(added=2.0) == (22.0, 1, [])


def test_a_changed_constant_of_another_file_is_seen_through_two_files(probe):
    assert probe(factor=10.0)[:2] == (20.0, 0)
    assert probe(factor=11.0)[:2] == (22.0, 0)


def test_files_of_versions_that_are_gone_are_removed(probe):
    probe(added=1.0)
    before = {file.name for file in probe.package.glob("__pycache__/*.nb?")}
    probe(added=2.0)
    after = {file.name for file in probe.package.glob("__pycache__/*.nb?")}
    assert len(after) == len(before) == 4
    assert not after & before


def test_damaged_machine_code_is_compiled_again(probe):
    probe()
    for file in probe.package.glob("__pycache__/outer*.nb?"):
        file.write_bytes(b"")
    assert probe() == (20.0, 0, [])
    assert probe() == (20.0, 1, [])


def test_a_full_disk_costs_a_warning_and_no_run(probe):
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    value, _, warned = probe(before=full)
    assert value == 20.0
    assert len(warned) == 1
    assert "File too large" in warned[0]
    assert "Free room there" in warned[0]


def test_where_nothing_can_be_written_kernels_are_compiled_in_every_run_with_a_warning(probe, tmp_path):
    (probe.package / "__pycache__").write_text("a file where numba wants a folder")
    (tmp_path / "cache").write_text("another one")
    value, _, warned = probe(env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert value == 20.0
    assert "no locator available" in warned[0]


def test_a_read_only_installation_keeps_its_kernels_in_the_users_cache(probe, tmp_path):
    (probe.package / "__pycache__").write_text("a file where numba wants a folder")
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert probe(env=env) == (20.0, 0, [])
    assert probe(env=env) == (20.0, 1, [])
    assert probe(env=env, added=1.0) == (21.0, 0, [])
