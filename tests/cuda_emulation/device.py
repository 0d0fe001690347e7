"""A device for the CUDA driver that is no GPU: the generated source compiled by the C compiler, one thread after the other.

Threads run in descending order, so that nothing can rely on the order in which they record trades.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np

from stom_ray.conditions.emit_cuda import ARGUMENTS

SHIM = Path(__file__).with_name("shim.h")
COMPILER = shutil.which("gcc") or shutil.which("clang")
OPTIONS = ("-x", "c++", "-std=c++14", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-Wall", "-Werror", "-Wno-unused")
MORE_OPTIONS = tuple(os.environ.get("CUDA_EMULATION_OPTIONS", "").split())
DTYPES = {
    "double": np.float64,
    "bool": np.bool_,
    "int": np.int32,
    "whole": np.int64,
    "unsigned long long": np.uint64,
}
LAUNCHER = """
extern "C" void launch_{name}(long long threads, long long per_block, void **a)
{{
    blockDim.x = (unsigned int)per_block;
    for (long long t = (threads + per_block - 1) / per_block * per_block - 1; t >= 0; --t) {{
        blockIdx.x = (unsigned int)(t / per_block);
        threadIdx.x = (unsigned int)(t % per_block);
        {name}({arguments});
    }}
}}
"""


class EmulatedDevice:
    """Compiles into `folder`. memory: what free_bytes says. launches: (kernel, threads) of every launch so far.

    CUDA_EMULATION_OPTIONS in the environment: more options for the compiler.
    """

    name = "emulated"
    xp = np

    def __init__(self, folder: Path, memory: int = 1 << 30) -> None:
        self.folder = folder
        self.memory = memory
        self.launches: list[tuple[str, int]] = []

    def free_bytes(self) -> int:
        return self.memory

    def to_host(self, array):
        return array.copy()

    def compile(self, source: str):
        source = source.encode("ascii").decode("ascii")
        kernels = [name for name in ARGUMENTS if f" {name}(" in source]
        wrappers = [LAUNCHER.format(name=name, arguments=", ".join(_casts(ARGUMENTS[name]))) for name in kernels]
        text = "\n".join((f'#include "{SHIM}"', source, *wrappers))
        library = self.folder / f"{hashlib.sha256(repr((text, MORE_OPTIONS)).encode()).hexdigest()[:24]}.so"
        if not library.exists():
            done = subprocess.run(
                [COMPILER, *OPTIONS, *MORE_OPTIONS, "-o", library, "-"], input=text, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        return EmulatedProgram(self, ctypes.CDLL(str(library)))


class EmulatedProgram:
    def __init__(self, device: EmulatedDevice, library: ctypes.CDLL) -> None:
        self.device = device
        self.library = library

    def launch(self, name, threads, threads_per_block, arguments):
        self.device.launches.append((name, threads))
        kernel = ARGUMENTS[name]
        assert len(arguments) == len(kernel)
        held = [_passed(argument, key, kind) for argument, (key, kind) in zip(arguments, kernel, strict=True)]
        pointers = (ctypes.c_void_p * len(held))(*(ctypes.addressof(one) for one in held))
        launcher = getattr(self.library, f"launch_{name}")
        launcher.argtypes = (ctypes.c_longlong, ctypes.c_longlong, ctypes.c_void_p)
        launcher(threads, threads_per_block, pointers)


def _casts(arguments):
    return [f"*({kind.rstrip('*').strip()} {'**' if kind.endswith('*') else '*'})a[{k}]" for k, (_, kind) in enumerate(arguments)]


def _passed(argument, key, kind):
    """The argument as C takes it, refused where a GPU would read something else."""
    if not kind.endswith("*"):
        assert isinstance(argument, np.int64), (key, type(argument))
        return ctypes.c_longlong(int(argument))
    dtype = DTYPES[kind.removeprefix("const ").rstrip("* ")]
    assert argument.dtype == dtype, (key, argument.dtype)
    assert argument.flags.c_contiguous, key
    return ctypes.c_void_p(argument.ctypes.data)
