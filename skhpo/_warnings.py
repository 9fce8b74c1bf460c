"""Warnings that point at the user's own line."""

from __future__ import annotations

import sys
import warnings
from types import FrameType


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that called ``fit``, however deep in here and in scikit-learn's wrappers this is."""
    depth, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_inside(frame):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(message, category, stacklevel=depth)


def _is_inside(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").split(".")[0] in ("skhpo", "sklearn")
