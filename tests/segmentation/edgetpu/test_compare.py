"""Tests against what the compiler made of other people's models: no false alarm, no false OK."""

import json

import pytest
from tflite_by_hand import activation, chain, operation, tflite

from segmentation.edgetpu import __main__
from segmentation.edgetpu.compare import compare, find_news, format_comparison


def list_pairs(folder):
    """Returns (source, compiled) paths of a folder of X.tflite and X_edgetpu.tflite."""
    paths = sorted(folder.glob("*.tflite"))
    return [(path, path.with_name(f"{path.stem}_edgetpu.tflite")) for path in paths
            if path.with_name(f"{path.stem}_edgetpu.tflite") in paths]


def test_every_pair_beside_the_project(shared):
    """Of each operation: no CPU or REFUSED where it was mapped, no OK where it was left."""
    pairs = list_pairs(shared / "data/edgetpu/pairs")
    assert len(pairs) >= 17
    counted = {}
    for model, compiled in pairs:
        compared = compare(model, compiled)
        wrong = [(op.name, op.verdict, op.outputs[0].name) for op, is_left in compared
                 if op.verdict in (("OK", "NOTE") if is_left else ("CPU", "REFUSED", "RISK"))]
        assert wrong == [], model.name
        counted[model.name] = sum(is_left for _, is_left in compared)
    logs = json.loads((shared / "data/edgetpu/compiler_logs.json").read_text())
    expected = {pair["file"]: sum(pair["left_on_cpu"].values()) for pair in logs["compiled_pairs"]}
    assert {name: expected[name] for name in counted} == counted


COMPILED = [operation("edgetpu-custom-op", ["t0"], ["t1"], custom=b"program")]


def test_news_are_rows_for_the_evidence():
    """By hand: a LOGISTIC larger than any seen was mapped, a TANH called OK was left."""
    size = 2_000_000
    tensors = {name: activation(1, size) for name in ("t0", "t1", "t2")}
    model = tflite([operation("LOGISTIC", ["t0"], ["t1"], 2), operation("TANH", ["t1"], ["t2"])],
                   tensors, ["t0"], ["t2"])
    compiled = tflite([*COMPILED, operation("TANH", ["t1"], ["t2"])], tensors, ["t0"], ["t2"])
    compared = compare(model, compiled)
    assert [(op.name, is_left) for op, is_left in compared] == [("LOGISTIC", False), ("TANH", True)]
    row = {"version": 2, "input": [1, size], "output": [1, size], "source": "mine"}
    news = find_news(compared, "mine")
    assert news["mapped"] == [{"operation": "LOGISTIC", **row}]
    assert news["left"] == [{"operation": "TANH", **row, "version": 1,
                             "words": "outside the compiled operation"}]
    text = format_comparison(compared, "mine")
    assert "1 of 2 operations were left" in text and "called 1 of them OK" in text
    assert json.dumps(news["mapped"][0]) in text


def test_the_command_compares_two_files(tmp_path, capsys):
    model = chain("RELU", types=["INT8"] * 2)
    tensors = {name: activation(1, 8) for name in ("t0", "t1")}
    for name, data in (("a", model), ("a_edgetpu", tflite(COMPILED, tensors, ["t0"], ["t1"]))):
        (tmp_path / f"{name}.tflite").write_bytes(data)
    paths = [str(tmp_path / "a.tflite"), str(tmp_path / "a_edgetpu.tflite")]
    assert __main__.main(paths) == 0
    assert capsys.readouterr().out.startswith("0 of 1 operations were left on the CPU")


@pytest.mark.parametrize("place", [0, 1])
def test_a_damaged_file_is_one_sentence(place):
    files = [chain("RELU", types=["INT8"] * 2)] * 2
    files[place] = files[place][:50]
    with pytest.raises(ValueError, match="truncated"):
        compare(*files)
