"""Holds README.md and docs/ against the code: links, commands, constants, keys, lengths."""

import ast
import re
from pathlib import Path

import pytest

from segmentation.labeling.keys import GROUPS, KEYS

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
SCRIPTS = sorted(ROOT.glob("*.py"))
README_WORDS = range(900, 1400)
README_TABLE_ROWS = 10
README_PARTS = 10


def read(path):
    return path.read_text(encoding="utf-8")


def without_code(text):
    """Returns a page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)


def list_anchors(path):
    """Returns the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", without_code(read(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def list_tables(text):
    """Returns the tables of a page: for each a list of rows, each a list of cells."""
    blocks = re.findall(r"(?:^\|.*\n)+", without_code(text) + "\n", re.MULTILINE)
    return [[[cell.strip() for cell in line.strip("|").split(" | ")]
             for line in block.splitlines() if not re.fullmatch(r"[|\-: ]+", line)]
            for block in blocks]


def list_constants(script):
    """Returns the constants of a script: name -> its value, or None where it is no literal."""
    found = {}
    for node in ast.parse(read(script)).body:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if re.fullmatch("[A-Z][A-Z0-9_]*", target.id):
                try:
                    found[target.id] = ast.literal_eval(node.value)
                except ValueError:
                    found[target.id] = None
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(read(page))):
        if re.match("https?:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in list_anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_names_a_script_that_is_there(page):
    names = re.findall(r"\bpython3? (\w[\w/]*\.py)", read(page))
    modules = re.findall(r"\bpython3? -m (segmentation[\w.]*)", read(page))
    paths = [*names, *(module.replace(".", "/") for module in modules)]
    assert not [path for path in paths
                if not (ROOT / path).exists() and not (ROOT / f"{path}.py").exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_is_there(page):
    names = re.findall(r"`([\w./]+/\w+\.(?:py|sh))`", read(page))
    assert not [name for name in names if not (ROOT / name.removeprefix("output/")).exists()]


def test_settings_name_every_constant_and_its_default():
    sections = re.split(r"^## (?=\w+\.py$)", read(ROOT / "docs/settings.md"), flags=re.MULTILINE)
    described = {}
    for section in sections[1:]:
        name, _, text = section.partition("\n")
        described[name] = {constant: cells[1] for table in list_tables(text) for cells in table[1:]
                           for constant in re.findall("`([A-Z0-9_]+)`", cells[0])}
    constants = {path.name: list_constants(path) for path in SCRIPTS}
    assert {name: sorted(rows) for name, rows in described.items()} == {
        name: sorted(values) for name, values in constants.items() if values}
    for name, values in constants.items():
        for constant, value in values.items():
            default = re.fullmatch("`([^`]+)`", described[name][constant])
            if default:
                assert ast.literal_eval(default[1]) == value, f"{name}: {constant}"


def format_key_table():
    """Returns the table of keys in Markdown."""
    lines = []
    for title, group in GROUPS.items():
        lines.append(f"| **{title}** | |")
        lines += [f"| {shown} | {text} |" for shown, _, _, text in group]
    return "\n".join(["| key or mouse | what it does |", "|---|---|", *lines])


def test_the_table_of_keys_is_the_windows_own():
    assert format_key_table().count("\n") == len(KEYS) + len(GROUPS) + 1
    assert format_key_table() in read(ROOT / "docs/labeling.md")


def test_the_readme_stays_a_landing_page():
    text = read(README)
    assert len(text.split()) in README_WORDS
    assert max(len(table) - 1 for table in list_tables(text)) <= README_TABLE_ROWS
    numbers = re.findall(r"^## (\d+)\. ", text, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, README_PARTS + 1)]


def test_every_page_is_linked_from_the_readme_or_another_page():
    linked = {(page.parent / link.partition("#")[0]).resolve()
              for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", read(page))}
    orphans = {path for path in (ROOT / "docs").iterdir() if path.is_file()} - linked
    assert sorted(path.name for path in orphans) == []
