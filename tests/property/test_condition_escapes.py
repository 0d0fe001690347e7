"""Scripts can do nothing but compute: a corpus of escapes under an audit hook (design/reliability.md, 9)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stom_ray.conditions.compile import compile_conditions, compile_strategy
from stom_ray.conditions.ranges import parse_ranges
from stom_ray.errors import ConditionError, RangeError

WATCHED = (
    "open",
    "exec",
    "compile",
    "import",
    "socket.",
    "subprocess.",
    "os.",
    "ctypes.",
    "pty.",
    "shutil.",
    "code.",
    "pickle.",
    "marshal.",
)

EXPRESSIONS = (
    "__import__('os').system('id')",
    "__import__('os')",
    "__builtins__",
    "__builtins__['eval']('1')",
    "eval('1')",
    "exec('1')",
    "compile('1', '', 'eval')",
    "open('/etc/passwd')",
    "open('/etc/passwd').read()",
    "().__class__.__bases__[0].__subclasses__()",
    "''.__class__.__mro__[1]",
    "(1).__class__",
    "[].__class__.__base__",
    "{}.__class__",
    "현재가.__class__",
    "현재가.__init__.__globals__",
    "max.__self__",
    "max.__globals__['os']",
    "now.__globals__",
    "now().__class__",
    "now().__reduce__()",
    "self.__class__",
    "self.__dict__",
    "self.vars.__class__",
    "self.vars[0].__class__",
    "self.vars[__import__('os')]",
    "self.vars[-1]",
    "self.vars[1:2]",
    "self.vars['a']",
    "self.vars[0][2]",
    "self.vars[현재가]",
    "getattr(self, 'x')",
    "setattr(self, 'x', 1)",
    "vars()",
    "globals()",
    "locals()",
    "dir()",
    "type('x', (), {})",
    "type(1)",
    "object()",
    "super()",
    "lambda: 1",
    "(lambda: 1)()",
    "[x for x in (1,)]",
    "(x for x in (1,))",
    "{x: 1 for x in (1,)}",
    "{1, 2}",
    "{'a': 1}",
    "f'{1}'",
    "f'{__import__(\"os\")}'",
    "b'abc'",
    "r'abc'",
    "u'abc'",
    "'a' 'b'",
    "'%s' % 1",
    "'{}'.format(1)",
    "'a'.join([])",
    "str(1)",
    "chr(1)",
    "bytes(9)",
    "range(10)",
    "list()",
    "dict()",
    "set()",
    "tuple()",
    "sum([1])",
    "len([1])",
    "sorted([1])",
    "map(int, [1])",
    "iter([1])",
    "next(1)",
    "input()",
    "print(1)",
    "help()",
    "breakpoint()",
    "exit()",
    "quit()",
    "memoryview(1)",
    "id(1)",
    "hash(1)",
    "repr(1)",
    "isinstance(1, 1)",
    "(x := 1)",
    "x := 1",
    "await 1",
    "yield 1",
    "yield",
    "*현재가",
    "**현재가",
    "max(*[1, 2])",
    "max(**{})",
    "max(a=1)",
    "max(key=eval)",
    "int('1')",
    "int('9' * 9)",
    "float('nan')",
    "float('inf')",
    "round('1')",
    "1 @ 2",
    "1 & 2",
    "1 | 2",
    "1 ^ 2",
    "~1",
    "1 << 99999999",
    "1 >> 1",
    "9 ** 9 ** 9 ** 9",
    "10 ** 999999999",
    "1e999",
    "1j",
    "0b1",
    "0o7",
    "0xff",
    "...",
    "None",
    "NotImplemented",
    "__debug__",
    "__name__",
    "__file__",
    "__loader__",
    "__spec__",
    "_",
    "현재가 is 현재가",
    "현재가 if 1",
    "numpy.load('x')",
    "np.load('x')",
    "os.system('id')",
    "sys.exit()",
    "pickle.loads(1)",
    "subprocess.run('id')",
    "socket.socket()",
    "importlib.import_module('os')",
    "경과틱수(__import__('os'))",
    "경과틱수('a' + 'b')",
    "경과틱수(f'a')",
    "timedelta_sec(eval('1'))",
    "timedelta_sec(1, eval('1')) > now()",
    "(eval('1') - now()).total_seconds()",
    "(now() - VI해제시간).__class__",
    "(now() - VI해제시간).total_seconds",
    "now().strftime('%H')",
    "이동평균(eval('1'))",
    "이동평균(30)(eval('1'))",
    "이동평균.__call__(30)",
    "현재가N(eval('1'))",
    "현재가N.__call__(1)",
    "종목명.__class__",
    "종목명.encode()",
    "종목명[0]",
    "종목명 + 'x'",
    "종목코드 == eval('1')",
    "종목코드 in [eval('1')]",
    "종목코드 in open('x')",
)

STATEMENTS = (
    "import os",
    "from os import system",
    "import os as 현재가",
    "def f(): pass",
    "class A: pass",
    "async def f(): pass",
    "@eval\n매수 = 1",
    "for i in range(9): pass",
    "while True: pass",
    "while 1:\n    매수 = 1",
    "with open('x') as f: pass",
    "try:\n    매수 = 1\nexcept: pass",
    "try:\n    매수 = 1\nfinally:\n    매수 = 2",
    "raise ValueError",
    "assert 0",
    "del 매수",
    "global 매수",
    "nonlocal 매수",
    "return 1",
    "break",
    "continue",
    "match 매수:\n    case 1: pass",
    "매수: int = 1",
    "매수, 매도 = 1, 2",
    "[매수] = 1",
    "매수 = 매도 = 1",
    "self.x = 1",
    "self.vars = 1",
    "self.vars[0] = 1",
    "self.Buy = 1",
    "self.Buy()",
    "self.__class__ = 1",
    "self.indicator = 1",
    "self.indicator[0] = 1",
    "self.indicator['a'] = eval('1')",
    "self.indicator[eval('1')] = 1",
    "매수.x = 1",
    "매수[0] = 1",
    "매수 = 1; import os",
    "exec('1')",
    "eval('1')",
    "__import__('os')",
    "print(1)",
    "\\\nimport os",
    "(\nimport os)",
    "매수 = 1 if 1 else import os",
    "# coding: rot13\nimport os",
    "매수 = 1\n\x0cimport os",
    "매수 = 1\rimport os",
    "\ufeff\ufeffimport os",
    "ｉｍｐｏｒｔ os",
    "매수 = ｅｖａｌ('1')",
    "매수 = 𝐞𝐯𝐚𝐥('1')",
)

WRAPPED = ("매수 = {}", "if {}:\n    매수 = True", "매수 = max(1, {})", "매수 = 현재가 > 1 and ({})")
RANGES = ("self.vars[0] = {}", "self.vars[0] = [[{}, 2, 1], 1]", "self.vars[0] = [[1, 2, 1], {}]", "{}")
# Plain arithmetic that is only large: it stays in the IR as written, nobody computes it here.
LARGE = ("9 ** 9 ** 9 ** 9", "10 ** 999999999")

events: list[tuple[str, object]] | None = None


def record(event: str, args: object) -> None:
    if events is not None and event.startswith(WATCHED):
        events.append((event, args))


@contextmanager
def watched() -> Iterator[list[tuple[str, object]]]:
    """Audit events of what runs inside. A hook cannot be removed, so it stays and listens only here."""
    global events
    if not getattr(sys, "_stom_ray_hooked", False):
        sys.addaudithook(record)
    sys._stom_ray_hooked = True  # type: ignore[attr-defined]
    events = found = []
    try:
        yield found
    finally:
        events = None


def refusal(text: str) -> ConditionError | None:
    try:
        compile_strategy(text, "매도 = True")
    except ConditionError as error:
        return error
    return None


def test_the_hook_hears_what_it_watches_for() -> None:
    with watched() as found:
        compile("1", "x", "eval")
    assert [event for event, _ in found] == ["compile"]


def test_the_corpus_is_large_enough() -> None:
    assert len(EXPRESSIONS) + len(STATEMENTS) > 150


@pytest.mark.parametrize("text", STATEMENTS)
def test_an_escaping_statement_is_refused_and_nothing_happens(text: str) -> None:
    refusal(text)
    with watched() as found:
        error = refusal(text)
    assert error is not None
    assert "line " in str(error)
    assert found == []


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_escaping_expression_computes_nothing_else(text: str) -> None:
    scripts = [wrapped.format(text) for wrapped in WRAPPED]
    for script in scripts:
        refusal(script)
    with watched() as found:
        errors = [refusal(script) for script in scripts]
        for lines in ([text], ["현재가 > 1", text]):
            with pytest.raises(ConditionError) if errors[0] else watched_nothing():
                compile_conditions(lines, [])
        with pytest.raises(ConditionError) if errors[0] else watched_nothing():
            compile_strategy("매수 = True", "매도 = True", elapsed=f"a;{text}")
    assert found == []
    if text in LARGE:
        assert errors == [None] * len(WRAPPED)
    else:
        assert all(error is not None for error in errors)


@contextmanager
def watched_nothing() -> Iterator[None]:
    yield


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_escape_in_a_range_is_refused_and_only_literals_are_parsed(text: str) -> None:
    with watched() as found:
        for wrapped in RANGES:
            with pytest.raises(RangeError):
                parse_ranges(wrapped.format(text))
    assert all(event == "compile" and isinstance(args, tuple) and args[1] == "<unknown>" for event, args in found)
    assert found == [] or text == "1e999"


def test_a_proper_range_raises_only_the_event_of_parsing_a_literal() -> None:
    parse_ranges("self.vars[0] = [[1, 2, 1], 1]")
    with watched() as found:
        parse_ranges("self.vars[0] = [[1, 2, 1], 1]")
    assert [event for event, _ in found] == ["compile"]
