"""The text of an expression: read into a tree, and where in it something is wrong."""

from __future__ import annotations

import ast
from typing import Any, NoReturn

from distml.derive.functions import FUNCTIONS
from distml.errors import ConfigError

MAX_LENGTH = 2_000
MAX_DEPTH = 100
ALLOWED = (
    'columns, col("a name with spaces"), numbers, texts, True, False, None, + - * / // % **, < <= > >= == != in, '
    f"and or not, a if condition else b, and {', '.join(FUNCTIONS)}"
)


class ExpressionText:
    """A text that Python's parser could make a tree of. place: what errors call it, as in features.derived.ratio.

    Raises `ConfigError` for a text that is no expression, too long or too deeply nested. What the nodes of the tree
    are is not looked at here.
    """

    def __init__(self, text: str, place: str) -> None:
        self.text = text.replace("\n", " ").strip()
        self.place = place
        self.tree = self._parse()

    def names(self) -> tuple[str, ...]:
        """The columns that the expression names, in the order that it names them."""
        return tuple(dict.fromkeys(name for _, name in self._named()))

    def refuse_name(self, name: str, rule: str, received: Any = None, remedy: str | None = None) -> NoReturn:
        """Raises `ConfigError` that names the first place where a column is named."""
        self._refuse(next(p for p, named in self._named() if named == name), rule, received, remedy)

    def _named(self) -> list[tuple[int, str]]:
        """(character, column) wherever one is named."""
        called = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        found: list[tuple[int, str]] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and id(node) not in called:
                found.append((self._character(node), node.id))
            elif isinstance(node, ast.Call) and (name := named_by_col(node)) is not None:
                found.append((self._character(node), name))
        return sorted(found)

    def source(self, node: ast.AST) -> str:
        """What is written of a node, at most 60 characters."""
        return (ast.get_source_segment(self.text, node) or type(node).__name__)[:60]

    def refuse(self, node: ast.AST, rule: str, received: Any = None, remedy: str | None = None) -> NoReturn:
        """Raises `ConfigError` that names the place of a node."""
        self._refuse(self._character(node), rule, received, remedy)

    def _character(self, node: ast.AST) -> int:
        """Where a node begins, from 1. Python's own offsets count bytes of UTF-8."""
        before = self.text.encode()[: getattr(node, "col_offset", 0)]
        return len(before.decode(errors="ignore")) + 1

    def _refuse(self, position: int, rule: str, received: Any = None, remedy: str | None = None) -> NoReturn:
        shown = self.text if len(self.text) <= 120 else f"{self.text[:117]}..."
        raise ConfigError(
            rule, received=received, where=f"{self.place}, character {position} of {shown!r}", remedy=remedy
        ) from None

    def _parse(self) -> ast.expr:
        if len(self.text) > MAX_LENGTH:
            self._refuse(MAX_LENGTH, f"an expression has at most {MAX_LENGTH:,} characters", len(self.text))
        try:
            tree = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            self._refuse(error.offset or 1, "an expression can be read", error.msg, self._remedy())
        except (ValueError, RecursionError, MemoryError) as error:
            self._refuse(1, "an expression can be read", str(error) or "one too deeply nested")
        level, depth = [tree], 0
        while level:
            level, depth = [child for node in level for child in ast.iter_child_nodes(node)], depth + 1  # type: ignore[misc]
            if depth > MAX_DEPTH:
                self._refuse(1, f"an expression is nested at most {MAX_DEPTH} deep",
                             remedy="make it of several derived columns")  # fmt: skip
        return tree

    def _remedy(self) -> str:
        if "if(" in self.text.replace(" ", ""):
            return "write where(condition, then, otherwise)"
        return f'it may hold {ALLOWED}; a column of another name than letters, digits and _ is written col("its name")'


def named_by_col(call: ast.Call) -> str | None:
    """The column that a call of `col` names; None for another call, or one that names none."""
    if not (isinstance(call.func, ast.Name) and call.func.id == "col" and len(call.args) == 1):
        return None
    name = call.args[0]
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None
