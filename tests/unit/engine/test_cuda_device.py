"""Asking for a GPU where there is none, or half of one: what is missing is said, and nothing else runs instead."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine import cuda_device
from stom_ray.engine.backtest import Engine, choose_backend, run
from stom_ray.engine.cuda_device import CupyDevice, why_no_gpu
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.store.load import select

STRATEGY = compile_strategy("매수 = 현재가 >= 최고현재가(30)", "if 수익률 > 1:\n    매도 = True")


class Launches:
    """cupy as far as the device uses it. count: GPUs it sees, or the error it raises."""

    class CompileException(Exception):  # noqa: N818
        pass

    def __init__(self, count):
        def devices():
            if isinstance(count, Exception):
                raise count
            return count

        runtime = SimpleNamespace(getDeviceCount=devices, getDeviceProperties=lambda number: {"name": b"Card"})
        device = SimpleNamespace(use=lambda: None, mem_info=(1000, 4000))
        compiler = SimpleNamespace(CompileException=self.CompileException)
        self.cuda = SimpleNamespace(runtime=runtime, Device=lambda number: device, compiler=compiler)
        self.launched = []

    def get_default_memory_pool(self):
        return SimpleNamespace(free_bytes=lambda: 24)

    def RawModule(self, code, options, backend):  # noqa: N802
        assert (options, backend) == (("--std=c++14", "-fmad=false"), "nvrtc")

        def compile():
            if "?" in code:
                raise self.CompileException("line 3: ?")

        def get_function(name):
            return lambda *launch: self.launched.append((name, *launch))

        return SimpleNamespace(compile=compile, get_function=get_function)

    def asnumpy(self, array):
        return array


@pytest.fixture
def cupy(monkeypatch):
    def installed(count):
        module = Launches(count)
        monkeypatch.setitem(sys.modules, "cupy", module)
        monkeypatch.setattr(cuda_device, "find_spec", lambda name: name)
        return module

    return installed


@pytest.mark.skipif(cuda_device.find_spec("cupy") is not None, reason="cupy is installed")
def test_without_cupy_the_message_says_what_to_install():
    with pytest.raises(
        ConfigError, match=r"cupy is not installed: pip install 'stom-ray\[gpu\]' for CUDA 11, .*or use backend cpu"
    ):
        choose_backend("cuda", STRATEGY)


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, "cupy sees no GPU: check `nvidia-smi`"),
        (RuntimeError("no driver"), r"no usable GPU \(no driver\): check `nvidia-smi`"),
    ],
)
def test_without_a_gpu_the_message_says_what_to_check(count, message, cupy):
    cupy(count)
    with pytest.raises(ConfigError, match=message):
        choose_backend("cuda", STRATEGY)
    with pytest.raises(ConfigError, match=message):
        CupyDevice()


def test_with_a_gpu_cuda_is_chosen_when_asked_for_and_only_then(cupy):
    cupy(1)
    assert why_no_gpu() == ""
    assert choose_backend("cuda", STRATEGY)[0] == "cuda"
    assert choose_backend("auto", STRATEGY)[0] == "cpu"


def test_a_script_that_no_gpu_runs_exactly_is_refused_before_a_gpu_is_looked_for():
    powers = compile_strategy("매수 = 현재가 ** 0.5 > 30", "매도 = 수익률 > 1")
    with pytest.raises(ConfigError, match=r"cannot run this script: buy text, line 1, column 6: `\*\*`"):
        choose_backend("cuda", powers)


def test_a_launch_covers_all_threads_with_whole_blocks(cupy):
    module = cupy(1)
    device = CupyDevice()
    assert (device.name, device.free_bytes()) == ("Card", 1024)
    device.compile("source").launch("walk", 257, 128, [np.int64(5)])
    assert module.launched == [("walk", (3,), (128,), (np.int64(5),))]


class EmulatedCupy(Launches):
    """numpy under cupy's name, kernels run by an emulated device."""

    def __init__(self, device):
        super().__init__(1)
        self.device = device

    def __getattr__(self, name):
        return getattr(np, name)

    def RawModule(self, code, options, backend):  # noqa: N802
        program = self.device.compile(code)

        def get_function(name):
            return lambda blocks, threads, arguments: program.launch(name, blocks[0] * threads[0], threads[0], arguments)

        return SimpleNamespace(compile=lambda: None, get_function=get_function)

    def get_default_memory_pool(self):
        return SimpleNamespace(free_bytes=lambda: 1 << 28)


def test_backtest_and_evaluator_run_on_the_gpu_when_asked_to(make_panel, cuda_emulation, monkeypatch):
    device = cuda_emulation()
    monkeypatch.setitem(sys.modules, "cupy", EmulatedCupy(device))
    monkeypatch.setattr(cuda_device, "find_spec", lambda name: name)
    panel = make_panel([("A", 20230119, 200)], 현재가=1000.0 + np.arange(200) % 17)
    selection, params, config = select(panel), ParamMatrix.from_rows([[]]), EngineConfig()
    expected = run(STRATEGY, selection, params, config, backend="reference")
    assert len(expected.trades) > 0
    evaluator = SerialEvaluator(STRATEGY, selection, config, backend="cuda")
    for result in (run(STRATEGY, selection, params, config, backend="cuda"), evaluator.run(params), evaluator.run(params)):
        for name, values in vars(expected.trades).items():
            assert getattr(result.trades, name).tobytes() == values.tobytes(), name
    assert len([name for name, _ in device.launches if name.startswith("walk")]) == 3
    engine = Engine(STRATEGY, selection, config, backend="cuda")
    totals = engine.totals(params)
    assert (totals.trades[0], totals.profit[0]) == (len(expected.trades), expected.trades.profit.sum())
    assert (engine.how.backend, engine.how.plans[0].name) == ("cuda", "cuda")
    assert device.launches[-1][0].endswith("_sums")


def test_a_source_that_the_compiler_refuses_is_an_error_of_ours(cupy):
    cupy(1)
    with pytest.raises(ConfigError, match=r"refuses the generated kernel: line 3: \?"):
        CupyDevice().compile("?")
