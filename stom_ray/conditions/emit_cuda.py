"""A strategy as CUDA C: one thread a (session, candidate), both texts inlined into its walk over the session's rows.

The texts are the CPU kernel's, printed as C (`emit_cuda_text`); the kernels around them are sections of emit_cuda_kernels.cuh.
Neighbouring threads are neighbouring candidates of the same session: they read the same rows (one broadcast) and parameters
side by side. Rows on which no candidate can buy are skipped by the `following` table.

- `walk`: looks for an entry or holds, one row a turn, so that threads of a warp in different states do not wait for each
  other's whole holding times. Runs every strategy.
- `fill_outcomes`, `walk_outcomes`: where a sale depends on the entry's row and on what the sell text reads of the parameters
  alone, what becomes of every possible entry is worked out once, and the walk looks it up.
- `fill_elapsed`: elapsed-tick expressions that every candidate shares.

There are two sources. In one, walks record trades and counts. In the other, walks of the same decisions add up what each trade
earned, by atomics on whole numbers, and outcomes hold the result itself: `walk_sums`, `fill_outcomes_sums`, `walk_outcomes_sums`.

The source is ASCII and needs no header but emit_cuda_runtime.cuh, which is put in front. It must be compiled without
contraction of products and sums (nvrtc -fmad=false, gcc -ffp-contract=off).
"""

from __future__ import annotations

import re
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
from stom_ray.conditions.passes import parameters_read
from stom_ray.conditions.traversal import expressions
from stom_ray.errors import ConfigError
from stom_ray.schema.windows import RAW_WINDOW

Arguments = tuple[tuple[str, str], ...]

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
CANDIDATE_ARGUMENTS = (
    *SESSION_ARGUMENTS,
    ("elapsed", "const double *"),  # as `fill_elapsed` left it
    ("entry", "const double *"),  # (n_rows, 2): shares and price of a buy on this row, price 0 where the book cannot fill
    ("costs", "const double *"),  # (n_sessions, 3): tax rate, fee rate, fee rounding
    ("params", "const double *"),  # (n_lots, len(variables), LOT)
    ("floats", "const bool *"),  # the same
    ("bid_levels", "whole"),
)
WALK_ARGUMENTS = (
    *CANDIDATE_ARGUMENTS,
    ("following", "const int *"),  # (n_rows,): the first row from here that may buy, or the session's last
    ("gates", "const whole *"),  # (n_candidates,)
    ("stopped", "const bool *"),  # (n_candidates,): not to be run
    ("candidate_from", "whole"),
    ("candidate_count", "whole"),
    ("faults", "unsigned long long *"),  # (n_candidates,), in and out: row << 32 | site of the first fault, NO_FAULT without
)
TRADE_ARGUMENTS = (
    ("capacity", "whole"),  # trades that fit
    ("places", "int *"),  # (capacity, 5), out: candidate, session, buy row, sell row, label; in no order
    ("prices", "whole *"),  # (capacity,), out: sell price, KRW
    ("count", "unsigned long long *"),  # (1,), in and out: trades, also those that did not fit
    ("zeros", "unsigned long long *"),  # (n_lots, n_zero_lines, LOT), in and out: counts
)
SUM_ARGUMENTS = (
    ("days", "const whole *"),  # (n_sessions,): number of the session's day
    ("n_candidates", "whole"),
    ("sums", "unsigned long long *"),  # (3 + n_days, n_candidates), in and out: trades, wins, seconds held, KRW by day
)
RECALL_ARGUMENTS = (
    ("open_numbers", "const int *"),  # (n_rows,): place among the open rows
    ("exits", "const int *"),  # (n_candidates,): combination of what the sell text reads
    ("n_exits", "whole"),
    ("outcomes", "const whole *"),  # as fill_outcomes left them
)
OUTCOME_ARGUMENTS = (
    *CANDIDATE_ARGUMENTS,
    ("open_rows", "const int *"),  # (n_open,): rows on which some candidate may buy
    ("open_sessions", "const int *"),  # (n_open,)
    ("exit_candidates", "const int *"),  # (n_exits,): a candidate with each combination
    ("n_exits", "whole"),
    ("outcome_from", "whole"),
    ("outcome_count", "whole"),
    # Out: (n_open, n_exits), label << 32 | sell row; for sums (n_open, n_exits, 2), seconds held << 32 | sell row, then profit.
    ("outcomes", "whole *"),
)
ARGUMENTS: dict[str, Arguments] = {
    "fill_elapsed": ELAPSED_ARGUMENTS,
    "walk": (*WALK_ARGUMENTS, *TRADE_ARGUMENTS),
    "fill_outcomes": OUTCOME_ARGUMENTS,
    "walk_outcomes": (*WALK_ARGUMENTS, *TRADE_ARGUMENTS, *RECALL_ARGUMENTS),
    "walk_sums": (*WALK_ARGUMENTS, *SUM_ARGUMENTS),
    "fill_outcomes_sums": OUTCOME_ARGUMENTS,
    "walk_outcomes_sums": (*WALK_ARGUMENTS, *SUM_ARGUMENTS, *RECALL_ARGUMENTS),
}
PLACE_FIELDS = 5


