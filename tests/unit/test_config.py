"""The YAML file of a run: what it refuses, how it says so, and what makes two runs the same."""

import re
import textwrap

import pytest
import yaml

from stom_ray.config import EXAMPLE, RunConfig, load_config, parse_bytes, parse_span, parse_weights
from stom_ray.errors import ConfigError

MINIMAL = """\
data:
  path: market.db
strategy:
  buy: buy.txt
  sell: sell.txt
  ranges: vars.txt
"""


@pytest.fixture
def write(tmp_path):
    """Writes MINIMAL and more lines to run.yaml; returns its path."""

    def written(more="", base=MINIMAL):
        path = tmp_path / "run.yaml"
        path.write_text(base + textwrap.dedent(more), encoding="utf-8")
        return path

    return written


def refusal(path):
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return str(caught.value)


def test_the_least_a_run_needs(write, tmp_path):
    config = load_config(write())
    assert config.search.sampler == "genetic"
    assert config.walk_forward is None
    assert config.data.path == str(tmp_path / "market.db")


def test_the_example_is_a_configuration_and_its_comments_name_no_unknown_key(tmp_path):
    path = tmp_path / "example.yaml"
    path.write_text(EXAMPLE, encoding="utf-8")
    config = load_config(path)
    assert config.walk_forward.train_days == 10
    assert config.search.limits.limits().atc == (1, float("inf"))


@pytest.mark.parametrize(
    ("more", "line", "meant"),
    [
        ("search:\n  evaluation: 10\n", 8, "did you mean `evaluations`?"),
        ("serach:\n  evaluations: 10\n", 7, "did you mean `search`?"),
        ("search:\n  limits:\n    mddd: [0, 1]\n", 9, "did you mean `mdd`?"),
        ("walk_forward:\n  trian_days: 10\n", 8, "did you mean `train_days`?"),
        ("execution:\n  zzz: 1\n", 8, "known keys here: folder, title, backend, workers, kernel, max_memory"),
        ("engine:\n  bettin:\n", 8, "did you mean `betting`?"),
    ],
)
def test_an_unknown_key_is_refused_with_its_line_and_the_key_that_was_meant(write, more, line, meant):
    message = refusal(write(more))
    assert f"run.yaml:{line}:" in message
    assert "unknown key" in message
    assert meant in message


def test_every_mistake_of_a_file_is_told_at_once(write):
    message = refusal(write("search:\n  seeed: 1\n  batch: 0\nengine:\n  ask_levels: 9\n"))
    assert [line.split(": ")[0].rsplit(":")[-1] for line in message.splitlines()] == ["8", "9", "11"]


@pytest.mark.parametrize(
    ("base", "missing", "said"),
    [
        ("data:\n  path: m.db\n", "strategy: missing", "expected a section with buy, sell, ranges"),
        (MINIMAL.replace("  path: market.db\n", "  days: ''\n"), "data.path: missing", "STOM database file"),
        (MINIMAL.replace("  sell: sell.txt\n", ""), "strategy.sell: missing", "file with the sell condition"),
        (MINIMAL.replace("market.db", '""'), "data.path", "at least 1 character"),
        (MINIMAL.replace("path: market.db", "path:"), "data.path: missing", "STOM database file"),
    ],
)
def test_what_is_missing_is_named_and_described(write, base, missing, said):
    message = refusal(write(base=base))
    assert missing in message
    assert said in message


@pytest.mark.parametrize("content", ["", "just text\n", "- a\n- b\n", "5\n"])
def test_a_file_without_sections_is_refused(write, content):
    assert "expected sections data, strategy" in refusal(write(base=content))


