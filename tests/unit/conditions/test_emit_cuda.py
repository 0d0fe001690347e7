"""The CUDA source of a strategy: ASCII, accepted by NVIDIA's compiler, and refused where a GPU would differ from the host."""

import ctypes
import locale
import re
from importlib.metadata import PackageNotFoundError, files

import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.emit_cpu import emit_texts
from stom_ray.conditions.emit_cuda import emit_cuda, refusals
from stom_ray.conditions.emit_cuda_text import NUMBER, TRUTH, WHOLE, TextTranslator
from stom_ray.engine.cuda_device import COMPILER_OPTIONS

ARCHITECTURES = ("sm_75", "sm_86", "sm_89", "sm_90")
BUY = """\
매수 = True
압력 = 초당매수금액 / 초당매도금액 if 초당매도금액 > 0 else 초당매수금액
if not (현재가 >= 최고현재가(self.vars[0]) and 관심종목 == 1):
    매수 = False
elif not (체결강도 > 체결강도평균(30, 1) + self.vars[1] or 종목명 in ['비', '가']):
    매수 = False
elif round(등락율 * 1.5, 1) // 2 == 3 or 현재가 % 5 == 2:
    매수 = False
elif 최고현재가(int(데이터길이 / 3) + 1, 2) < 현재가N(1) or 압력 < 0.7:
    매수 = False
elif 경과틱수('급등') > 20 or 경과틱수('급락') > 0:
    매수 = False
"""
SELL = """\
매도 = False
if 수익률 >= self.vars[2] or 보유시간 > 300:
    매도 = True
elif 현재가N(-1) > 현재가 and 최고수익률 - 수익률 > 누적초당매수수량(int(보유시간) + 1, 1):
    매도 = True
elif 이동평균(60, int(보유시간)) > min(현재가, 시가, 고가) or now() > timedelta_sec(120, VI해제시간):
    매도 = True
"""
ELAPSED = "급등;급락;등락율 > 5 and 현재가 > 이동평균(60);현재가N(5) / 현재가 > self.vars[1]"


def strategy(buy=BUY, sell=SELL, profile="corrected", elapsed=ELAPSED):
    return compile_strategy(buy, sell, profile=profile, elapsed=elapsed)


class Nvrtc:
    """NVIDIA's run-time compiler, which needs no GPU."""

    def __init__(self, path):
        self.library = ctypes.CDLL(str(path))

    def compile(self, source, architecture):
        """(whether it compiled, the log, the machine code's size)."""
        call, program, size = self.library, ctypes.c_void_p(), ctypes.c_size_t()
        assert call.nvrtcCreateProgram(ctypes.byref(program), source.encode("ascii"), b"kernel.cu", 0, None, None) == 0
        options = (b"--std=c++14", b"-fmad=false", f"-arch={architecture}".encode())
        failed = call.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        call.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        call.nvrtcGetProgramLog(program, log)
        size = ctypes.c_size_t()
        if not failed:
            call.nvrtcGetCUBINSize(program, ctypes.byref(size))
        call.nvrtcDestroyProgram(ctypes.byref(program))
        return not failed, log.value.decode(), size.value

    def assembly(self, source, *options):
        """PTX, in which a fused multiply-add has a name of its own."""
        call, program, size = self.library, ctypes.c_void_p(), ctypes.c_size_t()
        assert call.nvrtcCreateProgram(ctypes.byref(program), source.encode("ascii"), b"kernel.cu", 0, None, None) == 0
        options = (b"--std=c++14", b"-arch=compute_75", *options)
        assert call.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options)) == 0
        call.nvrtcGetPTXSize(program, ctypes.byref(size))
        text = ctypes.create_string_buffer(size.value)
        call.nvrtcGetPTX(program, text)
        call.nvrtcDestroyProgram(ctypes.byref(program))
        return text.value.decode()


@pytest.fixture(autouse=True)
def same_locale():
    """NVIDIA's compiler leaves the process in the locale C, where files are no longer UTF-8."""
    before = locale.setlocale(locale.LC_CTYPE)
    yield
    locale.setlocale(locale.LC_CTYPE, before)


@pytest.fixture(scope="module")
def nvrtc():
    try:
        (path,) = [file.locate() for file in files("nvidia-cuda-nvrtc-cu11") or () if file.name.startswith("libnvrtc.so")]
    except (PackageNotFoundError, ValueError):
        pytest.skip("no nvidia-cuda-nvrtc-cu11: pip install 'stom-ray[dev]' on Linux")
    return Nvrtc(path)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("profile", ["corrected", "stom"])
def test_nvidias_compiler_takes_the_source(profile, architecture, nvrtc):
    compiled, log, size = nvrtc.compile(emit_cuda(strategy(profile=profile), "tick_v1").source, architecture)
    assert compiled, log
    assert size > 0