@dataclass(frozen=True)
class EmittedCuda:
    """source, sums_source: CUDA C that records trades, and that adds up what they earn (names of its walks end in `_sums`).

    Each has kernel `walk`, `fill_elapsed` when fills_elapsed, the two of outcomes when sold_by is not None. sites: what its
    numbers mean. variables: indices of `self.vars` that the kernels are given, in this order. sold_by: those that the sell text
    reads.
    """

    source: str
    sums_source: str
    sites: Sites
    fills_elapsed: bool
    variables: tuple[int, ...]
    sold_by: tuple[int, ...] | None


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
    kernels, adding = _Kernels(texts, sums=False), _Kernels(texts, sums=True)
    variables = tuple(sorted(texts.sites.variables))
    sold_by = tuple(sorted(parameters_read(strategy.sell))) if kernels.has_outcomes else None
    return EmittedCuda(kernels.source(), adding.source(), texts.sites, kernels.fills_elapsed, variables, sold_by)


def runtime_source() -> str:
    return _source("emit_cuda_runtime.cuh")


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
#define SALE_PRICE ((whole)(i >= last ? forced_sale_price(cols, n_columns, i, quantity, (int)bid_levels) \\
                                      : sale_price(&COLUMN(0, i), quantity, (int)bid_levels)))
