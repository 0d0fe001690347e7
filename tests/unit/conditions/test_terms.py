"""Buy texts as terms and sell texts as reasons, printed."""

import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.printer import print_expr
from stom_ray.conditions.terms import NotCut, buy_terms, sell_terms, structural

HOLD = "매도 = 보유시간 > 60"


def strategy_of(buy="매수 = True", sell=HOLD, **options):
    return compile_strategy(buy, sell, **options)


def bought(text, bound=(), **options):
    """The terms of a buy text, a line each."""
    terms = buy_terms(strategy_of(buy=text, **options).buy, frozenset(bound))
    assert not isinstance(terms, NotCut), terms.reason
    lines = [f"gate {print_expr(gate)}" for gate in terms.gates]
    for term in terms.thresholds:
        text = f"[{print_expr(term.left)}] {term.op} {mark(term, term.right)}"
        unless = "".join(f" unless {print_expr(guard)}" for guard in term.unless)
        lines.append(f"{'not ' if term.negated else ''}{text}{unless}")
    return [*lines, *(f"other {print_expr(other)}" for other in terms.others)]


def mark(term, right):
    scale = "" if term.scale is None else f"[{print_expr(term.scale)}] * "
    offset = "" if term.offset is None else f" + [{print_expr(term.offset)}]"
    return f"{scale}[{print_expr(right)}]{offset}"


def sold(text, ratio=False, bound=(), **options):
    """The reasons of a sell text, a line each: label, then the atoms."""
    terms = sell_terms(strategy_of(sell=text, **options).sell, frozenset(bound), ratio=ratio)
    assert not isinstance(terms, NotCut), terms.reason
    return [f"{reason.label}: {' & '.join(map(shown, reason.atoms))}" for reason in terms.reasons]


def shown(atom):
    quantity = atom.quantity if atom.row is None else f"[{print_expr(atom.row)}]"
    sign, order = "-" if atom.sign < 0 else "", ">" if atom.strict else ">="
    value = print_expr(atom.value) if atom.scale is None and atom.offset is None else mark(atom, atom.value)
    return f"{sign}{quantity} {order} {value}{' or nan' if atom.passes_nan else ''}"


def buy_problem(text, **options):
    terms = buy_terms(strategy_of(buy=text, **options).buy)
    assert isinstance(terms, NotCut)
    return terms.reason


def sell_problem(text, **options):
    terms = sell_terms(strategy_of(sell=text, **options).sell)
    assert isinstance(terms, NotCut)
    return terms.reason


