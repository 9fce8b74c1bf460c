"""Which room may know which, held by reading the imports; nothing of skhpo is imported for it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 500

ALLOWED = {
    "_blas": set(),
    "_devices": set(),
    "_records": set(),
    "_sklearn": {"_records"},
    "_warnings": set(),
    "space": {"_records"},
    "schedulers": {"_records"},
    "torch": {"_devices", "_records", "_sklearn", "_warnings"},
    "evaluation": {"_devices", "_records", "_sklearn", "_warnings", "torch"},
    "journal": {"_records"},
    "displays": {"_records"},
    "samplers": {"space"},
    "execution": {
        "_blas",
        "_devices",
        "_records",
        "_sklearn",
        "_warnings",
        "space",
        "samplers",
        "schedulers",
        "evaluation",
        "journal",
    },
    "optimizer": {"_blas", "space", "samplers"},
    "testing": {"_records", "space", "samplers", "schedulers", "evaluation"},
    "search": {
        "_devices",
        "_records",
        "_sklearn",
        "_warnings",
        "space",
        "samplers",
        "schedulers",
        "evaluation",
        "execution",
        "journal",
        "displays",
        "optimizer",
    },
}
"""Rooms that each room may import; every one may import itself, and ``skhpo/__init__.py`` all."""

FOREIGN = {"samplers": {"numpy", "scipy"}, "schedulers": set(), "_records": set()}
"""Packages that a room may import beside the standard library, where that is limited."""

HEAVY = {
    "torch",
    "skorch",
    "xgboost",
    "lightgbm",
    "matplotlib",
    "pandas",
    "polars",
    "rich",
    "distributed",
    "dask",
    "ray",
}
"""What nobody should wait for who does not use it: imported inside functions only."""

LAZY = {
    "skhpo.torch",
    *(f"skhpo.execution.{name}" for name in ("_dask", "_dask_data", "_dask_remote", "_ray")),
}
"""Modules and rooms that are nothing without a heavy package, and count as heavy themselves."""


def imports(source, module):
    """(line, dotted name) of each module or name that a module's source imports.

    ``from a.b import c`` is ``a.b.c``; relative imports are resolved against ``module``, the dotted
    name of the file with ``__init__`` kept.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(module.split(".")[: -node.level]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            for alias in node.names:
                yield node.lineno, f"{origin}.{alias.name}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "importlib.import_module",
            "__import__",
        ):
            if node.args and isinstance(node.args[0], ast.Constant):
                yield node.lineno, str(node.args[0].value)


