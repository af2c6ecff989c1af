"""After an hour of typing the LSP process is as small as it was: `make soak`."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import soak

# Minutes; fewer while one works on it, and then the second bound says little.
MINUTES = float(os.environ.get("WICKET_SOAK_MINUTES", "60"))
# Megabytes that no other process shares; and those by which all may have grown from the
# second quarter to the last, the ones that the launcher still shares among them.
MOST_MB, GROWTH_MB = 120, 4


@pytest.mark.soak
def test_memory_stays_flat() -> None:
    found = asyncio.run(soak.measure(MINUTES, seed=1, curve=""))
    assert found["keys"] > 0
    assert found["with_item"] > 0
    assert found["lsp_most_mb"] <= MOST_MB, found
    grown = found["lsp_own_last_quarter_mb"] - found["lsp_own_second_quarter_mb"]
    assert grown <= GROWTH_MB, found
