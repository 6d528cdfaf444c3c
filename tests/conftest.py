"""What all tests share."""

from __future__ import annotations

import os

# Two torch processes of two threads each fight for two cores; set before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

settings.register_profile("archdsl", deadline=None, derandomize=True)
settings.load_profile("archdsl")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--overwrite-golden", action="store_true", help="write the golden files anew")


@pytest.fixture
def overwrite_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--overwrite-golden"))
