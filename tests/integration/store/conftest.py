"""The database builder of the unit tests."""

import runpy
from pathlib import Path

import pytest

_BUILDER = Path(__file__).parents[2] / "unit" / "store" / "conftest.py"


@pytest.fixture(scope="session")
def db():
    return runpy.run_path(str(_BUILDER))["Databases"]
