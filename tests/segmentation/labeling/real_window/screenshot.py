"""Paints a swan in the real window and saves a picture of it; see run_window_test.py."""

import os
import shutil
import sys
import time

WINDOW_SIZE = (1120, 640)
EXACT_COLORS = 40  # the most frequent ones: of the panel and the bars
SCENE = ("blackswan_00000", "mallard-water_00010", "flamingo_00004", "mallard-fly_00012")
CLASSES = ("background", "bird", "water", "plants", "wall")
WATER = ((0, 70), (40, 66), (90, 61), (122, 57), (130, 56), (150, 55), (168, 53), (178, 75),
         (174, 110), (166, 143), (0, 143))
BIRD = ((127, 22), (136, 23), (141, 33), (146, 38), (145, 39), (134, 33), (131, 34), (131, 37),
        (140, 66), (152, 89), (152, 96), (148, 103), (133, 106), (128, 109), (121, 111), (99, 112),
        (91, 115), (62, 114), (52, 112), (40, 107), (39, 106), (56, 101), (63, 100), (53, 96),
        (47, 98), (52, 94), (50, 83), (52, 76), (57, 75), (64, 79), (67, 73), (70, 73), (75, 77),
        (81, 74), (84, 77), (101, 80), (107, 82), (126, 93), (136, 95), (139, 92), (139, 89),
        (132, 72), (129, 59), (127, 49), (126, 39), (124, 35), (124, 26))
PLANTS = ((0, 0), (133, 0), (130, 10), (124, 20), (118, 26), (106, 24), (98, 31), (88, 31),
          (82, 40), (74, 36), (62, 34), (50, 33), (42, 39), (30, 36), (20, 41), (8, 38), (0, 40))
SHADOW = ((58, 122), (80, 123), (100, 120), (120, 116))
WALL = ((150, 51), (147, 40), (158, 31), (176, 27), (198, 23))


def take_screenshot(python, folder, path, image_dir):
    """Paints a part of the scene, and saves the window as it is then.

    Args: path of the PNG; image_dir, the folder with the images of SCENE.
    """
    from run_window_test import ROOT, open_program

    sys.path.insert(0, str(ROOT))

    images = folder / "images"
    images.mkdir()
    for stem in SCENE:
        found = next(image_dir.glob(f"{stem}.*"), None)
        if found is None:
            sys.exit(f"There is no {stem} in {image_dir}: name the folder of the DAVIS images.")
        shutil.copy(found, images)
    with open_program(python, folder, images, CLASSES, WINDOW_SIZE) as hand:
        hand.key("n", index=1)
        hand.key("x", labeled=1)
        while hand.state()["index"] != 0:
            hand.key("Left")
            time.sleep(0.5)
        hand.key("l", tool="lasso")
        for value, outline in (("2", WATER), ("3", PLANTS), ("1", BIRD)):
            hand.key(value, value=int(value))
            hand.drag(outline)
        hand.key("i", value=255)
        hand.key("b", tool="brush")
        hand.drag(SHADOW)
        hand.key("4", value=4)
        hand.key("c", tool="polygon")
        for point in WALL:
            hand.click(point)
            time.sleep(0.5)
        hand.go((222, 19))
        time.sleep(1)
        save_window(hand, path)
        hand.key("Escape", points=0)
        hand.do("key", "q")


def save_window(hand, path):
    """Saves what the X server shows of the window, in 256 colors: small enough for a README."""
    from PIL import Image, ImageGrab

    from device.drawing import CLASS_COLORS

    left, top, width, height = hand.state()["outer"]
    picture = ImageGrab.grab(xdisplay=hand.display).crop((left, top, left + width, top + height))
    counted = sorted(picture.getcolors(width * height), reverse=True)
    exact = [*CLASS_COLORS[:len(CLASSES)], *(color for _, color in counted[:EXACT_COLORS])]
    mixed = picture.quantize(256 - len(exact), kmeans=4).getpalette()[:3 * (256 - len(exact))]
    palette = Image.new("P", (1, 1))
    palette.putpalette([channel for color in exact for channel in color] + mixed)
    picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(
        path, "PNG", optimize=True)
    print(f"{path}: {width}x{height}, {os.path.getsize(path):,} bytes")
