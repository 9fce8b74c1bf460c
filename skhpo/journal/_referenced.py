"""What a function's code reads that is not its own: helpers, imported functions, constants of the module.

An edited helper, or another constant, makes another function of one whose own code is the same.
"""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LIBRARIES = tuple(
    Path(path) for name, path in sysconfig.get_paths().items() if name in ("stdlib", "purelib", "platlib")
)
_INSTALLED = {"site-packages", "dist-packages"}
_OWN = __name__.partition(".")[0]


def referenced(function: types.FunctionType) -> dict[str, Any]:
    """Values of the global names that a function reads, by name; attributes of modules as "module.name".

    Libraries are not looked into: a function of theirs reads nothing, and of their modules there are no
    attributes. Names that the function assigns to, counters say, are left out.
    """
    if _is_library(function.__module__):
        return {}
    read, written, attributes = set(), set(), set()
    for code in _codes(function.__code__):
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                read.add(step.argval)
            elif step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                written.add(step.argval)
            elif step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                attributes.add(step.argval)
    # What is neither here nor there is a builtin, or not defined yet.
    found = {name: function.__globals__[name] for name in read - written if name in function.__globals__}
    modules = {value for value in found.values() if isinstance(value, types.ModuleType)}
    seen: set[types.ModuleType] = set()
    while modules:
        module = modules.pop()
        seen.add(module)
        if not _is_library(module.__name__):
            inside = {name: vars(module)[name] for name in attributes & vars(module).keys()}
            found |= {f"{module.__name__}.{name}": value for name, value in inside.items()}
            modules |= {value for value in inside.values() if isinstance(value, types.ModuleType)} - seen
    return {name: found[name] for name in sorted(found)}


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code, and that of the functions and comprehensions inside."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


@functools.cache
def _is_library(module: str | None) -> bool:
    """Whether a module is installed, and not the user's own."""
    if module is None or module == "__main__":
        return False
    if module.partition(".")[0] in (_OWN, *sys.builtin_module_names):
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return False
    path = Path(file)
    return bool(_INSTALLED & set(path.parts)) or any(path.is_relative_to(room) for room in _LIBRARIES)
