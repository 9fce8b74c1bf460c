"""What may be searched: dimensions, conditional trees, and parameter dicts as points of a cube."""

from skhpo.space._dimensions import Categorical, Dimension, Integer, Ordinal, Real
from skhpo.space._parsing import Choice, as_space
from skhpo.space._space import Column, Space

__all__ = ["Categorical", "Choice", "Column", "Dimension", "Integer", "Ordinal", "Real", "Space", "as_space"]
