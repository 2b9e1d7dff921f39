"""What all tests share: one torch thread, the seed of random tests, the numbers of `make test` and of `make soak`."""

from __future__ import annotations

import os
import signal
import sys
import zlib
from collections.abc import Callable
from importlib.util import find_spec

import hypothesis
import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
# In the background of a shell Ctrl C is ignored, which children would inherit: the tests that send it want it heard.
signal.signal(signal.SIGINT, signal.default_int_handler)

SOAK = os.environ.get("NN3D_SOAK", "0") not in ("", "0")
SEED = int(os.environ.get("NN3D_SEED") or 20240229)

hypothesis.settings.register_profile("nn3d", deadline=None, derandomize=not SOAK, print_blob=True)
hypothesis.settings.load_profile("nn3d")


def pytest_report_header() -> str:
    return f"nn3d: seed {SEED} (NN3D_SEED), {'full' if SOAK else 'small'} numbers (NN3D_SOAK)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests begin: with two workers, none is left alone with one of them at the end."""
    long = ("tests", "app", "cli", "extract")
    items.sort(key=lambda item: item.path.parent.name not in long)


@pytest.fixture(scope="session", autouse=True)
def _one_torch_thread() -> None:
    """Several suites share the cores; torch's default of all of them slows everything down."""
    if find_spec("torch") is not None and "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """This test's own seed, the same for the same NN3D_SEED; printed when the test fails."""
    value = SEED ^ zlib.crc32(request.node.nodeid.encode())
    sys.stdout.write(f"seed {value} from NN3D_SEED={SEED}\n")
    return value


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    """A generator from this test's own seed."""
    return np.random.default_rng(seed)


@pytest.fixture
def soaking() -> Callable[[int, int], int]:
    """`soaking(5, 50)`: 5 in `make test`, 50 in `make soak`."""
    return lambda small, full: full if SOAK else small
