"""What runs on the device is read by Python 3.9: Raspberry Pi OS 11 has no newer one."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATHS = [ROOT / "predict.py", *sorted((ROOT / "device").glob("*.py"))]


def find_newer(source):
    """Returns the lines that Python 3.9 can't run: zip's strict, and unions in annotations."""
    lines = []
    for node in ast.walk(ast.parse(source, feature_version=(3, 9))):  # raises for match statements
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "zip" and node.keywords:
            lines.append(node.lineno)
        annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
        if isinstance(annotation, ast.AST) and any(
                isinstance(part, ast.BitOr) for part in ast.walk(annotation)):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_nothing_newer(path):
    assert find_newer(path.read_text(encoding="utf-8")) == []


def test_what_is_newer_is_found():
    assert find_newer("for a in zip(b, c, strict=True):\n    d: int | None = a") == [1, 2]
    with pytest.raises(SyntaxError):
        find_newer("match a:\n    case 1:\n        pass")
