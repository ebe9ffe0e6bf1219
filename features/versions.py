"""The version of a feature's definition: a model is refused a feature that is no longer what it learned from.

A version is a hash of what decides the values: the formula and every function of these packages that it calls by name, the
facts it asks for with their conditions, window, peers and relation. Comments, docstrings, sentences and formatting do not
count. The engine's own code (windows, fold) does not either: it is tested to give the same values, and a scoring's lineage
holds the hash of all code.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from features.catalog import facts_of
from features.declaration import Feature
from features.errors import ContractError

_OWN = "features."


@cache
def version_of(feature: Feature) -> str:
    """Eight hexadecimal digits that change with the definition."""
    decides = (feature.window, feature.peers, feature.relation, feature.formula, facts_of(feature))
    return hashlib.sha256(_told(decides, frozenset()).encode()).hexdigest()[:8]


def require(names: Sequence[str], versions: Mapping[str, str], shown: Sequence[Feature]) -> None:
    """Raise ContractError, with a diff, unless the features `shown` by the tables hold those `names` that a model needs,
    in the `versions` it learned from (by name; one without is not compared).

    Features that the model does not know are told in the diff and are no reason to refuse.
    """
    by_name = {feature.name: feature for feature in shown}
    unknown = [name for name in by_name if name not in set(names)]
    lines = []
    for name in names:
        if name not in by_name:
            close = get_close_matches(name, unknown, n=1)
            lines.append(f"  - {name}: no table shows it" + (f"; the closest there is: {close[0]}" if close else ""))
        elif name in versions and versions[name] != (now := version_of(by_name[name])):
            lines.append(f"  ~ {name}: its definition changed, {versions[name]} when the model learned, {now} now")
    if not lines:
        return
    lines += [f"  + {name}: the model does not know it" for name in unknown]
    raise ContractError(
        f"tables: they do not fit the model, which has {len(names)} features (- missing, ~ changed, + unknown):\n"
        + "\n".join(lines)
        + "\nIngest the tables and columns that the model was trained with, or run `holdfast featurize` and "
        "`holdfast train` again."
    )


def _told(value: Any, above: frozenset[Any]) -> str:
    """The value as text that is the same wherever and whenever it is the same definition."""
    if inspect.isfunction(value):
        return f"<{_function(value, above)}>"
    if is_dataclass(value) and not isinstance(value, type):
        own = ",".join(f"{field.name}={_told(getattr(value, field.name), above)}" for field in fields(value))
        return f"{type(value).__name__}({own})"
    if isinstance(value, tuple | list):
        return "(" + ",".join(_told(item, above) for item in value) + ")"
    if isinstance(value, set | frozenset):
        return "{" + ",".join(sorted(_told(item, above) for item in value)) + "}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_told(key, above)}:{_told(item, above)}" for key, item in value.items()) + "}"
    if value is None or isinstance(value, str | int | float | bool):
        return repr(value)
    return type(value).__qualname__  # a module or a class of a library: its name stands in the source


def _function(function: Callable[..., Any], above: frozenset[Any]) -> str:
    """Its source without words, what it closes over, and the functions and constants of these packages that it names."""
    if function in above:
        return function.__qualname__  # it calls itself
    above |= {function}
    nodes = _nodes(function)
    names = sorted({child.id for node in nodes for child in ast.walk(node) if isinstance(child, ast.Name)})
    told = [ast.unparse(node) for node in nodes]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        told.append(f"{name}={_told(cell.cell_contents, above)}")
    for name in names:
        value = function.__globals__.get(name)
        if inspect.isfunction(value) and not value.__module__.startswith(_OWN):
            continue
        if value is not None and not inspect.ismodule(value) and not inspect.isclass(value):
            told.append(f"{name}={_told(value, above)}")
    return ";".join(told)


def _nodes(function: Callable[..., Any]) -> list[ast.AST]:
    """What the source has at the function's first line: the function, or all lambdas of that line."""
    code = function.__code__
    found = _by_line(code.co_filename).get(code.co_firstlineno, [])
    return [node for node in found if isinstance(node, ast.Lambda) == (code.co_name == "<lambda>")]


@cache
def _by_line(file: str) -> dict[int, list[ast.AST]]:
    """The functions of a file by their first line, without decorators, docstrings and annotations."""
    with open(file, encoding="utf-8") as source:
        tree = ast.parse(source.read())
    lines: dict[int, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines.setdefault(first, []).append(node)
        elif isinstance(node, ast.Lambda):
            lines.setdefault(node.lineno, []).append(node)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list, node.returns = [], None
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.arg):
            node.annotation = None
    return lines
