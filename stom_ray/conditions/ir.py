"""The intermediate representation: what a condition script means, as a closed grammar of frozen dataclasses.

A script becomes one `Program`. The reference interpreter (`interpreter.py`) walks it with Python's own operators on
numpy and Python scalars and is the definition of meaning; every emitter is tested against it.

Meaning, in one place
- A *tick* number is what STOM reads from its numpy table: it divides like IEEE and rounds like `np.round`. A *plain*
  number is a Python int, float or bool: division by zero raises, `round(x, n)` is the correctly rounded decimal. An operation is
  plain only when all its operands are. Which one a value is can depend on the row (a look-back without history is the plain 0).
- Short-circuit and statement order are part of the meaning.
- A temporary lives for one row; reading one that this row has not set is a `ScriptRuntimeError`.
- Names are NFKC-normalised; `at` is where the node came from in the user's text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the user's text: 1-based line, 0-based character columns [start, end)."""

    line: int
    start: int
    end: int


NOWHERE = Span(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Const:
    """A literal. int and float stay apart: a float is no window length."""

    value: bool | int | float | str
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the current row (tick number). VI해제시간 is a `Moment`, never a `Column`."""

    name: str
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Lag:
    """`NAMEN(pre)`: pre rows earlier if pre < 데이터길이, else plain 0; pre -1 (sell text) is the buy row."""

    name: str
    pre: Expr
    at: Span = field(default=NOWHERE, compare=False)


# Names that are no columns of the table. Plain: 데이터길이 시분초 매수틱번호 보유수량 (int), 수익률 최고수익률 최저수익률
# 보유시간 수익금 (float). 호가단위: layout v1 = 매도호가2 - 매도호가1 (tick), v2 = ladder unit (plain int).
# VI아래5호가, 순매수금액: tick.
STATE_NAMES_BUY = ("데이터길이", "시분초", "호가단위", "VI아래5호가", "순매수금액")
STATE_NAMES_SELL = ("수익률", "최고수익률", "최저수익률", "보유시간", "매수틱번호", "보유수량", "수익금")
TEXT_NAMES = ("종목코드", "종목명")  # appear only inside TextTest


@dataclass(frozen=True, slots=True)
class State:
    """One of STATE_NAMES_* : computed by the loop for this row."""

    name: str
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Temp:
    """A temporary of the script; 매수 and 매도 are temporaries that the loop sets before the text runs."""

    name: str
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Var:
    """`self.vars[index]`; `subscripted` when written `self.vars[i][1]` (raises in `stom` when reached)."""

    index: int
    subscripted: bool = False
    at: Span = field(default=NOWHERE, compare=False)


WINDOW_FUNCTIONS = (
    "이동평균",
    "최고현재가",
    "최저현재가",
    "체결강도평균",
    "최고체결강도",
    "최저체결강도",
    "최고초당매수수량",
    "최고초당매도수량",
    "누적초당매수수량",
    "누적초당매도수량",
    "초당거래대금평균",
    "등락율각도",
    "당일거래대금각도",
    "전일비각도",
)


@dataclass(frozen=True, slots=True)
class Window:
    """`FUNCTION(length, pre=0)` of WINDOW_FUNCTIONS, as spec/engine.md §4 says."""

    function: str
    length: Expr
    pre: Expr
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Elapsed:
    """`경과틱수('name')`: rows since the named expression was last true today, plain int, 0 if never or unknown."""

    name: str
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    op: Literal["-", "+", "not"]
    operand: Expr
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    op: Literal["+", "-", "*", "/", "//", "%", "**"]
    left: Expr
    right: Expr
    at: Span = field(default=NOWHERE, compare=False)


CompareOp = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True, slots=True)
class Compare:
    """A chained comparison of numbers or of moments: first op0 operands[0] op1 operands[1] ..., short-circuit."""

    first: Expr
    rest: tuple[tuple[CompareOp, Expr], ...]
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class TextTest:
    """종목코드/종목명 ==, !=, in, not in literal strings (== has one choice)."""

    name: str
    choices: tuple[str, ...]
    negated: bool = False
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Logic:
    """`and` / `or` of two or more; the value is that of the deciding operand, as in Python."""

    op: Literal["and", "or"]
    operands: tuple[Expr, ...]
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Choose:
    """`then if test else orelse`."""

    test: Expr
    then: Expr
    orelse: Expr
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """int(x) float(x) abs(x) round(x[, n]) min(a, b, ...) max(a, b, ...)."""

    function: Literal["int", "float", "abs", "round", "min", "max"]
    arguments: tuple[Expr, ...]
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Moment:
    """A datetime: base `now` (the row's second) or `vi` (VI해제시간), plus `shift_s` seconds (timedelta_sec)."""

    base: Literal["now", "vi"]
    shift_s: Expr | None = None
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class SecondsBetween:
    """`(later - earlier).total_seconds()`: plain float, may be negative."""

    later: Moment
    earlier: Moment
    at: Span = field(default=NOWHERE, compare=False)


Expr = (
    Const | Column | Lag | State | Temp | Var | Window | Elapsed | Unary | Binary | Compare | TextTest | Logic | Choose
    | Call | Moment | SecondsBetween
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assign:
    """`name = value`; augmented forms arrive as Binary on the Temp."""

    name: str
    value: Expr
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class If:
    """elif chains arrive nested in `orelse`."""

    test: Expr
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...] = ()
    at: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class SetLabel:
    """Remembers which sell reason (1-based) applies to this row; the last one reached before selling counts, 0 = none."""

    number: int
    at: Span = field(default=NOWHERE, compare=False)


Stmt = Assign | If | SetLabel


@dataclass(frozen=True, slots=True)
class Program:
    """One compiled text.

    kind `buy`: 매수 starts True; decision = truth of 매수 after the body. kind `sell`: 매도 starts False. kind `expr`: one
    `Assign("값", expr)`; decision = truth of 값 (elapsed-tick expressions).
    """

    kind: Literal["buy", "sell", "expr"]
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Strategy:
    """Everything the engine needs of a user's scripts.

    labels: labels[n] is the text of sell reason n; labels[0] = 전략종료청산. elapsed: (name, program) in the settings' order.
    n_vars: 1 + the highest `self.vars` index read, 0 if none. warnings: rendered texts, for the user.
    """

    buy: Program
    sell: Program
    labels: tuple[str, ...]
    elapsed: tuple[tuple[str, Program], ...] = ()
    n_vars: int = 0
    profile: Literal["stom", "corrected"] = "corrected"
    warnings: tuple[str, ...] = ()
    buy_text: str = ""
    sell_text: str = ""