@pytest.mark.parametrize(
    ("more", "line", "said"),
    [
        ("search:\n  evaluations: many\n", 8, "valid integer"),
        ("search:\n  evaluations: 0\n", 8, "greater than or equal to 1"),
        ("search:\n  evaluations: -5\n", 8, "greater than or equal to 1"),
        ("search:\n  evaluations: 10.5\n", 8, "valid integer"),
        ("search:\n  evaluations: yes\n", 7, "`evaluations` is true (YAML reads yes, no, on and off so)"),
        ("search:\n  seed: -1\n", 8, "greater than or equal to 0"),
        ("search:\n  seed: 4294967296\n", 8, "less than or equal to 4294967295"),
        ("search:\n  islands: 0\n", 8, "greater than or equal to 1"),
        ("search:\n  islands: 100000\n", 8, "less than or equal to 1024"),
        ("search:\n  sampler: tpee\n", 8, "'genetic', 'structure', 'cmaes', 'grid', 'coordinate' or 'optuna'"),
        ("search:\n  objective: XX\n", 8, "'TP', 'TPI'"),
        ("search:\n  objectives: TG\n", 8, "expected a list of names, [TG, -MDD]"),
        ("search:\n  objectives: [TG]\n", 8, "several objectives are two or more, here is TG"),
        ("search:\n  halving: {days: [5, 5]}\n", 8, "halving days are [5, 5]"),
        ("search:\n  halving: {keep: 1}\n", 8, "greater than or equal to 2"),
        ("search:\n  sampler: genetic\n  halving: {days: [5]}\nwalk_forward:\n  train_days: 5\n", 9, "train_days is 5"),
        ("search:\n  objectives: [TG, WR]\n  halving: {}\n", 9, "or search.objectives"),
        ("search:\n  objectives: [TG, XX]\n", 8, "'XX' is not known: choose of TP, TPI, TG, CAGR, PM"),
        ("search:\n  objectives: [TG, TSG]\n", 8, "MHCT, SEED, MDD, MDD_, with a minus where smaller is better"),
        ("search:\n  objectives: [TG, -WR, WR]\n", 8, "objective WR stands twice"),
        ("search:\n  objectives: [-MDD, TG]\n", 8, "-MDD stands first, where rows are ranked: expected one of TP, TPI"),
        ("search:\n  objectives: [TG, TP, WR, APP, TPI, CAGR, -MDD]\n", 8, "7 objectives: expected at most 6"),
        ("search:\n  objective: PM\n  objectives: [TG, WR]\n", 8, "leave search.objective out, the first of several ranks"),
        ("search:\n  time_limit_s: 0\n", 8, "greater than 0"),
        ("search:\n  time_limit_s: .inf\n", 8, "finite number"),
        ("search: 5\n", 7, "valid dictionary"),
        ("engine:\n  betting: 0\n", 8, "greater than 0"),
        ("engine:\n  betting: .nan\n", 8, "finite number"),
        ("engine:\n  betting: .inf\n", 8, "finite number"),
        ("engine:\n  betting: 1.0e+300\n", 8, "less than or equal to 1000000000000"),
        ("engine:\n  avgtime: 0\n", 8, "greater than or equal to 1"),
        ("engine:\n  ask_levels: 6\n", 8, "less than or equal to 5"),
        ("engine:\n  costs: krz\n", 8, "expected stom, krx or custom"),
        ("engine:\n  costs: custom:500,1\n", 8, "expected a fraction"),
        ("engine:\n  weights: [1, 2]\n", 8, "weights have 2 numbers: expected 10"),
        ("engine:\n  weights: [.nan, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n", 8, "finite number"),
        ("engine:\n  weights: [9, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n", 8, "mode is 9: expected 0 (off) to 6"),
        ("walk_forward:\n  train_days: 0\n", 8, "greater than or equal to 1"),
        ("walk_forward:\n  scheme: rollin\n", 8, "'rolling', 'anchored' or 'stom'"),
        ("walk_forward:\n  weeks: [2, 1]\n", 8, "too few numbers in this list"),
        ("execution:\n  workers: 0\n", 8, "greater than or equal to 1"),
        ("execution:\n  backend: dask\n", 8, "'ray' or 'serial'"),
    ],
)
def test_a_value_that_cannot_be_run_is_refused_at_its_line(write, more, line, said):
    message = refusal(write(more))
    assert f"run.yaml:{line}: " in message
    assert said in message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("codes: [000660]", 'code 432 was read as a number: write it in quotes, "000660"'),
        ("codes: [5930.0]", "was read as a number"),
        ("codes: 005930", "expected a list of codes in quotes"),
        ('codes: "005930"', "expected a list of codes in quotes"),
        ("codes: [[a]]", "was read as a number"),
        ("days: 20230109", "is no span: expected FIRST-LAST"),
        ("days: 2023-01-09", "is no span: expected FIRST-LAST"),
        ("days: 20230120-20230109", "did you mean 20230109-20230120?"),
        ("time: 9:00-9:30", "is no span"),
        ("load_days: abc", "is no span"),
        ("load_time: 90000", "is no span"),
    ],
)
def test_codes_and_spans_that_yaml_or_a_hand_got_wrong(write, given, said):
    message = refusal(write(base=MINIMAL.replace("  path: market.db\n", f"  path: market.db\n  {given}\n")))
    assert "run.yaml:3: data." in message
    assert said in message


