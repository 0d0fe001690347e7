"""A strategy as CUDA C: one thread a (session, candidate), both texts inlined into its walk over the session's rows.

The texts are the CPU kernel's, printed as C (`emit_cuda_text`); the walk around them is the same one turned inside out: a thread
is either looking for an entry or holding, and takes one row a turn, so that threads of a warp in different states do not wait
for each other's whole holding times. Neighbouring threads are neighbouring candidates of the same session: they read the same
rows (one broadcast) and parameters side by side. Rows on which no candidate can buy are skipped by the `following` table.

The source is ASCII and needs no header but `emit_cuda_runtime.cuh`, which is put in front. It must be compiled without
contraction of products and sums (nvrtc -fmad=false, gcc -ffp-contract=off).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from stom_ray.conditions.emit_cpu import FIXED_COLUMNS, PRICE_COLUMN, SECONDS_COLUMN, StrategyTexts, emit_texts
from stom_ray.conditions.emit_cuda_text import TextTranslator
from stom_ray.conditions.emit_flow import EmittedText
from stom_ray.conditions.emit_sites import Sites
from stom_ray.conditions.emit_windows import fixed_length
from stom_ray.conditions.faults import role
from stom_ray.conditions.ir import Binary, Expr, Strategy, Window
from stom_ray.conditions.traversal import expressions
from stom_ray.errors import ConfigError
from stom_ray.schema.windows import RAW_WINDOW

THREADS_PER_BLOCK = 128
# Candidates lie in lots: one value of LOT candidates, then their next. Neighbouring threads then read side by side, and every
# value is at a fixed distance from the thread's first, so that no address of its own is kept in a register for it. For the
# same reason the columns of a row lie side by side.
LOT = 128
NO_FAULT = 2**64 - 1

# Arguments of each kernel in order: (name, type). Numbers are passed as int64.
SESSION_ARGUMENTS = (
    ("cols", "const double *"),  # (n_rows, n_columns)
    ("n_columns", "whole"),
    ("offsets", "const whole *"),  # (n_sessions + 1,)
    ("firsts", "const whole *"),  # (n_sessions,): the instrument's first row
    ("tests", "const bool *"),  # (n_sessions, n_texts)
    ("windows", "const int *"),  # (n_lots, 4 * n_windows, LOT): column, rows needed, fault, precomputed
    ("loaded_lengths", "const whole *"),  # (n_varying, n_lengths)
    ("loaded_columns", "const whole *"),  # the same
    ("n_lengths", "whole"),
    ("session_from", "whole"),
    ("session_count", "whole"),
)
ELAPSED_ARGUMENTS = (*SESSION_ARGUMENTS, ("elapsed", "double *"))  # (n_rows, n_elapsed), out
WALK_ARGUMENTS = (
    *SESSION_ARGUMENTS,
    ("elapsed", "const double *"),  # as `fill_elapsed` left it
    ("entry", "const double *"),  # (n_rows, 2): shares and price of a buy on this row, price 0 where the book cannot fill
    ("following", "const int *"),  # (n_rows,): the first row from here that may buy, or the session's last
    ("costs", "const double *"),  # (n_sessions, 3): tax rate, fee rate, fee rounding
    ("gates", "const whole *"),  # (n_candidates,)
    ("params", "const double *"),  # (n_lots, len(variables), LOT)
    ("floats", "const bool *"),  # the same
    ("stopped", "const bool *"),  # (n_candidates,): not to be run
    ("bid_levels", "whole"),
    ("candidate_from", "whole"),
    ("candidate_count", "whole"),
    ("capacity", "whole"),  # trades that fit
    ("places", "int *"),  # (capacity, 5), out: candidate, session, buy row, sell row, label; in no order
    ("prices", "whole *"),  # (capacity,), out: sell price, KRW
    ("count", "unsigned long long *"),  # (1,), in and out: trades, also those that did not fit
    ("faults", "unsigned long long *"),  # (n_candidates,), in and out: row << 32 | site of the first fault, NO_FAULT without
    ("zeros", "unsigned long long *"),  # (n_lots, n_zero_lines, LOT), in and out: counts
)
PLACE_FIELDS = 5


@dataclass(frozen=True)
class EmittedCuda:
    """source: CUDA C with kernels `walk` and, when `fills_elapsed`, `fill_elapsed`. sites: what its numbers mean.

    variables: indices of `self.vars` that the kernel is given, in this order.
    """

    source: str
    sites: Sites
    fills_elapsed: bool
    variables: tuple[int, ...]


def refusals(strategy: Strategy) -> tuple[str, ...]:
    """Why the CUDA backend cannot run a strategy bit for bit, one located reason a place; none for most.

    The device's pow and atan2 differ from the host's in the last bit. Angles of a fixed length are columns made on the host.
    """
    texts = (("buy", strategy.buy), ("sell", strategy.sell), *((f"elapsed:{name}", one) for name, one in strategy.elapsed))
    found = []
    for text, program in texts:
        for node in expressions(program):
            reason = _refusal(node)
            if reason:
                found.append(f"{role(text)}, line {node.at.line}, column {node.at.start + 1}: {reason}")
    return tuple(found)


def refuse_inexact(strategy: Strategy) -> None:
    """Raises ConfigError for a strategy that has `refusals`."""
    reasons = refusals(strategy)
    if reasons:
        more = f"\n    and {len(reasons) - 1} more places" if len(reasons) > 1 else ""
        raise ConfigError(
            f"backend 'cuda' cannot run this script: {reasons[0]}{more}\n    hint: use backend cpu, or write it otherwise"
        )


def _refusal(node: Expr) -> str:
    if isinstance(node, Binary) and node.op == "**":
        return "`**` is computed by the machine's own pow, whose last bit a GPU does not repeat"
    if isinstance(node, Window) and RAW_WINDOW[node.function].endswith("_angle") and fixed_length(node.length) is None:
        return f"`{node.function}` of a length that changes from row to row needs the machine's own atan2"
    return ""


def emit_cuda(strategy: Strategy, layout: str) -> EmittedCuda:
    """layout: the panel's. Raises ConfigError as `refuse_inexact`."""
    refuse_inexact(strategy)
    texts = emit_texts(strategy, layout)
    kernels = _Kernels(texts)
    parts = [kernels.walk()]
    fills = bool(texts.elapsed) and not texts.elapsed_per_candidate
    if fills:
        parts.insert(0, kernels.fill_elapsed())
    source = "\n".join((LAYOUT, runtime_source(), MACROS, kernels.names(), *parts))
    return EmittedCuda(source, texts.sites, fills, tuple(sorted(texts.sites.variables)))


