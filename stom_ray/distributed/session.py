"""A Ray session for the length of a `with`: a local one of its own, or a cluster that is there already."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import ray
from ray.exceptions import RayError

from stom_ray.errors import ConfigError, StomError, WorkerError

OBJECT_STORE_MIB = 512
LEAST_OBJECT_STORE_MIB = 80  # Ray refuses less


@dataclass(frozen=True)
class SessionInfo:
    """cpus: of the whole cluster. address: of its head. owned: started here, so it ends with the `with`."""

    cpus: int
    address: str
    owned: bool


@contextlib.contextmanager
def session(
    address: str = "local", *, num_cpus: int | None = None, object_store_mib: int = OBJECT_STORE_MIB, temp_dir: str | None = None
) -> Iterator[SessionInfo]:
    """Ray, ready to use.

    address: "local" starts a cluster of `num_cpus` workers (default: the machine's cores) that ends with the `with`; "auto" or
    HOST:PORT or ray://HOST:PORT joins one, which goes on afterwards. A session that this process has already is used as it is.
    object_store_mib: shared memory of a local cluster. temp_dir: for sockets and logs of a local one; the path must be short.

    Access: Ray guards its ports by a token, kept in the user's home, which Ray writes world-readable; it is made private here.
    The ports themselves listen beyond loopback: on a shared machine the token is the only fence. Raises ConfigError when
    the cluster cannot be reached, or a local one not started; WorkerError when it is lost later.
    """
    if ray.is_initialized():
        with _loss_told():
            yield _info(owned=False)
        return
    os.environ.setdefault("RAY_task_oom_retries", "2")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Says at every start that the token is on; it is, and the docstring tells.
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    folder = None
    if address == "local":
        if object_store_mib < LEAST_OBJECT_STORE_MIB:
            raise ConfigError(f"object_store_mib is {object_store_mib}: Ray needs at least {LEAST_OBJECT_STORE_MIB}")
        folder = temp_dir or scratch_folder()
        try:
            _start(folder, num_cpus or os.cpu_count() or 1, object_store_mib)
        except ConfigError:
            if temp_dir is None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
    else:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
        except (ConnectionError, TimeoutError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"no Ray cluster answers at {address} ({error}): start one with `ray start --head`, or use address local"
            ) from error
    try:
        _make_token_private()
        with _loss_told():
            yield _info(owned=address == "local")
    finally:
        ray.shutdown()
        if folder is not None and temp_dir is None:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _loss_told() -> Iterator[None]:
    """What Ray raises when its own processes are gone says nothing about the run: WorkerError does."""
    try:
        yield
    except RayError as error:
        if isinstance(error, StomError):
            raise
        why = str(error).strip().partition("\n")[0]
        raise WorkerError(
            f"Ray was lost ({type(error).__name__}: {why}): what was scored is recorded; see that the cluster stands and has "
            "memory, then run again with --resume"
        ) from error


def _start(folder: str, num_cpus: int, object_store_mib: int) -> None:
    """A local cluster. ConfigError when it does not come up; processes of Ray's that did end with this one."""
    try:
        ray.init(
            address="local",
            num_cpus=num_cpus,
            object_store_memory=object_store_mib * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.WARNING,
            _temp_dir=folder,
        )
    except Exception as error:  # a node that does not answer is a bare Exception, sockets and checks raise what they like
        ray.shutdown()
        raise ConfigError(
            f"Ray cannot be started here with {num_cpus} processors and an object store of {object_store_mib} MiB, its files in "
            f"{folder} ({type(error).__name__}: {error}): free memory, disk and ports, take fewer execution.workers, set TMPDIR "
            "to a short path that can be written, or use execution.backend: serial"
        ) from error


def scratch_folder() -> str:
    """A new folder of this process for what need not survive it; those of processes that were killed are swept away."""
    for left in Path(tempfile.gettempdir()).glob("sr-*-*"):
        owner = left.name.split("-")[1]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"sr-{os.getpid()}-")


def cpus_of_session() -> int:
    """Processors of the whole cluster."""
    return int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]


def gpus_of_session() -> int:
    """GPUs of the whole cluster."""
    return int(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]


def _info(*, owned: bool) -> SessionInfo:
    return SessionInfo(cpus_of_session(), ray.get_runtime_context().gcs_address, owned)


def _make_token_private() -> None:
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", str(Path.home() / ".ray" / "auth_token")))
    with contextlib.suppress(OSError):
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