def test_quoted_codes_keep_their_zeros(write):
    base = MINIMAL.replace("  path: market.db\n", '  path: market.db\n  codes: ["005930", "000660"]\n')
    assert load_config(write(base=base)).data.codes == ("005930", "000660")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("", None),
        ("0-99999999", (0, 99_999_999)),
        ("90000-93000", (90_000, 93_000)),
        (" 20230118 - 20230126 ", (20230118, 20230126)),
    ],
)
def test_spans(text, span):
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["-", "1", "1-", "-1", "1-2-3", "²-³", "a-b", "1-999999999", "2-1", "1.0-2.0", "１-２"])
def test_what_is_no_span(text):
    with pytest.raises(ConfigError):
        parse_span(text)


def test_weights_by_place():
    weights = parse_weights((2, 1, 2, 3, 4, 0.5, 0.6, 0.7, 0.8, 0.9))
    assert (weights.mode, weights.limits, weights.factors) == (2, (1, 2, 3, 4), (0.5, 0.6, 0.7, 0.8, 0.9))


@pytest.mark.parametrize(
    "values", [(1.5, *[1.0] * 9), (-1, *[1.0] * 9), (1, *[1.0] * 8, -0.5), (1, float("inf"), *[1.0] * 8), (0,)]
)
def test_what_are_no_weights(values):
    with pytest.raises(ConfigError, match="weights"):
        parse_weights(values)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("[5, 1]", r"low bound 5 is above the high bound 1: did you mean \[1, 5\]\?"),
        ("[1]", "too few numbers in this list"),
        ("[1, 2, 3]", "at most 2 items"),
        ("7", "valid tuple"),
        ("[.nan, 1]", "finite number"),
        ("[low, high]", "valid number"),
    ],
)
def test_limits_that_are_none(write, given, said):
    message = refusal(write(f"search:\n  limits:\n    mdd: {given}\n"))
    assert "run.yaml:9: search.limits.mdd" in message
    assert re.search(said, message)


def test_an_empty_section_means_its_defaults(write):
    config = load_config(write("engine:\nsearch:\n  limits:\n  patience:\nwalk_forward:\n"))
    assert config == load_config(write())


@pytest.mark.parametrize(
    ("more", "line", "said"),
    [
        ("search:\n  sampler: coordinate\n", None, "set search.islands: 1"),
        ("search:\n  sampler: grid\n  islands: 2\n", 9, "set search.islands: 1"),
        ("search:\n  sampler: optuna\n  islands: 3\n", 9, "set search.islands: 1"),
        ("search:\n  sampler: optuna\n  islands: 1\nexecution:\n  backend: serial\n", None, "execution.backend: ray"),
        ("search:\n  evaluations: 3\n  islands: 4\n", 8, "search.evaluations is 3 for 4 islands"),
        ("search:\n  islands: 4\nwalk_forward:\n  evaluations: 3\n", 10, "walk_forward.evaluations is 3 for 4 islands"),
    ],
)
def test_values_that_do_not_go_together(write, more, line, said):
    message = refusal(write(more))
    assert said in message
    if line is not None:
        assert f"run.yaml:{line}:" in message


def test_one_island_makes_a_sequence_searchable(write):
    for sampler in ("coordinate", "grid", "optuna"):
        assert load_config(write(f"search:\n  sampler: {sampler}\n  islands: 1\n")).search.sampler == sampler


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{3: [4.0, 0.5]}", "low < high"),
        ("{0: [30.0, 60.0]}", "0 is avgtime"),
        ("{3: [1.0]}", "too few numbers"),
        ("{three: [1.0, 2.0]}", "valid integer"),
        ("{3: [0.5, .inf]}", "finite number"),
    ],
)
def test_continuous_variables_that_are_none(write, given, said):
    message = refusal(write(base=MINIMAL + f"  continuous: {given}\n"))
    assert "run.yaml:7: strategy.continuous" in message
    assert said in message