@cache
def runtime_source() -> str:
    return files("stom_ray.conditions").joinpath("emit_cuda_runtime.cuh").read_text(encoding="ascii")


LAYOUT = f"""\
#define BID_PRICE {FIXED_COLUMNS.index("매수호가1")}
#define BID_SIZE {FIXED_COLUMNS.index("매수잔량1")}
#define LAST_PRICE {PRICE_COLUMN}
#define SECONDS {SECONDS_COLUMN}
#define LOT {LOT}
"""
MACROS = """\
#define COLUMN(number, row) cols[(whole)(row) * n_columns + (number)]
#define WHOLE_COLUMN(number) Column{cols + (number), n_columns}
#define COUNT_ZERO(line) atomicAdd(&my_zeros[LOT * (line)], 1ULL)
"""

WALK = """\
extern "C" __global__ void __launch_bounds__({threads}) walk({arguments})
{{
    const whole thread = (whole)blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= session_count * candidate_count) {{
        return;
    }}
    const int c = (int)(candidate_from + thread % candidate_count);
    const int s = (int)(session_from + thread / candidate_count);
    const int lo = (int)offsets[s], last = (int)offsets[s + 1] - 1;
    const whole start = lo + gates[c] - 1;
    if (stopped[c] || (whole)(faults[c] >> 32) < lo{nothing_to_do}) {{
        return;
    }}
    const int first = (int)firsts[s];
    const int *my_windows = windows + (whole)(c / LOT) * (LOT * {n_windows}) + c % LOT;
    const double *my_params = params + (whole)(c / LOT) * (LOT * {n_variables}) + c % LOT;
    const bool *my_floats = floats + (whole)(c / LOT) * (LOT * {n_variables}) + c % LOT;
    unsigned long long *my_zeros = zeros + (whole)(c / LOT) * (LOT * {n_zero_lines}) + c % LOT;
{marks}
    int fault = -1, label = 0, b = lo;
    int i = start < last ? (int)start : last;
    bool holding = false;
    double quantity = 0.0, bought = 0.0, bought_fee = 0.0, since = 0.0, best = 0.0, worst = 0.0;
    for (;;) {{
        if (!holding && i < last) {{
            i = following[i];
        }}
{elapsed}
        if (!holding && i >= last) {{
            break;
        }}
        const int n = i - lo + 1;
        bool decision = false;
        if (!holding) {{
{buy}
            if (fault >= 0) {{
                break;
            }}
            if (decision) {{
                const double price = entry[2 * (whole)i + 1];
                if (price > 0.0) {{
                    holding = true;
                    b = i;
                    since = COLUMN(SECONDS, i);
                    quantity = entry[2 * (whole)i];
                    bought = quantity * price;
                    bought_fee = fee_of(bought, costs[3 * s + 1], costs[3 * s + 2]);
                    best = 0.0;
                    worst = 0.0;
                }}
            }}
        }} else {{
            label = 0;
            double price = 0.0;
            if (i >= last) {{
                price = forced_sale_price(cols, n_columns, i, quantity, (int)bid_levels);
                decision = true;
            }} else {{
                const double sold = quantity * COLUMN(LAST_PRICE, i);
                const double net = net_amount(bought_fee, sold, costs[3 * s], costs[3 * s + 1], costs[3 * s + 2]);
                const double gain = net - bought;
                const double pct = profit_pct(bought, net);
                if (pct > best) {{
                    best = pct;
                }} else if (pct < worst) {{
                    worst = pct;
                }}
                const double held = COLUMN(SECONDS, i) - since;
{sell}
                if (fault >= 0) {{
                    break;
                }}
                if (decision) {{
                    price = sale_price(&COLUMN(0, i), quantity, (int)bid_levels);
                    decision = price > 0.0;
                }}
            }}
            if (decision) {{
                const whole slot = (whole)atomicAdd(count, 1ULL);
                if (slot < capacity) {{
                    places[5 * slot] = (int)c;
                    places[5 * slot + 1] = (int)s;
                    places[5 * slot + 2] = b;
                    places[5 * slot + 3] = i;
                    places[5 * slot + 4] = label;
                    prices[slot] = (whole)price;
                }}
                holding = false;
            }}
        }}
        i += 1;
    }}
    if (fault >= 0) {{
        atomicMin(&faults[c], (unsigned long long)i << 32 | (unsigned long long)fault);
    }}
}}
"""

