"""`pytest tests/unit/conditions --update-golden` rewrites the recorded IR."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden artefacts instead of comparing with them")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    # The option exists only when pytest is started on this folder.
    return bool(request.config.getoption("--update-golden", default=False))
