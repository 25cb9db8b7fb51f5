"""Where things lie: the checkout, and the real data beside it."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
#: Real images and weights, where the machine has them; tests that need them skip.
SHARED = REPOSITORY.parent / "shared"
