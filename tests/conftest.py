"""What all tests share."""

from __future__ import annotations

import os

# Two torch processes of two threads each fight for two cores; set before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# One model of each family of torchvision's, a small one where there is one.
FAMILIES = frozenset(
    "alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet inception_v3 maxvit_t mnasnet0_5"
    " mobilenet_v2 mobilenet_v3_small regnet_x_400mf regnet_y_400mf resnet18 resnet50 resnext50_32x4d"
    " shufflenet_v2_x0_5 squeezenet1_1 swin_t swin_v2_t vgg11 vgg11_bn vit_b_32 wide_resnet50_2".split()
)

settings.register_profile("archdsl", deadline=None, derandomize=True)
settings.load_profile("archdsl")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--overwrite-golden", action="store_true", help="write the golden files anew")
    parser.addoption("--every-model", action="store_true", help="compare all of torchvision's models, not one a family")
    parser.addoption("--browser", action="store_true", help="look at the interactive pages in Chromium too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps one model a family among the tests that run torchvision's, and leaves those for a browser out.

    All models take twenty minutes, and not every machine has a browser.
    """
    left_out = set()
    if not config.getoption("--every-model"):
        left_out |= {item for item in items if _another_of_its_family(item)}
    if not config.getoption("--browser"):
        left_out |= {item for item in items if item.path.name == "test_page_browser.py"}
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=list(left_out))


def _another_of_its_family(item: pytest.Item) -> bool:
    if item.path.name != "test_zoo_outputs.py" or not isinstance(item, pytest.Function):
        return False
    return item.callspec.params["name"] not in FAMILIES


@pytest.fixture
def overwrite_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--overwrite-golden"))
