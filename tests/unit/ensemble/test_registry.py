"""Versions are whole or not there, held to their digests, promoted through a gate, and rolled back."""

import json
import os
import pickle
import shutil
import signal
import sys

import pytest

from stom_ray.ensemble import registry as module
from stom_ray.ensemble.artefact import Lineage
from stom_ray.ensemble.gate import Gate, Rule, read_gate
from stom_ray.ensemble.registry import Registry
from stom_ray.ensemble.sealed import read_sealed, write_sealed
from stom_ray.errors import GateError, RegistryError

OPEN = Gate(())
FILES = {"model.txt": b"tree\nversion=v4\n", "scaler.json": b'{"median": [0.5]}'}


def lineage(**scores):
    return Lineage("abc", ("ofi_10s", "spread"), "1.2.0", {"leaves": 31}, scores or {"test/f1": 0.5}, "too little data")


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "registry")


def publish(registry, n=1, **scores):
    return [registry.publish("lgbm", FILES, lineage(**scores)) for _ in range(n)][-1]


def stages(registry):
    return [entry.stage for entry in registry.entries("lgbm")]


def test_what_was_published_is_read_as_it_was(registry):
    published = publish(registry)
    read = registry.show("lgbm", 1).artefact
    assert read == published
    assert read.lineage == lineage()
    assert {file: read.read(file) for file in read.files} == FILES
    read.verify()
    assert registry.names() == ("lgbm",)
    assert (registry.versions("lgbm"), stages(registry)) == ((1,), ["candidate"])


def test_a_name_that_is_not_there_has_no_version(registry):
    assert (registry.names(), registry.versions("lgbm"), registry.champion("lgbm")) == ((), (), None)
    with pytest.raises(RegistryError, match="lgbm has no champion; versions: none"):
        registry.show("lgbm", "champion")


def test_a_promoted_version_retires_the_champion_before(registry):
    publish(registry, 3)
    registry.promote("lgbm", 1, "champion", gate=OPEN)
    registry.promote("lgbm", 2, "shadow")
    assert stages(registry) == ["champion", "shadow", "candidate"]
    entry = registry.promote("lgbm", 2, "champion", gate=OPEN, reason="better")
    assert stages(registry) == ["retired", "champion", "candidate"]
    assert registry.champion("lgbm") == entry.artefact
    assert [(event["stage"], event["reason"]) for event in entry.events] == [("shadow", ""), ("champion", "better")]
    assert registry.show("lgbm", "retired").artefact.version == 1


def test_rolling_back_goes_along_the_line_of_champions(registry):
    publish(registry, 3)
    for version in (1, 2, 3):
        registry.promote("lgbm", version, "champion", gate=OPEN)
    assert registry.rollback("lgbm").artefact.version == 2
    assert stages(registry) == ["retired", "champion", "retired"]
    assert registry.rollback("lgbm").artefact.version == 1
    with pytest.raises(RegistryError, match="1 is the first champion: none before it"):
        registry.rollback("lgbm")
    registry.promote("lgbm", 3, "champion", gate=OPEN)
    assert registry.rollback("lgbm").artefact.version == 1


def test_a_rollback_without_a_champion_is_refused(registry):
    publish(registry)
    with pytest.raises(RegistryError, match="has no champion to roll back from"):
        registry.rollback("lgbm")


def test_a_gate_holds_scores_against_numbers_and_the_champion(registry):
    publish(registry, **{"test/f1": 0.5})
    publish(registry, **{"test/f1": 0.55, "test/ic": 0.02})
    gate = Gate((Rule("test/f1", ">=", value=0.45), Rule("test/f1", ">", margin=0.01)))
    registry.promote("lgbm", 1, "champion", gate=gate)  # no champion to beat yet
    entry = registry.promote("lgbm", 2, "champion", gate=gate)
    assert entry.events[-1]["gate"][1] == {
        "score": "test/f1", "op": ">", "value": None, "margin": 0.01, "found": 0.55, "bound": 0.51, "holds": True
    }  # fmt: skip
    publish(registry, **{"test/f1": 0.555})
    demanding = Gate((*gate.rules, Rule("test/ic", ">", value=0.0)))
    with pytest.raises(GateError, match=r"test/f1 is 0\.555, expected > 0\.56; test/ic is not there, expected > 0"):
        registry.promote("lgbm", 3, "champion", gate=demanding)
    assert stages(registry) == ["retired", "champion", "candidate"]


def test_promotions_that_mean_nothing_are_refused(registry):
    publish(registry)
    with pytest.raises(RegistryError, match="a champion has to pass a gate"):
        registry.promote("lgbm", 1, "champion")
    with pytest.raises(RegistryError, match="stage 'best': expected one of candidate, shadow"):
        registry.promote("lgbm", 1, "best")
    with pytest.raises(RegistryError, match="lgbm 1 is candidate already"):
        registry.promote("lgbm", 1, "candidate")
    with pytest.raises(RegistryError, match="lgbm has no 7; versions: 1 candidate"):
        registry.promote("lgbm", 7, "shadow")


