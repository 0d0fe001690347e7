"""The GPU as the CUDA kernel sees it: a handful of calls, so that the same driver runs on cupy and, in tests, on an emulation.

cupy is imported here only, and only when a GPU is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError

COMPILER_OPTIONS = ("--std=c++14", "-fmad=false")  # no contraction: a product is rounded before it is added
INSTALL = "pip install 'stom-ray[gpu]' for CUDA 11, 'stom-ray[gpu12]' or 'stom-ray[gpu13]' for newer drivers"


class Program(Protocol):
    """Compiled kernels of one source."""

    def launch(self, name: str, threads: int, threads_per_block: int, arguments: Sequence[Any]) -> None:
        """Starts kernel `name` over at least `threads` threads. arguments: device arrays, and numpy scalars of their C type."""
        ...


class Device(Protocol):
    """Where kernels run.

    xp: the module whose arrays live there, numpy's functions under numpy's names (cupy, or numpy itself). Launches and calls of
    xp happen in the order in which they are made.
    """

    name: str
    xp: Any

    def free_bytes(self) -> int:
        """Memory that is free now."""
        ...

    def compile(self, source: str) -> Program:
        """Raises ConfigError when the compiler refuses the source."""
        ...

    def to_host(self, array: Any) -> NDArray[Any]: ...


def why_no_gpu() -> str:
    """What is missing for the CUDA backend on this machine, and what to do; empty when it can run."""
    if find_spec("cupy") is None:
        return f"the package cupy is not installed: {INSTALL}"
    try:
        import cupy

        count = int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:  # cupy fails in as many ways as drivers and libraries can be missing
        return f"cupy finds no usable GPU ({error}): check `nvidia-smi`, and that cupy's CUDA version is the driver's: {INSTALL}"
    return "" if count else "cupy sees no GPU: check `nvidia-smi` and CUDA_VISIBLE_DEVICES"


class CupyDevice:
    """One NVIDIA GPU through cupy. number: among the visible ones."""

    def __init__(self, number: int = 0) -> None:
        missing = why_no_gpu()
        if missing:
            raise ConfigError(f"backend 'cuda': {missing}")
        import cupy

        self.xp: Any = cupy
        self._device = cupy.cuda.Device(number)
        self._device.use()
        self.name = str(cupy.cuda.runtime.getDeviceProperties(number)["name"].decode())

    def free_bytes(self) -> int:
        free, _ = self._device.mem_info
        pool = self.xp.get_default_memory_pool()
        return int(free) + int(pool.free_bytes())

    def compile(self, source: str) -> Program:
        module = self.xp.RawModule(code=source, options=COMPILER_OPTIONS, backend="nvrtc")
        try:
            module.compile()
        except self.xp.cuda.compiler.CompileException as error:
            raise ConfigError(f"backend 'cuda': the CUDA compiler refuses the generated kernel: {error}") from error
        return _CupyProgram(module)

    def to_host(self, array: Any) -> NDArray[Any]:
        return np.asarray(self.xp.asnumpy(array))


class _CupyProgram:
    def __init__(self, module: Any) -> None:
        self._module = module

    def launch(self, name: str, threads: int, threads_per_block: int, arguments: Sequence[Any]) -> None:
        blocks = -(-threads // threads_per_block)
        self._module.get_function(name)((blocks,), (threads_per_block,), tuple(arguments))
