"""What is raised where nets cannot be trained together."""

from __future__ import annotations


class CannotTogether(Exception):
    """These nets cannot be trained together, for the reason given; each alone can. They are as they were."""