@pytest.mark.parametrize("name", ["../up", "Upper", "", "a/b", ".hidden", "a" * 65, "모델"])
def test_names_that_could_leave_the_folder_are_refused(registry, name):
    with pytest.raises(RegistryError, match="expected 1 to 64 of"):
        registry.publish(name, FILES, lineage())
    assert not registry.root.exists()


SAFE = len(b"{}").to_bytes(8, "little") + b"{}"


@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        ("model.pkl", b"", "pickles are not kept"),
        ("../model.txt", b"", "expected a plain name"),
        ("manifest.json", b"{}", "and not manifest.json"),
        ("model.txt", pickle.dumps([1.0] * 50), "no txt"),
        ("model.json", pickle.dumps({}), "no json"),
        ("model.safetensors", pickle.dumps({}), "no safetensors"),
        ("model.safetensors", b"PK\x03\x04" + bytes(100), "no safetensors"),
        ("model.json", b"[" * 100_000, "no json"),
    ],
)
def test_what_is_no_kept_format_does_not_come_in(registry, file, data, message):
    registry.publish("lgbm", {"weights.safetensors": SAFE}, lineage())
    with pytest.raises(RegistryError, match=message):
        registry.publish("lgbm", {file: data}, lineage())
    assert registry.versions("lgbm") == (1,)


def test_a_lineage_that_is_no_json_leaves_no_version(registry):
    with pytest.raises(RegistryError, match="cannot be kept as JSON"):
        registry.publish("lgbm", FILES, lineage(f1=float("nan")))
    assert registry.versions("lgbm") == ()
    assert publish(registry).version == 1


# Damage


def cuts(data):
    """Every shorter beginning that is not the same JSON."""
    return [data[:size] for size in range(len(data.rstrip()))]


def test_a_manifest_or_stage_file_cut_anywhere_is_named(registry):
    artefact = publish(registry)
    registry.promote("lgbm", 1, "champion", gate=OPEN)
    for path in (artefact.folder / "manifest.json", registry.root / "lgbm" / "stages.json"):
        whole = path.read_bytes()
        for part in cuts(whole):
            path.write_bytes(part)
            with pytest.raises(RegistryError) as refused:
                registry.champion("lgbm")
            assert str(path) in str(refused.value)
        path.write_bytes(whole)
        assert registry.champion("lgbm") == artefact


def read_or_refused(registry):
    try:
        return registry.show("lgbm", 1).artefact
    except RegistryError as error:
        return str(error)


def test_flipped_bits_are_named(registry):
    artefact = publish(registry)
    path = artefact.folder / "manifest.json"
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        found = read_or_refused(registry)
        assert found == artefact or str(path) in found  # white space may change


def test_a_file_that_differs_is_not_loaded(registry):
    artefact = publish(registry)
    path = artefact.folder / "model.txt"
    for data in cuts(FILES["model.txt"]):
        path.write_bytes(data)
        with pytest.raises(RegistryError) as refused:
            artefact.read("model.txt")
        assert str(path) in str(refused.value)
        assert artefact.files["model.txt"][1] in str(refused.value)
    with pytest.raises(RegistryError, match="damaged or changed, not loaded"):
        registry.promote("lgbm", 1, "champion", gate=OPEN)
    path.unlink()
    with pytest.raises(RegistryError, match="cannot be read"):
        artefact.verify()
    path.symlink_to("/dev/null")
    with pytest.raises(RegistryError, match="a link, expected a file"):
        artefact.read("model.txt")


def test_a_file_that_was_never_published_is_named(registry):
    artefact = publish(registry)
    (artefact.folder / "extra.txt").write_text("x")
    with pytest.raises(RegistryError, match=r"extra\.txt: not in the manifest"):
        artefact.verify()
    with pytest.raises(RegistryError, match=r"no file extra\.txt in it"):
        artefact.read("extra.txt")


def test_a_champion_that_is_another_version_than_promoted_is_not_served(registry):
    one = publish(registry)
    registry.promote("lgbm", 1, "champion", gate=OPEN)
    other = Registry(registry.root.parent / "other").publish("lgbm", FILES, lineage(f1=0.9))
    (one.folder / "manifest.json").write_bytes((other.folder / "manifest.json").read_bytes())
    with pytest.raises(RegistryError, match="its manifest is"):
        registry.champion("lgbm")


def test_a_version_in_the_folder_of_another_is_refused(registry):
    publish(registry).folder.rename(registry.root / "lgbm" / "000009")
    with pytest.raises(RegistryError, match="is of lgbm 1, in the folder of another version"):
        registry.show("lgbm", 9)