class TestBuyText:
    def test_a_chain_of_exclusions_is_a_conjunction(self):
        text = """매수 = True
if not (90100 <= 시분초 < 92500):
    매수 = False
elif not (체결강도 > self.vars[1] and 등락율각도(30) >= self.vars[2]):
    매수 = False
elif 라운드피겨위5호가이내 or 등락율 > self.vars[3]:
    매수 = False
if 매수:
    self.Buy()"""
        assert bought(text) == [
            "gate 90100 <= 시분초",
            "gate 시분초 < 92500",
            "gate not 라운드피겨위5호가이내",
            "[체결강도] > [self.vars[1]]",
            "[등락율각도(30)] >= [self.vars[2]]",
            "not [등락율] > [self.vars[3]]",
        ]

    @pytest.mark.parametrize(
        ("condition", "terms"),
        [
            ("self.vars[1] < 체결강도", ["[체결강도] > [self.vars[1]]"]),
            ("self.vars[1] < 체결강도 <= self.vars[2]", ["[체결강도] > [self.vars[1]]", "[체결강도] <= [self.vars[2]]"]),
            ("체결강도 / 회전율 > 1 + self.vars[1] / 100", ["[체결강도 / 회전율] > [1 + self.vars[1] / 100]"]),
            ("체결강도 == self.vars[1]", ["[체결강도] >= [self.vars[1]]", "[체결강도] <= [self.vars[1]]"]),
            ("3 < self.vars[1]", ["[3] < [self.vars[1]]"]),
            ("self.vars[1] > self.vars[2]", ["[1] >= [1 if self.vars[1] > self.vars[2] else 2]"]),
            ("체결강도 > 100", ["gate 체결강도 > 100"]),
            ("not (체결강도 != 100)", ["gate not 체결강도 != 100"]),
            ("관심종목", ["gate not not 관심종목"]),
            ("True", []),
            ("False", ["gate False"]),
        ],
    )
    def test_a_comparison_of_the_row_with_parameters_is_a_threshold_either_way_round(self, condition, terms):
        assert bought(f"매수 = {condition}") == terms

    @pytest.mark.parametrize(
        ("condition", "term"),
        [
            ("현재가 > 시가 * (1 + self.vars[1] / 100)", "[현재가] > [시가] * [1 + self.vars[1] / 100]"),
            ("not 현재가 > 시가 * self.vars[1]", "not [현재가] > [시가] * [self.vars[1]]"),
            ("현재가 > self.vars[1] * 시가", "[현재가] > [시가] * [self.vars[1]]"),
            ("시가 * 0.5 * self.vars[1] <= 현재가", "[현재가] >= [시가 * 0.5] * [self.vars[1]]"),
            ("체결강도 > 회전율 + self.vars[1]", "[체결강도] > [self.vars[1]] + [회전율]"),
            ("체결강도 > 회전율 - self.vars[1] / 2", "[체결강도] > [-(self.vars[1] / 2)] + [회전율]"),
            ("체결강도 > self.vars[1] - 회전율", "[체결강도] > [self.vars[1]] + [-회전율]"),
            ("현재가 - 시가 * self.vars[1] >= 0", "[0] <= [시가] * [-self.vars[1]] + [현재가]"),
            ("현재가 < self.vars[1] * 시가 + 10", "[현재가] < [시가] * [self.vars[1]] + [10]"),
            ("현재가 < self.vars[1] * 시가 - 10", "[현재가] < [시가] * [self.vars[1]] + [-10]"),
        ],
    )
    def test_a_product_of_row_and_parameters_stays_one_product(self, condition, term):
        assert bought(f"매수 = {condition}") == [term]

    @pytest.mark.parametrize(
        "condition",
        [
            "체결강도 > 체결강도평균(30) + self.vars[1] + 1",
            "현재가 > 시가 * self.vars[1] * self.vars[2] + 1",
            "체결강도 * self.vars[1] > 회전율 * self.vars[2]",
            "체결강도 != self.vars[1]",
            "체결강도 > self.vars[1] or 회전율 > self.vars[2]",
            "round(체결강도, 1) % self.vars[1] == 0",
        ],
    )
    def test_what_mixes_row_and_parameters_otherwise_stays_as_written(self, condition):
        assert bought(f"매수 = {condition}") == [f"other {condition}"]

    def test_a_product_is_not_taken_for_another_rounding(self):
        # (시가 * v) * 0.5 rounds twice, so it is no product of 시가 and v * 0.5.
        assert bought("매수 = 현재가 > 시가 * self.vars[1] * 0.5") == ["other 현재가 > 시가 * self.vars[1] * 0.5"]

    def test_a_parameter_chosen_by_class_is_a_threshold_for_each_class(self):
        text = """매수 = True
if 시가총액 < 1000:
    기준 = self.vars[1]
elif 시가총액 < 3000:
    기준 = self.vars[2]
else:
    기준 = self.vars[3]
if not (체결강도 > 기준):
    매수 = False"""
        assert bought(text) == [
            "[체결강도] > [self.vars[1]] unless not 시가총액 < 1000",
            "[체결강도] > [self.vars[2]] unless 시가총액 < 1000 unless not 시가총액 < 3000",
            "[체결강도] > [self.vars[3]] unless 시가총액 < 1000 unless 시가총액 < 3000",
        ]

    def test_branches_by_time_give_terms_that_hold_outside_their_time(self):
        text = """매수 = True
if 시분초 < 91000:
    if not (체결강도 > self.vars[1]):
        매수 = False
    elif 등락율 > 10:
        매수 = False
elif not (체결강도 > self.vars[2]):
    매수 = False
if not (회전율 > self.vars[3]):
    매수 = False"""
        assert bought(text) == [
            "gate not 시분초 < 91000 or not 등락율 > 10",
            "[체결강도] > [self.vars[1]] unless not 시분초 < 91000",
            "[체결강도] > [self.vars[2]] unless 시분초 < 91000",
            "[회전율] > [self.vars[3]]",
        ]

    def test_alternatives_for_classes_that_exclude_each_other_are_told_apart(self):
        text = "매수 = (시분초 < 91000 and 체결강도 > self.vars[1]) or (91000 <= 시분초 and 체결강도 > self.vars[2])"
        assert bought(text) == [
            "gate 시분초 < 91000 or 91000 <= 시분초",
            "[체결강도] > [self.vars[1]] unless not 시분초 < 91000",
            "[체결강도] > [self.vars[2]] unless not 91000 <= 시분초",
        ]

    @pytest.mark.parametrize(
        "second", ["91000 <= 시분초", "90900 <= 시분초", "not 시분초 < 90900", "회전율 >= 91000", "시분초 <= 91000.5"]
    )
    def test_alternatives_that_may_hold_together_stay_one_condition(self, second):
        text = f"(시분초 <= 91000 and 체결강도 > self.vars[1]) or ({second} and 체결강도 > self.vars[2])"
        (term,) = bought(f"매수 = {text}")
        assert term.startswith("other ")

    def test_a_condition_that_nan_passes_excludes_only_one_that_nan_fails(self):
        text = "매수 = ({} and 체결강도 > self.vars[1]) or ({} and 체결강도 > self.vars[2])"
        assert len(bought(text.format("not 등락율 > 1", "등락율 > 2"))) == 3
        assert len(bought(text.format("not 등락율 > 1", "not 등락율 < 2"))) == 1

    def test_what_both_ways_share_is_said_once(self):
        text = """매수 = 체결강도 > self.vars[1]
if 시분초 < 91000:
    매수 = 매수 and 회전율 > self.vars[2]"""
        assert bought(text) == ["[체결강도] > [self.vars[1]]", "[회전율] > [self.vars[2]] unless not 시분초 < 91000"]

    @pytest.mark.parametrize("test", ["매수 and 회전율 < 1", "매수 == True and 회전율 < 1", "매수 != False and 회전율 < 1"])
    def test_a_test_of_the_decision_itself_adds_nothing(self, test):
        assert bought(f"매수 = 체결강도 > self.vars[1]\nif {test}:\n    매수 = False") == [
            "gate not 회전율 < 1",
            "[체결강도] > [self.vars[1]]",
        ]

    def test_a_guard_against_division_by_zero_stays_a_gate_of_its_own(self):
        assert bought("매수 = 매수총잔량 > 0 and 매도총잔량 / 매수총잔량 < self.vars[1]") == [
            "gate 매수총잔량 > 0",
            "[매도총잔량 / 매수총잔량] < [self.vars[1]]",
        ]

    def test_a_temporary_is_written_out_as_it_was_when_it_was_set(self):
        text = "점수 = 등락율\n매수 = 점수 > 1\n점수 += 체결강도\n매수 = 매수 and 점수 * 2 > self.vars[1]"
        assert bought(text) == ["gate 등락율 > 1", "[(등락율 + 체결강도) * 2] > [self.vars[1]]"]

    def test_a_bound_parameter_is_a_constant_of_the_row(self):
        text = "매수 = 현재가 >= 최고현재가(self.vars[0], 1) and 초당거래대금 > 초당거래대금평균(self.vars[0]) * self.vars[1]"
        assert bought(text, bound=(0,)) == [
            "gate 현재가 >= 최고현재가(self.vars[0], 1)",
            "[초당거래대금] > [초당거래대금평균(self.vars[0])] * [self.vars[1]]",
        ]
        assert all(line.startswith("other") for line in bought(text))

    def test_equal_numbers_of_different_kinds_are_different_conditions(self):
        assert len(bought("매수 = 이동평균(30) > 1 and 이동평균(30.0) > 1", profile="stom")) == 2
        assert len(bought("매수 = 1 / (체결강도 * 0.0) > 1 and 1 / (체결강도 * -0.0) > 1")) == 2
        assert len(bought("매수 = 이동평균(30) > 1 and 이동평균(30) > 1")) == 1

    def test_contradictions_never_buy(self):
        assert bought("매수 = 체결강도 > self.vars[1] and not (체결강도 > self.vars[1])") == ["gate False"]

    def test_a_temporary_that_may_not_be_set_is_named_with_its_line(self):
        text = "if 등락율 > 2.5:\n    과열 = 1\n매수 = 등락율 > 2.5 and 과열 == 1"
        assert buy_problem(text) == "buy text, line 3: `과열` is not set on every way there"

    def test_temporaries_that_double_each_time_are_refused_and_not_written_out(self):
        text = "\n".join(["값 = 등락율", *["값 = 값 + 값"] * 60, "매수 = 값 > self.vars[1]"])
        assert buy_problem(text).endswith("too large once its temporaries are written out")

    @pytest.mark.parametrize("word", ["if", "elif"])
    def test_long_scripts_are_cut(self, word):
        count = 900 if word == "if" else 150
        tests = [f"{word if number else 'if'} 체결강도 > self.vars[1] + {number}:\n    매수 = False" for number in range(count)]
        assert len(bought("\n".join(["매수 = True", *tests]))) == count


