"""Single-line changes of a Python file that a test should notice."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

SMALL = 10  # whole numbers up to this grow by one, all others double
COMPARED = {ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
            ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"),
            ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"),
            ast.NotIn: ("not in", "in")}  # fmt: skip
COMPUTED = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
            ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "*")}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One changed line."""

    file: str
    line: int
    kind: str
    before: str
    after: str

    @property
    def key(self) -> str:
        """A name that is the same in every run."""
        return f"{self.file}:{self.line} {self.before.strip()} -> {self.after.strip()}"


def mutants(file: str, source: str) -> list[Mutant]:
    """All mutants of a file, in order."""
    lines = source.encode().split(b"\n")
    found = list[Mutant]()
    for node in _nodes(ast.parse(source)):
        for kind, begin, end, text in _changes(node, lines):
            row = node.lineno - 1
            changed = lines[row][:begin] + text.encode() + lines[row][end:]
            before, after = lines[row].decode(), changed.decode()
            if before != after and _compiles(lines, row, changed):
                found.append(Mutant(file, node.lineno, kind, before, after))
    return sorted(set(found), key=lambda each: (each.line, each.kind, each.after))


def _nodes(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Statements and expressions of one line, but for annotations, errors and formatted texts."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr):
            continue
        if isinstance(node, ast.expr | ast.stmt) and node.end_lineno == node.lineno:
            yield node
        if isinstance(node, ast.FunctionDef):
            todo += [*node.body, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif isinstance(node, ast.AnnAssign):
            todo += [node.value] if node.value else []
        else:
            todo += ast.iter_child_nodes(node)


def _changes(node: ast.expr | ast.stmt, lines: list[bytes]) -> Iterator[tuple[str, int, int, str]]:
    """Kind, first and last byte in the line, and the new text of each change to a node."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        pair = COMPARED[type(node.ops[0])]
        yield from _between("comparison", node.left, node.comparators[0], pair, lines)
    elif isinstance(node, ast.BinOp) and type(node.op) in COMPUTED:
        yield from _between("arithmetic", node.left, node.right, COMPUTED[type(node.op)], lines)
    elif isinstance(node, ast.BoolOp):
        pair = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        if len(node.values) == 2:
            yield from _between("and/or", node.values[0], node.values[1], pair, lines)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield "constant", *_span(node), repr(not node.value)
        elif isinstance(node.value, int | float):
            is_small = isinstance(node.value, int) and abs(node.value) <= SMALL
            yield (
                "constant",
                *_span(node),
                repr(node.value + 1 if is_small else node.value * 2 or 1.0),
            )
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "return None", *_span(node), "return None"
    elif _is_an_effect(node):
        yield "removed statement", *_span(node), "pass"


def _is_an_effect(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    if isinstance(node, ast.Assign):
        return not all(isinstance(target, ast.Name) for target in node.targets)
    return isinstance(node, ast.AugAssign)


def _between(
    kind: str, left: ast.expr, right: ast.expr, pair: tuple[str, str], lines: list[bytes]
) -> Iterator[tuple[str, int, int, str]]:
    begin, end = left.end_col_offset, right.col_offset
    if left.end_lineno != right.lineno or begin is None:
        return
    middle = lines[right.lineno - 1][begin:end].decode()
    if middle.count(pair[0]) == 1:
        yield kind, begin, end, middle.replace(*pair)


def _span(node: ast.expr | ast.stmt) -> tuple[int, int]:
    assert node.end_col_offset is not None
    return node.col_offset, node.end_col_offset


def _compiles(lines: list[bytes], row: int, changed: bytes) -> bool:
    try:
        compile(b"\n".join([*lines[:row], changed, *lines[row + 1 :]]), "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True
