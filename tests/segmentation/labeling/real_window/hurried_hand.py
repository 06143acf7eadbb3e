"""What goes wrong in a hurry, in the real window: quick clicks, sizes, a close under way."""

import math
import subprocess
import sys
import time

NAMES = ["background", "bird", "water", "sky"]


def work_in_a_hurry(python, folder):
    """Works in two windows on one folder; exits with a sentence where something is lost."""
    from run_window_test import make_images, open_program

    folder = folder / "hurry"
    folder.mkdir()
    make_images(folder / "images")
    with open_program(python, folder, folder / "images", NAMES) as hand:
        with open_program(python, folder, folder / "images", NAMES, state="other.json") as other:
            click_quickly(hand, folder)
            change_size(hand)
            close_with_corners_under_way(hand)
            paint_in_both(hand, other, folder)
            other.do("key", "q")
        hand.do("key", "q")
    if hand.program.returncode or other.program.returncode:
        sys.exit("A window that was closed did not end well.")


def click_quickly(hand, folder):
    """Clicks 24 corners every 150 ms, few pixels apart on the screen, and closes with Enter."""
    circle = [(200 + 60 * math.cos(angle / 12 * math.pi), 150 + 60 * math.sin(angle / 12 * math.pi))
              for angle in range(24)]
    hand.hurry(circle)
    hand.wait("quick corners", points=24)
    hand.key("Return", points=0, steps=1)
    hand.wait("the label on the disk", saved=True)
    share = count_pixels(folder, "photo_0", 1) / (math.pi * 60**2)
    if not 0.97 < share < 1.01:
        sys.exit(f"A circle of quick corners has {share:.3f} of its pixels.")
    # Three or four screen pixels apart: for the toolkit double clicks.
    close = [(20.0, 120.0), *((50 + 1.5 * step, 40.0) for step in range(9))]
    hand.hurry(close, 0.05)
    hand.wait("quick corners side by side", points=10)
    hand.key("Escape", points=0)


def count_pixels(folder, stem, value):
    """Returns how many pixels of a label have a value."""
    from PIL import Image

    with Image.open(folder / "labels" / f"{stem}.png") as label:
        return label.histogram()[value]


def find_window(hand):
    """Returns the id that the X server gives the window."""
    import os

    found = subprocess.run(["xdotool", "search", "--name", "labeled"], capture_output=True,
                           text=True, env={**os.environ, "DISPLAY": hand.display})
    return found.stdout.split()[-1]


def change_size(hand):
    """Makes the window large and small again, three times: the picture is as large as before."""
    before = hand.state()
    window = find_window(hand)
    small, large = before["outer"][2:], [1390, 890]
    for _ in range(3):
        for size in (large, small):
            hand.do("windowsize", window, *size)
            wait_until(lambda size=size: hand.state()["outer"][2:] == size, "the window's size")
            time.sleep(0.5)
    hand.wait("drawn again", drawn=True)
    if abs(hand.state()["scale"] / before["scale"] - 1) > 0.01:
        sys.exit(f"After changes of size a pixel shows {hand.state()['scale']}, not "
                 f"{before['scale']} pixels.")


def wait_until(is_so, what, patience=60):
    """Waits until something is so."""
    end = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > end:
            sys.exit(f"Waited in vain: {what}")
        time.sleep(0.05)


def close_with_corners_under_way(hand):
    """Presses the window manager's close button while a polygon is not closed."""
    hand.hurry([(300, 50), (350, 50), (350, 90)])
    hand.wait("corners", points=3)
    hand.place.with_name(hand.place.name + ".close").touch()
    wait_until(lambda: "under way" in hand.state()["message"], "the refusal to close")
    hand.key("Return", points=0, steps=2)


def paint_in_both(hand, other, folder):
    """Paints one image in both windows: the second is asked, and both works are kept."""
    other.key("2", value=2)
    other.key("b", tool="brush")
    other.click((40, 250))
    other.wait("the question", asks=True)
    other.key("b", asks=False)
    if not (count_pixels(folder, "photo_0", 1) > 11000 and count_pixels(folder, "photo_0", 2)):
        sys.exit("One of two windows has overwritten the other's work.")