class TestSellText:
    def test_an_elif_chain_is_a_list_in_its_order(self):
        text = """매도 = False
if 수익률 >= self.vars[1]:
    매도 = True
elif 수익률 <= self.vars[2]:
    매도 = True
elif 보유시간 > self.vars[3]:
    매도 = True
elif 최고수익률 - 수익률 > self.vars[4]:
    매도 = True"""
        assert sold(text) == [
            "1: pct >= self.vars[1]",
            "2: -pct >= -self.vars[2]",
            "3: held > self.vars[3]",
            "4: drawdown > self.vars[4]",
        ]

    def test_of_independent_ifs_the_last_one_names_the_sale(self):
        text = "if 수익률 > 1:\n    매도 = True\nif 보유시간 > 60:\n    매도 = True\nif 최저수익률 < -2:\n    매도 = True"
        assert sold(text) == ["3: -trough > 2", "2: held > 60", "1: pct > 1"]

    @pytest.mark.parametrize(
        ("condition", "atoms"),
        [
            ("self.vars[1] > 수익률", ["-pct > -self.vars[1]"]),
            ("not 수익률 > self.vars[1]", ["-pct >= -self.vars[1] or nan"]),
            ("not 수익률 <= 1", ["pct > 1 or nan"]),
            ("-수익률 > 2", ["-pct > 2"]),
            ("수익률 - 최고수익률 < -self.vars[1]", ["drawdown > --self.vars[1]"]),
            ("int(보유시간) >= 30", ["held >= 30"]),
            ("0 < 최고수익률 <= 2", ["peak > 0 & -peak >= -2"]),
            ("수익률 >= 2 or 수익률 <= -2", ["pct >= 2", "-pct >= 2"]),
            ("not (수익률 < 2 and 보유시간 < 9)", ["pct >= 2 or nan", "held >= 9 or nan"]),
            ("체결강도 < 90", ["[체결강도 < 90] >= 1"]),
            ("체결강도 < self.vars[1]", ["-[체결강도] > -self.vars[1]"]),
            ("체결강도 < 90 and 수익률 > 1 and 회전율 > 3", ["pct > 1 & [체결강도 < 90 and 회전율 > 3] >= 1"]),
            ("체결강도 < 90 or 수익률 > 1 or 회전율 > 3", ["pct > 1", "[체결강도 < 90 or 회전율 > 3] >= 1"]),
            ("self.vars[4] and 수익률 > 1", ["[1] >= 1 if self.vars[4] else 2 & pct > 1"]),
            ("not 관심종목", ["[not 관심종목] >= 1"]),
            ("초당매수수량 > 초당매도수량 * self.vars[1]", ["[초당매수수량] > [초당매도수량] * [self.vars[1]]"]),
            ("not 체결강도 > 1 - 회전율 * self.vars[1]", ["-[체결강도] >= [회전율] * [--self.vars[1]] + [1] or nan"]),
            ("수익률 > 1 and not 수익률 > 1", []),
        ],
    )
    def test_a_condition_becomes_atoms(self, condition, atoms):
        assert sold(f"if {condition}:\n    매도 = True") == [f"1: {atom}" for atom in atoms]

    def test_a_target_that_changes_with_the_time_is_a_reason_for_each_time(self):
        text = "목표 = 1.4 if 시분초 < 91000 else self.vars[1]\nif 수익률 > 목표:\n    매도 = True"
        assert sold(text) == ["1: pct > 1.4 & [시분초 < 91000] >= 1", "1: pct > self.vars[1] & [not 시분초 < 91000] >= 1"]

    def test_a_sale_without_elif_keeps_others_from_selling_only_where_it_says_so(self):
        text = "if 수익률 > 1:\n    매도 = True\nif 체결강도 > 100:\n    매도 = False\nif 보유시간 > 60:\n    매도 = True"
        assert sold(text) == ["2: held > 60", "1: pct > 1 & [not 체결강도 > 100] >= 1"]

    def test_a_branch_that_does_nothing_keeps_its_elif_from_selling(self):
        text = "if 체결강도 > 100:\n    pass\nelif 수익률 > 1:\n    매도 = True"
        assert sold(text) == ["1: pct > 1 & [not 체결강도 > 100] >= 1"]

    def test_nested_branches_hold_together(self):
        text = """if 수익률 > 0:
    if 체결강도 < 90:
        매도 = True
    elif 보유시간 > 60:
        매도 = True
else:
    매도 = 최저수익률 < -2"""
        assert sold(text) == [
            "1: pct > 0 & [체결강도 < 90] >= 1",
            "2: pct > 0 & held > 60",
            "0: -trough > 2 & -pct >= 0 or nan",
        ]

    def test_a_line_that_only_names_a_reason_names_what_sells_after_it(self):
        # STOM's inserted line takes the place of a one-line `elif`, which so never sells.
        text = "if 보유시간 > 90:\n    pass\nelif 수익률 > 1: 매도 = True\nif 회전율 > 3:\n    매도 = 1"
        assert sold(text, profile="stom") == [
            "1: -held >= -90 or nan & pct > 1 & [회전율 > 3] >= 1",
            "0: [회전율 > 3] >= 1",
        ]

    def test_a_trailing_share_of_the_peak_is_cut_for_kernels_that_walk_it(self):
        text = "if 수익률 <= 최고수익률 * self.vars[1] or 최고수익률 - 1 > 수익률:\n    매도 = True"
        assert sold(text, ratio=True) == ["1: -ratio >= self.vars[1]", "1: -trail > 1"]
        assert sold("매도 = 수익률 > self.vars[1] + 최고수익률", ratio=True) == ["0: trail > -self.vars[1]"]
        assert sell_problem(text).startswith("sell text, line 1: `수익률 <= 최고수익률 * self.vars[1]` is no comparison")

    @pytest.mark.parametrize(
        "expression",
        [
            "현재가 < 현재가N(-1)",
            "현재가 < 최고현재가(3, -1)",
            "수익률 > 최저수익률 + 1",
            "수익률 > 등락율",
            "보유수량 > 3",
            "매수틱번호 > 3",
            "최고현재가(int(보유시간) + 1) > 현재가",
            "초당매수수량 > 초당매도수량 * self.vars[1] + self.vars[2] * 등락율",
            "현재가N(self.vars[1]) > 현재가",
        ],
    )
    def test_what_no_atom_can_say_is_named_with_its_line(self, expression):
        text = f"if 수익률 > 1:\n    매도 = True\nelif {expression}:\n    매도 = True"
        reason = sell_problem(text, layout="tick_v2" if "보유수량" in expression else "tick_v1")
        assert reason.startswith(f"sell text, line 3: `{expression}` is no comparison with parameters alone")

    def test_equality_of_what_changes_is_not_cut(self):
        assert sell_problem("if 보유시간 == 60:\n    매도 = True") == (
            "sell text, line 1: `보유시간 == 60` tests with == what depends on the position or on parameters"
        )

    def test_too_many_alternatives_are_not_cut(self):
        pairs = " and ".join(f"(수익률 > {number} or 보유시간 > {number})" for number in range(7))
        assert sell_problem(f"if {pairs}:\n    매도 = True") == ("sell text: more than 64 reasons once every `or` is taken apart")

    def test_too_many_conditions_of_one_sale_are_not_cut(self):
        many = " and ".join(f"체결강도 > self.vars[{number}]" for number in range(9))
        assert sell_problem(f"if {many}:\n    매도 = True") == "sell text, line 1: more than 8 conditions of one sale"

    def test_nothing_that_sells_gives_no_reasons(self):
        assert sold("매도 = False") == []

    def test_a_reason_that_an_earlier_one_covers_is_dropped(self):
        assert sold("if 수익률 > 1:\n    매도 = True\nelif 수익률 > 1 and 보유시간 > 9:\n    매도 = True") == ["1: pct > 1"]