FILL_ELAPSED = """\
extern "C" __global__ void __launch_bounds__({threads}) fill_elapsed({arguments})
{{
    const whole thread = (whole)blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= session_count) {{
        return;
    }}
    const int s = (int)(session_from + thread);
    const int lo = (int)offsets[s], last = (int)offsets[s + 1] - 1;
    const int first = (int)firsts[s];
    const int *my_windows = windows;
    int {marks};
    for (int i = lo; i < last; ++i) {{
        const int n = i - lo + 1;
        bool decision = false;
{texts}
    }}
}}
"""

# Expressions that depend on the candidate are evaluated as its walk goes on: on every row up to the one it has come to, and at
# the end on the rows that are left, because each may fault or count.
ADVANCE = """\
        for (; done <= i && done < last; ++done) {{
            const int i = done, n = i - lo + 1;
            bool decision = false;
{texts}
        }}
        if (fault >= 0) {{
            i = done;
            break;
        }}"""


@dataclass(frozen=True)
class _Kernels:
    texts: StrategyTexts

    def walk(self) -> str:
        texts = self.texts
        inline = bool(texts.elapsed) and texts.elapsed_per_candidate
        sites = texts.sites
        written = f"elapsed[{len(texts.elapsed)} * (whole)i + (number)]"
        macro = "mark##number >= 0 ? (double)(i - mark##number) : 0.0" if inline else written
        source = WALK.format(
            threads=THREADS_PER_BLOCK,
            arguments=_signature(WALK_ARGUMENTS),
            nothing_to_do="" if inline else " || start >= last || following[start] >= last",
            n_windows=4 * max(1, len(sites.windows)),
            n_variables=max(1, len(sites.variables)),
            n_zero_lines=max(1, len(sites.zero_lines)),
            marks=f"    int done = lo, {_marks(len(texts.elapsed))};" if inline else "",
            elapsed=self.advance() if inline else "",
            buy=_inlined(texts.buy, 3),
            sell=_inlined(texts.sell, 4),
        )
        return f"#define ELAPSED(number) ({macro})\n{source}#undef ELAPSED\n"

    def fill_elapsed(self) -> str:
        texts = [self.marking(position, stops=False) for position in self.numbers]
        return FILL_ELAPSED.format(
            threads=THREADS_PER_BLOCK,
            arguments=_signature(ELAPSED_ARGUMENTS),
            marks=_marks(len(texts)),
            texts="\n".join(texts),
        )

    def advance(self) -> str:
        return ADVANCE.format(texts="\n".join(self.marking(position, stops=True) for position in self.numbers))

    @property
    def numbers(self) -> range:
        return range(len(self.texts.elapsed))

    def marking(self, number: int, stops: bool) -> str:
        """An elapsed-tick expression on row i. stops: inside `walk`, where it may fault and marks are enough."""
        depth = 3 if stops else 2
        lines = [_inlined(self.texts.elapsed[number], depth)]
        if stops:
            lines.append(_indented(("if (fault >= 0) {", "    break;", "}"), depth))
        lines.append(_indented(("if (decision) {", f"    mark{number} = i;", "}"), depth))
        if not stops:
            value = f"mark{number} >= 0 ? (double)(i - mark{number}) : 0.0"
            lines.append(_indented((f"elapsed[{len(self.texts.elapsed)} * (whole)i + {number}] = {value};",), depth))
        return "\n".join(lines)

    def names(self) -> str:
        """What the texts read of the session and the candidate: loaded where it is read, so that few registers are held."""
        sites = self.texts.sites
        n_texts, n_windows = max(1, len(sites.texts)), max(1, len(sites.windows))
        lines = [f"#define y{number} (tests[{n_texts} * s + {number}])" for number in sites.texts.values()]
        for number in sites.windows.values():
            column, needed, fault, loaded = (f"my_windows[LOT * {part * n_windows + number}]" for part in range(4))
            lines.append(f"#define w{number} ({column})")
            lines.append(f"#define m{number} ({needed})")
            lines.append(f"#define q{number} ({fault})")
            lines.append(f"#define l{number} ({loaded} != 0)")
        for place, index in enumerate(sorted(sites.variables)):
            lines.append(f"#define p{index} (my_params[LOT * {place}])")
            lines.append(f"#define f{index} (my_floats[LOT * {place}])")
        return "\n".join(lines)


def _inlined(text: EmittedText, depth: int) -> str:
    """A text in a scope of its own, left by `break` wherever it faults; sets `decision`."""
    translator = TextTranslator()
    translator.lines(text.declarations)
    body = translator.lines(text.lines, 2)
    declared = [f"    {kind} {name} = {_START[kind]};" for name, kind in translator.variables.items()]
    decision = f"    decision = {translator.truth(text.decision)};"
    return _indented(("{", *declared, "    do {", *body, "    } while (false);", decision, "}"), depth)


_START = {"bool": "false", "whole": "0", "double": "0.0"}


def _signature(arguments: Iterable[tuple[str, str]]) -> str:
    restrict = {True: "__restrict__ ", False: " "}
    return ", ".join(f"{kind}{restrict[kind.endswith('*')]}{name}" for name, kind in arguments)


def _marks(count: int) -> str:
    return ", ".join(f"mark{k} = -1" for k in range(count))


def _indented(lines: Iterable[str], depth: int) -> str:
    return "\n".join("    " * depth + line for line in lines)
