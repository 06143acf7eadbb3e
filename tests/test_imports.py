"""Holds the direction of imports: scripts -> get_model, import_data -> segmentation -> device."""

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ("main", "tflite_convert", "tflite_test", "predict", "annotate_segmentation",
           "import_labels")
RUN_BY_OTHERS = ("main",)  # whose constants (OUTPUT_DIR) other scripts take, and MODEL_FILE
TENSORFLOW = ("tensorflow", "keras")


def list_modules():
    """Returns module name -> path of all files but tests, benchmarks and sample data."""
    paths = [*ROOT.glob("*.py"), *ROOT.glob("device/**/*.py"), *ROOT.glob("segmentation/**/*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
            for path in paths}


@functools.cache
def list_nodes(path):
    """Returns all nodes of a file's code that import something."""
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, (ast.Import, ast.ImportFrom))]


def list_imports(path, modules):
    """Returns the names of all modules that a file imports, wherever in it."""
    found = set()
    for node in list_nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= whole & set(modules) or {node.module}
    return found


def layer(name):
    """Returns how high a module stands: device 0, segmentation 1, network and data 2, scripts 3."""
    if name.startswith(("device", "segmentation")):
        return 0 if name.startswith("device") else 1
    return 3 if name in SCRIPTS else 2


def find_upward(modules):
    """Returns the imports that run upward, or from one script to another's."""
    upward = []
    for name, path in modules.items():
        for imported in list_imports(path, modules) & set(modules):
            beside = layer(imported) == layer(name) == 3 and imported not in RUN_BY_OTHERS
            if layer(imported) > layer(name) or beside:
                upward.append(f"{name} -> {imported}")
    return sorted(upward)


def reach(name, modules):
    """Returns all modules that a module imports, directly or through ours."""
    seen, waiting = set(), [name]
    while waiting:
        for imported in list_imports(modules[waiting.pop()], modules) - seen:
            seen.add(imported)
            if imported in modules:
                waiting.append(imported)
    return seen


def test_imports_run_one_way():
    assert find_upward(list_modules()) == []


def test_there_is_no_circle():
    modules = list_modules()
    assert [name for name in modules if name in reach(name, modules)] == []


def test_what_runs_on_the_device_never_reaches_tensorflow():
    modules = list_modules()
    for name in modules:
        if layer(name) == 0 or name == "predict":
            roots = {imported.partition(".")[0] for imported in reach(name, modules)}
            assert not roots & set(TENSORFLOW), name
            assert "segmentation" not in roots, name


def test_a_wrong_import_is_found(tmp_path):
    (tmp_path / "a.py").write_text("from main import EPOCHS\nimport tensorflow.lite as lite\n")
    modules = {"device.a": tmp_path / "a.py", "main": tmp_path / "main.py"}
    (tmp_path / "main.py").write_text("import device.a\n")
    assert find_upward(modules) == ["device.a -> main"]
    assert "device.a" in reach("device.a", modules)
    assert "tensorflow.lite" in reach("device.a", modules)


def test_test_files_have_different_names():
    """pytest imports them by name alone, unless their folder is a package with an __init__.py."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py")
             if path.name != "conftest.py" and not (path.parent / "__init__.py").exists()]
    assert sorted({name for name in names if names.count(name) > 1}) == []
