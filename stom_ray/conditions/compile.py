"""Scripts in, `Strategy` out: the one door to the compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from stom_ray.conditions import ir, labels, syntax
from stom_ray.conditions.diagnostics import ScriptError, Warnings
from stom_ray.conditions.expressions import parse_expression
from stom_ray.conditions.lower import Context, Lowering
from stom_ray.conditions.names import Side, name_table
from stom_ray.conditions.parser import MAX_BRANCHES, parse_script
from stom_ray.conditions.passes import parameters_read, run_passes
from stom_ray.conditions.text import Source, cut_at_trailer, read_source
from stom_ray.conditions.verifier import unset_reads, verify_strategy
from stom_ray.errors import ConfigError
from stom_ray.schema.columns import LAYOUTS

Profile = Literal["stom", "corrected"]
PROFILES = ("corrected", "stom")
EXPRESSION_RESULT = "값"


def compile_strategy(
    buy: str | bytes, sell: str | bytes, *, profile: str = "corrected", elapsed: str | bytes = "", layout: str = "tick_v1"
) -> ir.Strategy:
    """Compiles a buy and a sell text.

    profile: "corrected", or "stom" with STOM's quirks. elapsed: elapsed-tick expressions `name1;name2;expr1;expr2`. layout:
    the database's, decides which names exist. Raises ConditionError with line and column; ConfigError for an unknown profile
    or layout. Warnings are rendered in the result.
    """
    check_options(profile, layout)
    warnings = Warnings()
    programs = compile_elapsed(elapsed, profile, layout, warnings)
    names = frozenset(name for name, _ in programs)
    buy_source = read_source(buy, "buy text")
    sell_source = read_source(sell, "sell text")
    bought = cut_at_trailer(buy_source, "매수", "Buy", profile, warnings)
    sold = cut_at_trailer(sell_source, "매도", "Sell", profile, warnings)
    reasons = labels.sell_reasons(sold)
    buy_program = compile_text(Context(bought, name_table(layout, "buy"), profile, names, warnings), "buy")
    sell_program = compile_text(Context(sold, name_table(layout, "sell"), profile, names, warnings, reasons), "sell")
    return assemble(
        buy_program, sell_program, reasons.labels, programs, profile, warnings, buy_source.raw_text(), sell_source.raw_text()
    )


def compile_conditions(
    buy_lines: list[str], sell_lines: list[str], *, profile: str = "corrected", layout: str = "tick_v1", elapsed: str | bytes = ""
) -> ir.Strategy:
    """Compiles one pair of condition subsets: buy lines exclude (`if/elif c: 매수 = False`), sell lines trigger.

    A line is one expression. Spans and errors name the line's place in its list; labels are STOM's, `if c:` and `elif c:`.
    """
    check_options(profile, layout)
    warnings = Warnings()
    programs = compile_elapsed(elapsed, profile, layout, warnings)
    names = frozenset(name for name, _ in programs)

    def context(side: Side) -> Callable[[Source], Context]:
        return lambda source: Context(source, name_table(layout, side), profile, names, warnings)

    buy_body = condition_chain(buy_lines, "buy", context("buy"))
    sell_body = condition_chain(sell_lines, "sell", context("sell"))
    if not sell_lines:
        warnings.add("sell conditions: there is no line, so a position is held until the day's last row")
    headers = condition_headers(sell_lines)
    return assemble(
        run_passes(ir.Program("buy", buy_body)),
        run_passes(ir.Program("sell", sell_body)),
        (labels.FORCED_SALE, *headers),
        programs,
        profile,
        warnings,
        condition_text("매수", "False", buy_lines),
        condition_text("매도", "True", sell_lines),
    )


def check_options(profile: str, layout: str) -> None:
    if profile not in PROFILES:
        raise ConfigError(f"profile is {profile!r}: expected one of {', '.join(PROFILES)}")
    if layout not in LAYOUTS:
        raise ConfigError(f"layout is {layout!r}: expected one of {', '.join(sorted(LAYOUTS))}")


def compile_text(context: Context, kind: Literal["buy", "sell"]) -> ir.Program:
    statements = parse_script(context.source)
    decision = "매수" if kind == "buy" else "매도"
    lowering = Lowering(context, statements)
    body = lowering.suite(statements)
    if context.reasons and context.profile == "stom":
        labels.refuse_stray_reasons(context.source, context.reasons, lowering.sales)
    if decision not in lowering.temporaries:
        always = "every row buys" if kind == "buy" else "nothing sells before the day's last row"
        context.warnings.add(f"{context.source.role}: `{decision}` is never set, so {always}")
    program = run_passes(ir.Program(kind, body))
    for temporary in unset_reads(program):
        message = f"`{temporary.name}` is not set on every way to this line; a row that reads it unset stops the run"
        context.warnings.at(context.source, temporary.at, message, f"set `{temporary.name} = ...` before the first `if`")
    return program


def compile_one_expression(context: Context) -> ir.Expr:
    node: syntax.Node = parse_expression(context.source)
    return Lowering(context).number(node)


def compile_elapsed(settings: str | bytes, profile: str, layout: str, warnings: Warnings) -> tuple[tuple[str, ir.Program], ...]:
    """`name1;name2;expr1;expr2` -> programs of kind `expr` in the settings' order."""
    source = read_source(settings, "elapsed-tick settings")
    if not source.raw_text().strip():
        return ()
    whole = " ".join(source.raw_lines)
    source = Source(source.role, (whole,), (" ".join(source.lines),))
    parts = split_settings(source)
    half = len(parts) // 2
    end = ir.Span(1, 0, len(whole))
    if len(parts) % 2:
        raise ScriptError.at(
            source, end, f"{len(parts)} parts between `;`", "write as many names as expressions: `a;b;expr;expr`"
        )
    named: list[tuple[str, ir.Program]] = []
    table = name_table(layout, "expr")
    for (name_start, name), (start, text) in zip(parts[:half], parts[half:], strict=True):
        name = name.strip()
        at = ir.Span(1, name_start, name_start + max(1, len(name)))
        if not name or name in (known for known, _ in named):
            raise ScriptError.at(
                source, at, "an elapsed-tick expression without a name" if not name else f"the name `{name}` is used twice"
            )
        padded = " " * start + text
        part = Source(f"elapsed-tick expression `{name}`", (padded,), (padded,), shown=source.lines)
        value = compile_one_expression(Context(part, table, profile, frozenset(), warnings))
        named.append((name, run_passes(ir.Program("expr", (ir.Assign(EXPRESSION_RESULT, value, value.at),)))))
    return tuple(named)


