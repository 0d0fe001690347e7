"""The house rules that a machine can check."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "stom_ray").rglob("*.py"))


def test_import_stom_ray_loads_neither_ray_nor_torch():
    heavy = ("ray", "torch", "lightgbm", "cupy")
    code = f"import sys, stom_ray, stom_ray.api, stom_ray.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_file_is_longer_than_five_hundred_lines(path):
    assert path.read_text(encoding="utf-8").count("\n") <= 500


INITS = [path for path in SOURCES if path.name == "__init__.py"]


@pytest.mark.parametrize("path", INITS, ids=lambda path: str(path.relative_to(ROOT)))
def test_init_files_hold_imports_and_all_only(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_all = isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("__all__", "__version__")
        assert is_docstring or is_all or isinstance(node, (ast.Import, ast.ImportFrom)), f"{path.name} line {node.lineno}"


def test_no_gravity_files():
    names = {path.stem for path in SOURCES}
    assert not names & {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def test_user_text_is_never_handed_to_the_python_compiler():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, f"{path} line {node.lineno}"


def test_kernels_are_kept_by_what_they_were_compiled_from_and_not_by_numba_alone():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "numba" and path.name != "machine_code.py":
                assert not {alias.name for alias in node.names} & {"njit", "jit"}, f"{path} line {node.lineno}"


def test_no_kernel_is_compiled_with_fastmath():
    for path in SOURCES:
        assert "fastmath=True" not in path.read_text(encoding="utf-8"), path