"""


@dataclass(frozen=True)
class _Kernels:
    """The kernels of a strategy, put together from the sections of emit_cuda_kernels.cuh. sums: that add up, not record."""

    texts: StrategyTexts
    sums: bool

    @property
    def marks_inline(self) -> bool:
        """Whether the walk itself evaluates elapsed-tick expressions, because they depend on the candidate."""
        return bool(self.texts.elapsed) and self.texts.elapsed_per_candidate

    @property
    def has_outcomes(self) -> bool:
        """Whether a sale depends on nothing but the entry's row and the parameters, and neither faults nor counts."""
        sites = self.texts.sites
        counted = any(line.startswith("sell:") for line in sites.zero_lines)
        return not self.marks_inline and not counted and not any(site.text == "sell" for site in sites.faults)

    def source(self) -> str:
        kernels = [self.kernel("walk")]
        if self.fills_elapsed:
            kernels.append(self.fill_elapsed())
        if self.has_outcomes:
            kernels += [self.kernel("fill_outcomes"), self.kernel("walk_outcomes")]
        number = f"elapsed[{len(self.texts.elapsed)} * (whole)i + (number)]"
        mark = "mark##number >= 0 ? (double)(i - mark##number) : 0.0"
        elapsed = f"#define ELAPSED(number) ({mark if self.marks_inline else number})"
        count = "((void)0)" if self.sums else "atomicAdd(&my_zeros[LOT * (line)], 1ULL)"
        names = (self.names(), elapsed, f"#define COUNT_ZERO(line) {count}")
        return "\n".join((LAYOUT, runtime_source(), MACROS, *names, *kernels))

    @property
    def fills_elapsed(self) -> bool:
        return bool(self.texts.elapsed) and not self.marks_inline

    def kernel(self, section: str) -> str:
        """One that walks or holds."""
        texts, sites = self.texts, self.texts.sites
        name = f"{section}_sums" if self.sums else section
        candidate = _filled("candidate", n_windows=4 * max(1, len(sites.windows)), n_variables=max(1, len(sites.variables)))
        start = _filled(
            "start",
            nothing_to_do="" if self.marks_inline else " || start >= last || following[start] >= last",
            candidate=candidate,
            zeros="" if self.sums else _filled("zeros", n_zero_lines=max(1, len(sites.zero_lines))),
        )
        earn, add, record = _filled("earn"), _filled("add"), _filled("record")
        return _filled(
            section,
            name=name,
            threads=THREADS_PER_BLOCK,
            arguments=_signature(ARGUMENTS[name]),
            start=start,
            candidate=candidate,
            marks=f"int done = lo, {_marks(len(texts.elapsed))};" if self.marks_inline else "",
            advance=_filled("advance", texts=self.marking(stops=True)) if self.marks_inline else "",
            buy=_inlined(texts.buy),
            hold=_filled("hold", sell=_inlined(texts.sell)),
            sold=earn + add if self.sums else record,
            remember=_filled("remember_result", earn=earn) if self.sums else _filled("remember_sale"),
            recall=_filled("recall_result", add=add) if self.sums else _filled("recall_sale", record=record),
        )

    def fill_elapsed(self) -> str:
        return _filled(
            "fill_elapsed",
            threads=THREADS_PER_BLOCK,
            arguments=_signature(ARGUMENTS["fill_elapsed"]),
            marks=_marks(len(self.texts.elapsed)),
            texts=self.marking(stops=False),
        )

    def marking(self, stops: bool) -> str:
        """The elapsed-tick expressions on row i. stops: inside `walk`, where one may fault and marks are enough."""
        lines = []
        for number, text in enumerate(self.texts.elapsed):
            lines.append(_inlined(text))
            if stops:
                lines.append("if (fault >= 0) {\n    break;\n}")
            lines.append(f"if (decision) {{\n    mark{number} = i;\n}}")
            if not stops:
                value = f"mark{number} >= 0 ? (double)(i - mark{number}) : 0.0"
                lines.append(f"elapsed[{len(self.texts.elapsed)} * (whole)i + {number}] = {value};")
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


def _inlined(text: EmittedText) -> str:
    """A text in a scope of its own, left by `break` wherever it faults; sets `decision`."""
    translator = TextTranslator()
    translator.lines(text.declarations)
    body = translator.lines(text.lines, 2)
    declared = [f"    {kind} {name} = {_START[kind]};" for name, kind in translator.variables.items()]
    decision = f"    decision = {translator.truth(text.decision)};"
    return "\n".join(("{", *declared, "    do {", *body, "    } while (false);", decision, "}"))


_START = {"bool": "false", "whole": "0", "double": "0.0"}


def _signature(arguments: Arguments) -> str:
    restrict = {True: "__restrict__ ", False: " "}
    return ", ".join(f"{kind}{restrict[kind.endswith('*')]}{name}" for name, kind in arguments)


def _marks(count: int) -> str:
    return ", ".join(f"mark{k} = -1" for k in range(count))


@cache
def _sections() -> dict[str, str]:
    _, *sections = _source("emit_cuda_kernels.cuh").split("\n//// ")
    return {name: body.strip("\n") for name, body in (section.split("\n", 1) for section in sections)}


def _filled(section: str, **parts: str | int) -> str:
    """A section with its parts in their places; a part that has a line of its own is indented as that line is."""
    lines = []
    for line in _sections()[section].splitlines():
        marked = _MARK.fullmatch(line.strip())
        if marked:
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + inner if inner else "" for inner in str(parts[marked[1]]).splitlines()]
        else:
            lines.append(_MARK.sub(lambda mark: str(parts[mark[1]]), line))
    return "\n".join(lines) + "\n"


_MARK = re.compile(r"@(\w+)@")


@cache
def _source(name: str) -> str:
    return files("stom_ray.conditions").joinpath(name).read_text(encoding="ascii")