def executed_at_import(tree):
    """Statements of a module that run when it is imported."""
    waiting = list(ast.iter_child_nodes(tree))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def heavy_imports(source):
    """Lines of a module at which one of the heavy packages is imported with the module itself."""
    for node in executed_at_import(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        if any(name.split(".")[0] in HEAVY or is_lazy(name) for name in names):
            yield node.lineno


def is_lazy(name):
    """Whether a module is one of those, or in a room that is."""
    return any(name == lazy or name.startswith(f"{lazy}.") for lazy in LAZY)


def is_private(part):
    return part.startswith("_") and not part.endswith("__")


def complaints(path, source):
    """What is wrong with the imports of ``skhpo/<path>``."""
    parts = path.removesuffix(".py").split("/")
    room, module = parts[0], ".".join(["skhpo", *parts])
    for line, name in imports(source, module):
        package, *rest = name.split(".")
        where = f"skhpo/{path}:{line}: {name}"
        if package == "skhpo" and room != "__init__":
            other = rest[0] if rest else "__init__"
            if room not in ALLOWED:
                yield f"{where}: the room {room!r} has no line in ALLOWED"
            elif other != room and other not in ALLOWED[room]:
                yield f"{where}: {room} may not import {other}"
            elif other != room and any(map(is_private, rest[1:])):
                yield f"{where}: private to another room"
        elif package == "sklearn" and path != "_sklearn.py" and any(map(is_private, rest)):
            yield f"{where}: private names of scikit-learn belong in _sklearn.py"
        if package not in sys.stdlib_module_names | {"skhpo"} and package not in FOREIGN.get(room, {package}):
            yield f"{where}: {room} may not import {package}"


def files(folder):
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def test_imports_go_one_way():
    found = files("skhpo")
    assert len(found) > 10
    wrong = [
        complaint
        for path in found
        for complaint in complaints(path.relative_to(ROOT / "skhpo").as_posix(), path.read_text("utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


def test_rooms_have_no_cycle():
    """An order exists in which every room stands after all that it may import."""
    placed: set[str] = set()
    while ready := {room for room in ALLOWED.keys() - placed if ALLOWED[room] <= placed}:
        placed |= ready
    assert placed == ALLOWED.keys()


@pytest.mark.parametrize(
    ("path", "source", "message"),
    [
        ("space/_x.py", "from skhpo.samplers import Sampler", "space may not import samplers"),
        ("space/_x.py", "def f():\n    import skhpo.search", "space may not import search"),
        ("space/_x.py", "from ..schedulers import Everyone", "space may not import schedulers"),
        ("space/_x.py", "from .. import journal", "space may not import journal"),
        ("space/_x.py", "import importlib\nimportlib.import_module('skhpo.search')", "may not import search"),
        ("space/_x.py", "from skhpo import SearchCV", "space may not import SearchCV"),
        ("samplers/tpe/_x.py", "from skhpo._records import Trial", "samplers may not import _records"),
        ("samplers/tpe/_x.py", "from skhpo.space._space import Space", "private to another room"),
        ("samplers/_x.py", "from sklearn.utils import check_random_state", "samplers may not import sklearn"),
        ("samplers/_x.py", "import joblib", "samplers may not import joblib"),
        ("schedulers/_x.py", "import numpy as np", "schedulers may not import numpy"),
        ("schedulers/_x.py", "from skhpo.journal import Journal", "schedulers may not import journal"),
        ("_records.py", "from skhpo.space import Space", "_records may not import space"),
        ("search/_x.py", "from sklearn.model_selection._search import BaseSearchCV", "belong in _sklearn"),
        ("search/_x.py", "from sklearn.base import _fit_context", "belong in _sklearn"),
        ("__init__.py", "from sklearn.base import _fit_context", "belong in _sklearn"),
        ("attic/_x.py", "from skhpo.space import Space", "'attic' has no line in ALLOWED"),
    ],
)
def test_a_wrong_import_is_found(path, source, message):
    (complaint,) = complaints(path, source)
    assert message in complaint


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "samplers/tpe/_x.py",
            "import math\nimport numpy as np\nfrom scipy.stats import qmc\nfrom skhpo.space import Space",
        ),
        ("samplers/tpe/_x.py", "from ._parzen import Parzen\nfrom skhpo.samplers._base import Sampler"),
        ("schedulers/_x.py", "import heapq\nfrom skhpo._records import Job"),
        ("_sklearn.py", "from sklearn.model_selection._search import BaseSearchCV"),
        ("search/_x.py", "from skhpo._sklearn import BaseSearchCV\nimport torch"),
        ("__init__.py", "from skhpo.search import SearchCV\nfrom skhpo.space import Real"),
    ],
)
def test_a_right_import_is_not(path, source):
    assert list(complaints(path, source)) == []


def too_long(texts):
    return {name: n for name, text in texts.items() if (n := len(text.splitlines())) > LONGEST}


def test_files_are_short():
    texts = {str(p.relative_to(ROOT)): p.read_text("utf-8") for f in ("skhpo", "tests") for p in files(f)}
    assert too_long(texts) == {}
    assert too_long({"x.py": "pass\n" * (LONGEST + 1), "y.py": "pass\n" * LONGEST}) == {"x.py": LONGEST + 1}


def test_heavy_packages_are_imported_inside_functions():
    found = {
        str(path): lines
        for path in files("skhpo")
        if not is_lazy(".".join(path.relative_to(ROOT).with_suffix("").parts))
        and (lines := list(heavy_imports(path.read_text("utf-8"))))
    }
    assert not found
    for bad in (
        "import torch",
        "from skhpo.execution._dask import x",
        "from skhpo.torch import x",
        "try:\n    from pandas.api import x\nexcept ImportError:\n    x = 1",
    ):
        assert list(heavy_imports(bad))
    for good in (
        "def f():\n    import torch",
        "if TYPE_CHECKING:\n    import pandas",
        "from .torch import x",
    ):
        assert not list(heavy_imports(good))


def test_importing_skhpo_loads_no_heavy_package():
    """Beside those that scikit-learn loads by itself, as it does with pandas where there is one."""
    code = (
        "import sys, sklearn.model_selection\n"
        "before = set(sys.modules)\n"
        "import skhpo\n"
        "print(*sorted(sys.modules.keys() - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "skhpo.search" in loaded  # what is loaded is seen
    assert not {name.split(".")[0] for name in loaded} & HEAVY