class TestStructural:
    @pytest.mark.parametrize(
        ("buy", "indices"),
        [
            ("매수 = 현재가 > 최고현재가(self.vars[2])", {2}),
            ("매수 = 현재가 > 최고현재가(30, int(self.vars[3]))", {3}),
            ("매수 = 현재가 > 현재가N(self.vars[4])", {4}),
            ("길이 = self.vars[1] + self.vars[5]\n매수 = 현재가 > 이동평균(길이)", {1, 5}),
            ("길이 = 30 if 등락율 > self.vars[1] else 60\n매수 = 현재가 > 이동평균(길이)", {1}),
            ("매수 = 체결강도 > self.vars[1]", set()),
        ],
    )
    def test_indices_inside_lengths_and_look_backs(self, buy, indices):
        assert structural(strategy_of(buy=buy)) == indices

    def test_indices_of_sell_text_and_elapsed_expressions(self):
        sell = "매도 = 현재가 < 최저현재가(self.vars[3], 1) or 수익률 > self.vars[5]"
        assert structural(strategy_of("매수 = 경과틱수('급등') > 1", sell, elapsed="급등;등락율 > self.vars[7]")) == {3, 7}

    def test_of_a_text_that_cannot_be_cut_every_index(self):
        text = "if 등락율 > self.vars[1]:\n    길이 = 30\n매수 = 이동평균(길이) > self.vars[2]"
        assert structural(strategy_of(buy=text)) == {1, 2}