def test_continuous_variables_have_no_grid(write):
    base = MINIMAL + "  continuous: {3: [0.5, 4.0]}\n"
    assert load_config(write(base=base)).strategy.continuous == {3: (0.5, 4.0)}
    assert "has no grid for sampler grid" in refusal(write("search: {sampler: grid, islands: 1}\n", base=base))


def test_a_key_that_stands_twice_is_refused_since_yaml_would_drop_one(write):
    message = refusal(write("search:\n  seed: 1\n  batch: 5\n  seed: 2\n"))
    assert "run.yaml:10: search.seed stands here again (first in line 8)" in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"data: [1, 2\nstrategy: 5\n", "not valid YAML"),
        (b"data:\n\tpath: x\n", "not valid YAML"),
        (b"data: &a {path: *a}\n", "run.yaml:1: *a: aliases are not read here"),
        (b"[" * 700, "nested too deep"),
        (b"data: {path: 2023-02-31}\n", "not valid YAML"),
        ("data: 주식".encode("cp949"), "cannot be read as UTF-8"),
        (b"!!python/object/apply:os.system ['true']\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_yaml(tmp_path, content, said):
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    message = refusal(path)
    assert str(path) in message
    assert said in message


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path):
    assert "--print-config` writes one to start from" in refusal(tmp_path / "none.yaml")
    assert "cannot be read" in refusal(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load_config(path).data.path == str(tmp_path / "market.db")


def test_file_names_hold_from_where_the_file_is(write, tmp_path):
    base = MINIMAL.replace("market.db", "a.db, /abs/b.db , sub/c.db")
    config = load_config(write("execution: {folder: runs/one}\n", base=base))
    assert config.data.path == f"{tmp_path}/a.db,/abs/b.db,{tmp_path}/sub/c.db"
    assert config.strategy.buy == str(tmp_path / "buy.txt")
    assert config.execution.folder == str(tmp_path / "runs/one")


def test_a_database_whose_name_has_a_comma_is_one_file(write, tmp_path):
    (tmp_path / "a,b.db").touch()
    assert load_config(write(base=MINIMAL.replace("market.db", "a,b.db"))).data.path == str(tmp_path / "a,b.db")


def test_the_written_configuration_loads_again_from_any_folder(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(write("search:\n  limits: {mdd: [null, 30]}\nwalk_forward: {weeks: [4, 1, 1]}\nengine: {weights: []}\n"))
    elsewhere = tmp_path / "deep" / "er"
    elsewhere.mkdir(parents=True)
    (elsewhere / "full.yaml").write_text(config.absolute().to_yaml(), encoding="utf-8")
    assert load_config(elsewhere / "full.yaml") == config.absolute()


def changed(**sections):
    content = yaml.safe_load(MINIMAL)
    for section, values in sections.items():
        content[section] = {**content.get(section, {}), **values}
    return RunConfig.model_validate(content)


def test_what_cannot_change_a_result_does_not_change_the_identity():
    plain = changed().config_id()
    assert re.fullmatch("[0-9a-f]{12}", plain)
    execution = {"folder": "x", "title": "x", "backend": "serial", "workers": 7, "language": "ko"}
    assert changed(execution=execution).config_id() == plain
    assert changed(data={"path": "/else/where.db"}).config_id() == plain
    assert changed(strategy={"buy": "b2.txt", "sell": "s2.txt", "ranges": "r2.txt"}).config_id() == plain


def test_what_can_change_a_result_changes_the_identity():
    others = [
        changed(data={"days": "20230109-20230110"}),
        changed(data={"time": "90000-91000"}),
        changed(data={"load_days": "20230101-20230110"}),
        changed(data={"codes": ["005930"]}),
        changed(strategy={"profile": "stom"}),
        changed(strategy={"continuous": {1: [0.0, 1.0]}}),
        changed(strategy={"ranges_form": "values"}),
        changed(engine={"betting": 5}),
        changed(engine={"costs": "krx"}),
        changed(engine={"ask_levels": 3}),
        changed(engine={"weights": [1, *[1.0] * 9]}),
        changed(search={"seed": 1}),
        changed(search={"islands": 1}),
        changed(search={"batch": 10}),
        changed(search={"limits": {"mdd": [0, 1]}}),
        changed(search={"objective": "TP"}),
        changed(walk_forward={}),
        changed(walk_forward={"test_days": 3}),
    ]
    ids = [config.config_id() for config in [changed(), *others]]
    assert len(set(ids)) == len(ids)


def test_a_configuration_cannot_be_changed_after_it_was_checked():
    with pytest.raises(ValueError, match="frozen"):
        changed().search.seed = 3


@pytest.mark.parametrize(
    ("text", "size"),
    [("", None), ("2GB", 2 * 10**9), ("500 mb", 5 * 10**8), ("1GiB", 2**30), ("1.5 GB", 1_500_000_000), ("3000000", 3_000_000)],
)
def test_sizes_of_memory_have_units(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["much", "2 G", "-1GB", "1e9", "GB", "5PB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ConfigError, match="no size of memory: expected a number with a unit, 2GB or 500MB"):
        parse_bytes(text)


def test_a_size_for_which_nothing_could_run_is_refused():
    with pytest.raises(ConfigError, match="at least 1MB"):
        parse_bytes("10kB")


def test_a_limit_on_memory_is_shared_by_the_workers_and_belongs_to_no_result(write):
    plain, limited = load_config(write("")), load_config(write("execution:\n  max_memory: 2GB\n"))
    assert limited.execution.memory(4) == 500_000_000
    assert plain.execution.memory(4) is None
    assert plain.config_id() == limited.config_id()
    assert "run.yaml:8: execution.max_memory: 'lots' is no size" in refusal(write("execution:\n  max_memory: lots\n"))


def test_a_structure_without_a_file_has_no_terms(write):
    told = refusal(write("structure: {price: 1}\n"))
    assert "structure: no terms: name a file in one of library, sell_library, buy_lines, sell_lines" in told


def test_files_of_a_structure_hold_from_where_the_file_is_and_are_no_identity(write, tmp_path):
    one = load_config(write("structure: {library: terms.txt, price: 1}\n"))
    assert one.structure is not None
    assert one.structure.library == str(tmp_path / "terms.txt")
    assert one.structure.buy_lines == ""
    other = one.model_copy(update={"structure": one.structure.model_copy(update={"library": "elsewhere.txt"})})
    dearer = one.model_copy(update={"structure": one.structure.model_copy(update={"price": 2.0})})
    assert other.config_id() == one.config_id() != dearer.config_id()


def test_an_account_is_part_of_a_run_and_a_run_without_one_is_what_it_was(write):
    plain = load_config(write("walk_forward:\n  purge_days:\n"))
    assert plain.account is None
    assert "account" not in plain.identity()
    assert plain.walk_forward.purge_days is None
    held = load_config(write("walk_forward:\n  purge_days:\naccount: {cash: 10000000, max_holdings: 5}\n"))
    assert held.config_id() != plain.config_id()
    assert "greater than 0" in refusal(write("account: {cash: 0, max_holdings: 5}\n"))
    assert "max_holdings" in refusal(write("account: {cash: 1}\n"))


def test_a_cross_validation_is_part_of_a_run_and_a_run_without_one_is_what_it_was(write):
    plain = load_config(write(""))
    assert plain.cross_validation is None
    assert "cross_validation" not in plain.identity()
    paths = load_config(write("cross_validation: {}\n"))
    assert paths.config_id() != plain.config_id()
    section = paths.cross_validation
    assert (section.scheme, section.folds, section.tested_at_once, section.embargo_days) == ("cpcv", 6, 2, 0)
    assert load_config(write("cross_validation: {scheme: purged_kfold}\n")).cross_validation.tested_at_once == 1


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{scheme: purged_kfold, test_folds: 2}", "test_folds is 2, but scheme purged_kfold tests one fold at a time"),
        ("{folds: 2}", "test_folds 2 of folds 2 leave none to train on"),
        ("{evaluations: 1}", "cross_validation.evaluations is 1 for 2 islands"),
        ("{fold: 5}", "did you mean `folds`?"),
    ],
)
def test_a_cross_validation_that_cannot_be_is_refused(write, section, said):
    assert said in refusal(write(f"cross_validation: {section}\n"))
