"""The one rule by which all outlines and masks are drawn, on small pictures by hand."""

from pathlib import Path

import numpy as np
from PIL import Image

from device.images import turn_upright
from segmentation.formats.matching import Fit, Job, fit_labels
from segmentation.formats.painting import paint
from segmentation.formats.pictures import PictureState, split_name
from segmentation.formats.records import Indices, Record, Shape, mask_shape, polygon

VALUES = {"duck": 1, "swan": 2, "ignored": 255, "background": 0}


def draw(*shapes, size=(5, 6)):
    """Returns the label of shapes."""
    return paint(list(shapes), size, VALUES)[0]


def test_an_outline_holds_its_own_pixels():
    label = draw(polygon("duck", [(1, 1), (3, 1), (3, 3), (1, 3)]))
    right = np.zeros((5, 6), np.uint8)
    right[1:4, 1:4] = 1
    assert np.array_equal(label, right)


def test_coordinates_are_rounded_to_hundredths():
    exact = [(1.0, 1.0), (3.0, 1.0), (3.0, 3.0), (1.0, 3.0)]
    near = [(x + 0.004, y - 0.004) for x, y in exact]
    assert np.array_equal(draw(polygon("duck", near)), draw(polygon("duck", exact)))


def test_parts_are_joined_and_holes_keep_their_outline():
    shape = Shape("duck", "polygon", [[(0, 0), (5, 0), (5, 4), (0, 4)]],
                  [[(1, 1), (4, 1), (4, 3), (1, 3)]])
    label = draw(polygon("swan", [(0, 0), (5, 0), (5, 4), (0, 4)]), shape)
    assert label[2].tolist() == [1, 1, 2, 2, 1, 1]
    assert label[1].tolist() == [1, 1, 1, 1, 1, 1]
    two = Shape("duck", "polygon", [[(0, 0), (1, 0), (1, 1)], [(4, 4), (5, 4), (5, 3)]])
    assert draw(two)[0, 0] == draw(two)[4, 5] == 1


def test_masks_are_cut_at_the_pictures_edges():
    full = np.ones((3, 3), bool)
    for left, top, pixels in ((-1, -1, 4), (4, 3, 4), (9, 9, 0), (-5, 0, 0), (0, -9, 0), (1, 1, 9)):
        assert (draw(mask_shape("duck", full, left, top)) == 1).sum() == pixels, (left, top)


def test_shapes_outside_of_the_picture_draw_nothing():
    far = [(90, 90), (99, 90), (99, 99)]
    label, hidden = paint([polygon("duck", far), polygon("swan", far)], (5, 6), VALUES)
    assert not label.any() and not hidden


def test_what_is_hidden():
    small = polygon("duck", [(2, 2), (3, 2), (3, 3)])
    large = [(0, 0), (5, 0), (5, 4), (0, 4)]
    assert paint([small, polygon("swan", large)], (5, 6), VALUES)[1] == ["duck"]
    assert paint([small, polygon("duck", large)], (5, 6), VALUES)[1] == []  # still a duck there
    assert paint([polygon("swan", large), small], (5, 6), VALUES)[1] == []
    assert paint([small, polygon("background", large)], (5, 6), VALUES)[1] == ["duck"]


def test_ready_numbers():
    numbers = np.uint8([[0, 1], [2, 1]])
    label, hidden = paint(Indices(numbers, ["background", "swan", "ignored"]), (2, 2), VALUES)
    assert label.tolist() == [[0, 2], [255, 2]] and hidden == []


def fit(size, stored, orientation, labels_turned=False):
    """Returns how a label of this size fits a picture, and what is said."""
    errors, remarks = [], []
    record = Record(Path("x.json"), ["x"], size, None, {})
    (found,) = fit_labels([Job(Path("x.jpg"), record)], [PictureState(stored, orientation)],
                          labels_turned, errors, remarks)
    return found, len(errors), len(remarks)


def test_the_cases_of_size_of_turned_pictures():
    assert fit((8, 12), (8, 12), 1) == (Fit((8, 12), 1), 0, 0)
    assert fit((8, 12), (12, 8), 6) == (Fit((8, 12), 1), 0, 0)  # drawn as it is looked at
    assert fit((12, 8), (12, 8), 6) == (Fit((12, 8), 6), 0, 1)  # drawn as it is stored
    assert fit((9, 9), (12, 8), 6) == (None, 1, 0)
    assert fit((8, 8), (8, 8), 6) == (Fit((8, 8), 1), 0, 1)  # can't be told, but is said
    assert fit((8, 12), (8, 12), 3, True) == (Fit((8, 12), 3), 0, 2)
    assert fit(None, (12, 8), 8) == (Fit((8, 12), 1), 0, 1)
    assert fit(None, (12, 8), 8, True) == (Fit((12, 8), 8), 0, 2)


def test_labels_are_turned_as_exif_turns_pictures():
    label = np.uint8([[1, 2, 3], [4, 5, 6]])
    right = {2: [[3, 2, 1], [6, 5, 4]], 3: [[6, 5, 4], [3, 2, 1]], 4: [[4, 5, 6], [1, 2, 3]],
             5: [[1, 4], [2, 5], [3, 6]], 6: [[4, 1], [5, 2], [6, 3]],
             7: [[6, 3], [5, 2], [4, 1]], 8: [[3, 6], [2, 5], [1, 4]]}
    for orientation, turned in right.items():
        upright = np.array(turn_upright(Image.fromarray(label), orientation))
        assert upright.tolist() == turned, orientation


def test_names_of_all_kinds():
    assert split_name("A\\B\\c.png") == ["a", "b", "c.png"]
    assert split_name("https://h/a/b%20c.png?t=1")[-2:] == ["a", "b c.png"]
    assert split_name("/data/local-files/?d=a/b.png") == ["a", "b.png"]
    assert split_name("a?b.png") == ["a?b.png"]
    assert split_name("") == [""]
