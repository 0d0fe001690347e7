"""A Ray that does not start says what was tried, why it failed and what to do."""

import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
import ray

from stom_ray.distributed.session import session
from stom_ray.errors import ConfigError

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.ray


def refused(**settings):
    with pytest.raises(ConfigError, match="Ray cannot be started here with") as caught, session(**settings):
        pass
    assert not ray.is_initialized()
    return str(caught.value)


def test_a_folder_too_long_for_sockets_is_named_with_what_to_do(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    said = refused(num_cpus=1, object_store_mib=120)
    assert "with 1 processors and an object store of 120 MiB" in said
    assert f"its files in {long}" in said
    assert "path length cannot exceed" in said
    assert "set TMPDIR to a short path" in said
    assert "execution.backend: serial" in said
    assert list(long.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named_and_left_alone(tmp_path):
    (tmp_path / "a-file").write_text("mine", encoding="utf-8")
    assert f"FileExistsError: [Errno 17] File exists: '{tmp_path / 'a-file'}'" in refused(temp_dir=str(tmp_path / "a-file"))
    assert Path(tmp_path / "a-file").read_text(encoding="utf-8") == "mine"


GREEDY = """
from stom_ray.distributed.session import session
from stom_ray.errors import ConfigError
try:
    with session(num_cpus=1, object_store_mib=10**8):
        pass
except ConfigError as error:
    print(error)
"""


def test_more_shared_memory_than_the_machine_has_is_named_and_nothing_runs_on():
    """In a process of its own: what of Ray has come up by then ends with it."""
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", GREEDY], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        said = process.stdout.read()
    assert "an object store of 100000000 MiB" in said
    assert "free memory" in said
    ours = f"sr-{process.pid}-"
    left = [one for one in psutil.process_iter(["cmdline"]) if any(ours in word for word in one.info["cmdline"] or ())]
    assert not psutil.wait_procs(left, timeout=10)[1]