def split_settings(source: Source) -> list[tuple[int, str]]:
    """(start column, text) of each part between semicolons."""
    parts: list[tuple[int, str]] = []
    start = 0
    for part in source.lines[0].split(";"):
        parts.append((start, part))
        start += len(part) + 1
    return parts


def condition_chain(lines: list[str], side: Literal["buy", "sell"], context: Callable[[Source], Context]) -> tuple[ir.Stmt, ...]:
    """`if/elif line: decision = ...` over the lines, each compiled as one expression at its place in the list."""
    if len(lines) > MAX_BRANCHES:
        raise ScriptError.too_large(f"{side} conditions", f"{len(lines):,} lines, more than {MAX_BRANCHES}")
    arms: list[ir.If] = []
    for number, line in enumerate(lines, 1):
        read = read_source(line, f"{side} condition")
        source = Source(read.role, read.raw_lines, read.lines, first_line=number)
        at = ir.Span(number, 0, len(line))
        if len(read.lines) > 1:
            raise ScriptError.at(source, at, "a condition is one line", "give each line as a condition of its own")
        if not line.strip():
            raise ScriptError.at(source, at, "an empty condition", "delete the line")
        test = compile_one_expression(context(source))
        decision = ir.Assign("매수", ir.Const(False, at), at) if side == "buy" else ir.Assign("매도", ir.Const(True, at), at)
        then: tuple[ir.Stmt, ...] = (decision,) if side == "buy" else (ir.SetLabel(number, at), decision)
        arms.append(ir.If(test, then, (), at))
    chain: tuple[ir.Stmt, ...] = ()
    for arm in reversed(arms):
        chain = (ir.If(arm.test, arm.then, chain, arm.at),)
    return chain


def condition_headers(lines: list[str]) -> tuple[str, ...]:
    return tuple(f"{'elif' if number else 'if'} {line}:" for number, line in enumerate(lines))


def condition_text(decision: str, value: str, lines: list[str]) -> str:
    """The script STOM would assemble from the lines, for reports."""
    start = "매수 = True" if decision == "매수" else "매도 = False"
    body = [text for header in condition_headers(lines) for text in (header, f"    {decision} = {value}")]
    return "\n".join((start, *body))


def assemble(
    buy: ir.Program,
    sell: ir.Program,
    reasons: tuple[str, ...],
    elapsed: tuple[tuple[str, ir.Program], ...],
    profile: str,
    warnings: Warnings,
    buy_text: str,
    sell_text: str,
) -> ir.Strategy:
    """The finished strategy, verified as a whole."""
    indices = parameters_read(buy, sell, *(program for _, program in elapsed))
    strategy = ir.Strategy(
        buy=buy,
        sell=sell,
        labels=reasons,
        elapsed=elapsed,
        n_vars=max(indices) + 1 if indices else 0,
        profile=cast(Profile, profile),
        warnings=warnings.texts,
        buy_text=buy_text,
        sell_text=sell_text,
    )
    verify_strategy(strategy)
    return strategy
