"""Tests of device/areas.py: pixels, shares and alerts by hand."""

import json

import numpy as np
import pytest

from device import areas
from device.errors import InputError

NAMES = ["ground", "duck", "heron"]
AREAS = np.array([90, 9, 1])


def test_pixels_of_each_class_even_of_those_that_are_not_there():
    assert areas.count_areas(np.array([[0, 1, 1], [1, 1, 0]], np.uint8), 4).tolist() == [2, 4, 0, 0]


def test_an_alert_is_above_its_share_not_at_it():
    assert areas.find_alerts(AREAS, NAMES, None) == []
    assert areas.find_alerts(AREAS, NAMES, {"heron": 0.01, "duck": 0.0899}) == ["duck"]
    assert areas.format_alert("a", ["duck", "heron"], AREAS, NAMES, {"duck": 0.05, "heron": 0}) == (
        "ALERT a: duck 9.00% (above 5.00%), heron 1.00% (above 0.00%)")


def test_json_line():
    line = json.loads(areas.format_json_line("a\n", AREAS, NAMES, ["duck"]))
    assert line.pop("time").count("T") == 1
    assert line == {"picture": "a\n", "pixels": {"ground": 90, "duck": 9, "heron": 1},
                    "shares": {"ground": 0.9, "duck": 0.09, "heron": 0.01}, "alerts": ["duck"]}


@pytest.mark.parametrize("alert", [{"duck": 2}, {"duck": "1"}, ["duck"], {"duck": -0.1}])
def test_alert_is_checked(alert):
    with pytest.raises(InputError, match=r'must be None or class names and shares.*"heron": 0.002'):
        areas.check_alert(alert, NAMES)


def test_rows_are_written_at_once(tmp_path):
    with areas.open_area_table(tmp_path / "areas.csv", NAMES) as add:
        add("a", AREAS)
        lines = (tmp_path / "areas.csv").read_text().splitlines()
    assert lines[0] == ("time,picture,ground pixels,duck pixels,heron pixels,ground share,"
                        "duck share,heron share")
    assert lines[1].partition(",")[2] == "a,90,9,1,0.900000,0.090000,0.010000"
