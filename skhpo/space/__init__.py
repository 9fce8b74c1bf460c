"""What may be searched: dimensions, conditional trees, and parameter dicts as points of a cube."""

from skhpo.space._columns import Column
from skhpo.space._dimensions import Categorical, Dimension, Integer, Ordinal, Real
from skhpo.space._lattice import Lattice
from skhpo.space._parsing import Choice, as_space
from skhpo.space._space import Space

__all__ = [
    "Categorical",
    "Choice",
    "Column",
    "Dimension",
    "Integer",
    "Lattice",
    "Ordinal",
    "Real",
    "Space",
    "as_space",
]