@pytest.mark.parametrize(
    ("adds", "architecture"), [(True, one) for one in ARCHITECTURES] + [(False, one) for one in ARCHITECTURES[:1]]
)
def test_nvidias_compiler_takes_outcomes_that_are_looked_up(adds, architecture, nvrtc):
    sell = "매도 = 수익률 >= self.vars[2] or 최고수익률 - 수익률 > 체결강도평균(30)"
    emitted = emit_cuda(strategy(sell=sell, elapsed="급등;급락;등락율 > 5;현재가N(5) > 현재가"), "tick_v1")
    assert emitted.sold_by == (2,)
    source = emitted.sums_source if adds else emitted.source
    assert source.count(" __global__ ") == 4
    compiled, log, size = nvrtc.compile(source, architecture)
    assert compiled, log
    assert size > 0


def test_nvidias_compiler_takes_expressions_that_every_candidate_shares(nvrtc):
    emitted = emit_cuda(strategy(elapsed="급등;급락;등락율 > 5;현재가N(5) > 현재가"), "tick_v2")
    assert emitted.fills_elapsed
    compiled, log, _ = nvrtc.compile(emitted.source, ARCHITECTURES[0])
    assert compiled, log


def test_no_product_is_fused_with_a_sum(nvrtc):
    source = emit_cuda(strategy(), "tick_v1").source
    options = tuple(option.encode() for option in COMPILER_OPTIONS if option.startswith("-f"))
    assert "fma.rn.f64" in nvrtc.assembly(source)
    assert "fma.rn.f64" not in nvrtc.assembly(source, *options)


def test_a_broken_source_is_not_taken(nvrtc):
    compiled, log, _ = nvrtc.compile(emit_cuda(strategy(), "tick_v1").source.replace("decision = ", "verdict = ", 1), "sm_75")
    assert not compiled
    assert "error" in log


def test_no_name_of_the_script_reaches_the_source():
    emit_cuda(strategy(), "tick_v1").source.encode("ascii")


def test_nothing_that_a_gpu_rounds_its_own_way_is_called():
    source = emit_cuda(strategy(), "tick_v1").source
    code = re.sub(r"//.*", "", source)
    assert not re.search(r"\b(pow|atan2|exp|log|sqrt|fma|__\w+_r[nzud])\s*\(", code)


def test_sites_are_numbered_as_in_the_cpu_kernel():
    both = strategy(profile="stom")
    assert emit_cuda(both, "tick_v1").sites == emit_texts(both, "tick_v1").sites


def test_a_power_is_refused_where_it_stands():
    (reason,) = refusals(strategy(buy="매수 = False\nif (체결강도 - 100) ** 0.5 > 3:\n    매수 = True"))
    assert reason.startswith("buy text, line 2, column 4: `**`")


def test_a_power_of_literals_is_no_power_any_more():
    assert refusals(strategy(buy="매수 = 체결강도 > 10 ** 2")) == ()


def test_an_angle_is_refused_only_when_its_length_changes_from_row_to_row():
    assert refusals(strategy(sell="if 등락율각도(self.vars[0]) > 3 or 전일비각도(47) < 2:\n    매도 = True")) == ()
    (reason,) = refusals(strategy(sell="매도 = False\nif 수익률 > 1 or 등락율각도(int(보유시간) + 2) > 3:\n    매도 = True"))
    assert reason.startswith("sell text, line 2, column 15: `등락율각도` of a length that changes from row to row")


@pytest.mark.parametrize(
    ("numba", "c"),
    [
        ("-1.0 <= p0 < 2.5", "(((-1.0) <= p0) && (p0 < 2.5))"),
        ("not p0 > 1.0 or f0", "((!(p0 > 1.0)) || f0)"),
        ("cols[3, np.uintp(i - 2)] != 0.0", "(COLUMN(3, (whole)((i - 2))) != 0.0)"),
        ("(np.nan if n > 3 else elapsed[1, i - lo]) == 0.0", "(((n > 3) ? QUIET_NAN : ELAPSED(1)) == 0.0)"),
        ("m2 + 1 <= n", "((m2 + 1) <= n)"),
    ],
)
def test_conditions_keep_their_order(numba, c):
    assert TextTranslator().truth(numba) == c


def test_variables_are_declared_as_what_they_are():
    translator = TextTranslator()
    translator.lines(("x0 = 1e+16", "x0_s = q1 != 0", "k_1 = rt.row_count(x0)", "if x0_s:", "    x0 = abs(p1)"))
    assert translator.variables == {"x0": NUMBER, "x0_s": TRUTH, "k_1": WHOLE}


@pytest.mark.parametrize(
    "line",
    [
        "x0 = rt.power(p0, 2.0)",
        "x0 = p0 and p1",
        "x0 = p0 / n",
        "x0 = unheard_of",
        "x0 = [1.0]",
        "x0 = 'a'",
        "x0 = 1 if f0 else 2.0",
        "for x in y: pass",
        "x0: float = 1.0",
        "x0 -= 1.0",
        "x0 = other[1, 2]",
    ],
)
def test_what_no_emitter_writes_is_refused(line):
    with pytest.raises(TypeError):
        TextTranslator().lines(("x0 = 0.0", "y = 0.0", line))


def test_a_variable_stays_what_it_was():
    with pytest.raises(TypeError, match="x0 is a double and becomes a bool"):
        TextTranslator().lines(("x0 = 0.0", "x0 = p0 > 1.0"))