def test_a_manifest_or_stage_file_of_another_shape_is_named(registry):
    artefact = publish(registry)
    manifest, _ = read_sealed(artefact.folder / "manifest.json")
    for wrong in ({"format": 2}, {"lineage": {}}, {"files": []}, {"files": {"a.pkl": {}}}, {"version": "x"}):
        write_sealed(artefact.folder / "manifest.json", manifest | wrong)
        with pytest.raises(RegistryError, match=r"manifest\.json"):
            registry.show("lgbm", 1)
    write_sealed(artefact.folder / "manifest.json", manifest)
    for wrong in ({"format": 2, "events": []}, {"format": 1}, {"format": 1, "events": [{"version": 1}]}):
        write_sealed(registry.root / "lgbm" / "stages.json", wrong)
        with pytest.raises(RegistryError, match=r"stages\.json"):
            registry.show("lgbm", 1)


# Writers


def killed_after(steps, root):
    """Publishes and promotes in a process that is killed before it touches the registry once more; whether it got through."""

    def count(event, arguments):
        nonlocal steps
        if any(str(root) in str(argument) for argument in arguments):
            steps -= 1
            if steps < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            sys.addaudithook(count)
            publish(Registry(root))
            Registry(root).promote("lgbm", 2, "champion", gate=OPEN)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


def test_a_publisher_killed_anywhere_leaves_the_old_or_the_new(registry, tmp_path):
    publish(registry)
    registry.promote("lgbm", 1, "champion", gate=OPEN)
    seen, through = [], False
    while not through:
        copy = Registry(tmp_path / f"killed_{len(seen)}")
        shutil.copytree(registry.root, copy.root)
        through = killed_after(len(seen), copy.root)
        for entry in copy.entries("lgbm"):
            entry.artefact.verify()
        seen.append((copy.versions("lgbm"), copy.champion("lgbm").version))
        assert publish(copy).version == len(seen[-1][0]) + 1  # what was left aside is no hindrance
    assert len(seen) > 20
    assert sorted(set(seen)) == [((1,), 1), ((1, 2), 1), ((1, 2), 2)]


def test_a_second_writer_waits_its_turn(registry, monkeypatch):
    inside = []

    def while_writing(*arguments):
        with pytest.raises(RegistryError, match="another process is writing to it"):
            Registry(registry.root).publish("lgbm", FILES, lineage())
        inside.append(Registry(registry.root).versions("lgbm"))  # readers need not wait
        return write_manifest(*arguments)

    write_manifest = module.write_manifest
    monkeypatch.setattr(module, "write_manifest", while_writing)
    publish(registry)
    assert inside == [()]
    assert registry.versions("lgbm") == (1,)


# Gates in files


def test_a_gate_is_read_from_its_file(tmp_path):
    path = tmp_path / "gate.json"
    path.write_text(
        json.dumps({"format": 1, "rules": [{"score": "f1", "op": ">=", "value": 0.4}, {"score": "ic", "op": ">", "margin": 0}]})
    )
    assert read_gate(path) == Gate((Rule("f1", ">=", value=0.4), Rule("ic", ">", margin=0)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("[]", "expected {"),
        ('{"format": 2, "rules": []}', "expected {"),
        ('{"format": 1, "rules": {}}', "rules: expected a list"),
        ('{"format": 1, "rules": [{"score": "f1"}]}', "rule 1: expected score, op and one of"),
        ('{"format": 1, "rules": [{"score": "f1", "op": "=", "value": 1}]}', "rule 1: gate: rule for f1: op '='"),
        ('{"format": 1, "rules": [{"score": "f1", "op": ">"}]}', "either value or margin"),
        ('{"format": 1, "rules": [{"score": "f1", "op": ">", "value": 1, "margin": 1}]}', "either value or margin"),
        ('{"format": 1, "rules": [{"score": "f1", "op": ">", "value": NaN}]}', "a finite number"),
        ('{"format": 1, "rules": [{"score": "f1", "op": ">", "value": "1"}]}', "rule 1: value is '1': expected a number"),
        ('{"format": 1, "rules": [{"score": 1, "op": ">", "value": 1}]}', "score and op: expected text"),
    ],
)
def test_a_gate_file_with_a_mistake_is_named(tmp_path, text, message):
    path = tmp_path / "gate.json"
    path.write_text(text)
    with pytest.raises(RegistryError) as refused:
        read_gate(path)
    assert str(path) in str(refused.value)
    assert message in str(refused.value)


def test_a_folder_that_cannot_be_read_says_so(tmp_path):
    with pytest.raises(RegistryError, match="cannot be read"):
        read_gate(tmp_path / "none.json")
    assert os.listdir(tmp_path) == []
