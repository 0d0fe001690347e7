"""Kernels on disk: compiled once, verified before use, safe against damage and company."""

import subprocess
import sys
import time

import pytest

from stom_ray.engine import kernel_cache
from stom_ray.engine.kernel_cache import cache_directory, kernel_hash, load_kernel
from stom_ray.errors import StoreError

SOURCE = """from numba import njit


@njit("float64(float64)", cache=True, nogil=True, error_model="numpy", fastmath=False)
def twice(x):
    return {factor} * x
"""


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("STOM_RAY_CACHE", str(tmp_path / "kernels"))
    monkeypatch.setattr(kernel_cache, "_loaded", {})
    return tmp_path / "kernels"


@pytest.fixture
def forget(monkeypatch):
    """As a new process would begin."""
    return lambda: monkeypatch.setattr(kernel_cache, "_loaded", {})


def source(factor=2.0):
    return SOURCE.format(factor=factor)


def compilations(module):
    return sum(module.twice.stats.cache_misses.values())


def machine_code(directory):
    return sorted((directory / "__pycache__").glob("*.nb?"))


def test_a_second_load_compiles_nothing(directory, forget):
    first = load_kernel(source())
    forget()
    second = load_kernel(source())
    assert (compilations(first), compilations(second)) == (1, 0)
    assert second is not first
    assert second.twice(4.0) == 8.0


def test_one_process_imports_a_kernel_once(directory):
    assert load_kernel(source()) is load_kernel(source())


def test_different_text_is_a_different_kernel(directory):
    assert kernel_hash(source(2.0)) != kernel_hash(source(3.0))
    assert (load_kernel(source(2.0)).twice(1.0), load_kernel(source(3.0)).twice(1.0)) == (2.0, 3.0)


@pytest.mark.parametrize("content", [b"", b"not machine code", None])
def test_damaged_machine_code_is_compiled_again(directory, forget, content):
    load_kernel(source())
    for file in machine_code(directory):
        file.write_bytes(content if content is not None else file.read_bytes()[:-1] + b"\x00")
    forget()
    module = load_kernel(source())
    assert compilations(module) == 1
    assert module.twice(4.0) == 8.0


def test_a_changed_source_file_is_not_believed(directory, forget):
    load_kernel(source())
    (path,) = directory.glob("k_*.py")
    path.write_text(path.read_text().replace("2.0 * x", "5.0 * x"))
    forget()
    assert load_kernel(source()).twice(4.0) == 8.0


@pytest.mark.parametrize("content", [b"{}", b"{", b""])
def test_machine_code_without_its_checksums_is_compiled_again(directory, forget, content):
    load_kernel(source())
    (seal,) = directory.glob("k_*.json")
    seal.write_bytes(content)
    forget()
    assert compilations(load_kernel(source())) == 1


def test_byte_code_beside_the_source_is_not_read(directory, forget):
    load_kernel(source())
    assert list(directory.rglob("*.pyc")) == []


def test_numbas_own_cache_directory_does_not_move_kernels(directory, monkeypatch, tmp_path):
    monkeypatch.setattr(kernel_cache._numba_config, "CACHE_DIR", str(tmp_path / "elsewhere"))
    load_kernel(source())
    assert len(machine_code(directory)) == 2
    assert str(tmp_path / "elsewhere") == kernel_cache._numba_config.CACHE_DIR


def test_a_directory_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STOM_RAY_CACHE", str(tmp_path / "file" / "kernels"))
    with pytest.raises(StoreError, match=r"file/kernels cannot be used: .*set STOM_RAY_CACHE"):
        load_kernel(source())


def test_without_the_variable_the_users_cache_directory_is_taken(monkeypatch, tmp_path):
    monkeypatch.delenv("STOM_RAY_CACHE", raising=False)
    monkeypatch.setattr(kernel_cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "stom_ray" / "kernels"


def test_processes_that_start_together_compile_once(directory):
    """Both wait for the lock; the second finds what the first has compiled."""
    script = (
        "import sys, time\n"
        "from stom_ray.engine.kernel_cache import load_kernel\n"
        "time.sleep(max(0.0, float(sys.argv[1]) - time.time()))\n"
        f"module = load_kernel({source()!r})\n"
        "print(sum(module.twice.stats.cache_misses.values()), module.twice(4.0))\n"
    )
    together = str(time.time() + 4.0)
    started = [subprocess.Popen([sys.executable, "-c", script, together], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = sorted(process.communicate(timeout=120)[0].split() for process in started)
    assert answers == [["0", "8.0"], ["0", "8.0"], ["1", "8.0"]]
