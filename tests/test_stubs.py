# SPDX-License-Identifier: Apache-2.0
"""The stubs say what the compiled modules take.

pybind11 writes each function's signature into its docstring as the module is built. The stubs
are written by hand, since they know shapes and share words; here the two are held together.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import pytest

import fisher_select

PACKAGE = Path(fisher_select.__file__).parent
Parameters: TypeAlias = dict[str, tuple[str, bool]]
"""Parameters by name: by which way they are given, and whether a call may leave them out."""


@pytest.fixture(params=["_core", pytest.param("_cuda", marks=pytest.mark.cuda)])
def module(request: pytest.FixtureRequest) -> ModuleType:
    """Every compiled module; where its backend is missing, a visible skip."""
    request.getfixturevalue({"_core": "cpu", "_cuda": "cuda"}[request.param])
    return importlib.import_module(f"fisher_select.{request.param}")


def stub_of(name: str) -> dict[str, ast.stmt]:
    """What a stub declares, by name."""
    tree = ast.parse((PACKAGE / f"{name}.pyi").read_text(encoding="utf-8"))
    return {
        (node.target.id if isinstance(node, ast.AnnAssign) else node.name): node
        for node in tree.body
        if isinstance(node, (ast.AnnAssign, ast.ClassDef, ast.FunctionDef))
    }


def parameters(function: ast.FunctionDef, stub: dict[str, ast.stmt]) -> Parameters:
    """Parameters of a function, the fields of an unpacked TypedDict among them."""
    given = function.args
    needed = len(given.args) - len(given.defaults)
    found = {a.arg: ("any", i >= needed) for i, a in enumerate(given.args)}
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        found[argument.arg] = ("keyword", default is not None)
    if given.kwarg is not None:
        unpacked = given.kwarg.annotation
        assert isinstance(unpacked, ast.Subscript)
        found |= fields(ast.unparse(unpacked.slice), stub)
    return found


def fields(name: str, stub: dict[str, ast.stmt]) -> Parameters:
    """Fields of a TypedDict and of its bases, as keywords."""
    node = stub[name]
    assert isinstance(node, ast.ClassDef)
    found: Parameters = {}
    for base in map(ast.unparse, node.bases):
        found |= fields(base, stub) if base != "TypedDict" else {}
    for field in node.body:
        if isinstance(field, ast.AnnAssign):
            optional = ast.unparse(field.annotation).startswith("NotRequired")
            found[ast.unparse(field.target)] = ("keyword", optional)
    return found


def compiled(module: ModuleType) -> dict[str, Parameters]:
    """Functions of a module, by the first lines of their docstrings."""
    found = {}
    for name, value in vars(module).items():
        if callable(value) and not isinstance(value, type) and not name.startswith("_"):
            signature = value.__doc__.splitlines()[0]
            (node,) = ast.parse(f"def {signature}: ...").body
            assert isinstance(node, ast.FunctionDef)
            found[name] = parameters(node, {})
    return found


def test_functions_are_declared_with_their_parameters(module: ModuleType) -> None:
    stub = stub_of(module.__name__.rpartition(".")[2])
    declared = {
        name: parameters(node, stub)
        for name, node in stub.items()
        if isinstance(node, ast.FunctionDef)
    }
    assert declared == compiled(module)


def test_classes_and_values_are_declared(module: ModuleType) -> None:
    stub = stub_of(module.__name__.rpartition(".")[2])
    declared = {
        name
        for name, node in stub.items()
        if not isinstance(node, ast.FunctionDef) and not is_for_the_checker(node)
    }
    public = {name for name in vars(module) if not name.startswith("_")}
    assert declared == public - set(compiled(module))


def is_for_the_checker(node: ast.stmt) -> bool:
    """TypedDicts, which alone have bases here, and aliases exist for type checkers alone."""
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.annotation) == "TypeAlias"
    return isinstance(node, ast.ClassDef) and bool(node.bases)
