"""Paints in the real window: Tk under Xvfb, with the mouse and the keyboard of the X server.

    cd tests/segmentation/labeling/real_window
    python run_window_test.py
    python run_window_test.py --screenshot ../../../../docs/annotate.png IMAGES

Needs Xvfb, xdotool and a Python with tkinter; installs what is missing with apt-get and pip where
it can, and says in one line, exit code 0, where it can't. Then checks the PNGs that were written,
and trains on them for an epoch where TensorFlow is installed. With --screenshot it paints a swan of
the folder IMAGES (DAVIS 2016) instead, and saves a picture of the window for the README.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
SCREEN = (1400, 900)
PATIENCE = 60  # seconds until the window has to have done something
NAMES = ["background", "bird", "water", "sky"]

# The program that is tested, with a note of where everything is on the screen.
PROGRAM = """
import json, os, sys
root, image_dir, label_dir, names, place, width, height = sys.argv[1:]
del sys.argv[1:]
sys.path.insert(0, root)
from segmentation.labeling import style
import annotate_segmentation as tool
tool.IMAGE_DIR, tool.LABEL_DIR, tool.CLASS_NAMES = image_dir, label_dir, names.split(",")
style.WINDOW_SIZE = int(width), int(height)
build = tool.open_window

def open_window(session):
    window = build(session)
    widget = window.figure.canvas.get_tk_widget()

    def note():
        session, height = window.session, window.figure.bbox.height
        state = {"left": widget.winfo_rootx(), "top": widget.winfo_rooty(),
                 "outer": [widget.winfo_toplevel().winfo_rootx(),
                           widget.winfo_toplevel().winfo_rooty(),
                           widget.winfo_toplevel().winfo_width(),
                           widget.winfo_toplevel().winfo_height()],
                 "title": widget.winfo_toplevel().title(), "height": height,
                 "x": window.axes.get_xlim(), "y": window.axes.get_ylim(),
                 "box": [*window.axes.bbox.min, *window.axes.bbox.max],
                 "rows": [(*window.panel.transData.transform((60, top + 10)), *row)
                          for top, *row in window.rows],
                 "value": window.value, "tool": window.tool, "points": len(window.points),
                 "steps": len(session.picture.drawing.undo_steps), "index": session.index,
                 "typed": None if window.prompt is None else window.prompt.typed,
                 "saved": session.writing is None and not session.unsaved,
                 "asks": window.question is not None, "labeled": len(session.labeled),
                 "message": window.message, "snaps": window.snaps,
                 "buttons": [(*window.bar.transData.transform(((left + right) / 2, 20)), action)
                             for left, right, action in window.buttons],
                 "scale": window.scale, "drawn": window.is_drawn}
        with open(place + ".part", "w") as file:
            json.dump(state, file)
        os.replace(place + ".part", place)
        if os.path.exists(place + ".close"):  # what the window manager's close button runs
            os.remove(place + ".close")
            top = widget.winfo_toplevel()
            top.tk.eval(top.protocol("WM_DELETE_WINDOW"))
        widget.after(30, note)

    note()
    return window

tool.open_window = open_window
tool.main()
"""


# ---- what has to be there --------------------------------------------------------------------


def find_tools(folder):
    """Returns the Python to run the window with; installs what is missing.

    Raises: RuntimeError, with the reason, where that is not possible.
    """
    for program, package in (("Xvfb", "xvfb"), ("xdotool", "xdotool")):
        if shutil.which(program) is None:
            install(package)
        if shutil.which(program) is None:
            raise RuntimeError(f"{program} is missing, and apt-get can't install {package}")
    if can_import(sys.executable, "tkinter, matplotlib, PIL, numpy"):
        return sys.executable
    if not can_import("/usr/bin/python3", "tkinter, venv"):
        install("python3-tk", "python3-venv")
    python = str(folder / "venv" / "bin" / "python")
    subprocess.run(["/usr/bin/python3", "-m", "venv", str(folder / "venv")], capture_output=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "numpy", "pillow", "matplotlib"],
                   capture_output=True)
    if not can_import(python, "tkinter, matplotlib, PIL, numpy"):
        raise RuntimeError("no Python with tkinter, and apt-get and pip can't make one")
    return python


def can_import(python, names):
    """Whether a Python can import the modules."""
    try:
        result = subprocess.run([python, "-c", f"import {names}"], capture_output=True)
        return result.returncode == 0
    except OSError:
        return False


def install(*packages):
    """Tries to install Debian packages; whether it worked is seen afterwards."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "capture_output": True}
    if subprocess.run(["apt-get", "install", "-y", *packages], **quiet).returncode != 0:
        subprocess.run(["apt-get", "update"], **quiet)
        subprocess.run(["apt-get", "install", "-y", *packages], **quiet)


@contextmanager
def open_display():
    """Starts an X server without a screen; yields its name, like :7."""
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24",
         "-nolisten", "tcp"], pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as answer:
            number = answer.readline().strip()
        if not number:
            raise RuntimeError("Xvfb does not start")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()


# ---- the hand --------------------------------------------------------------------------------


class Hand:
    """Mouse and keyboard of the X server, and what the window has noted."""

    def __init__(self, display, program, place):
        self.display, self.program, self.place = display, program, place

    def do(self, *command):
        """Runs xdotool."""
        subprocess.run(["xdotool", *map(str, command)], check=True,
                       env={**os.environ, "DISPLAY": self.display}, stderr=subprocess.DEVNULL)

    def state(self):
        """What the window noted last."""
        return json.loads(self.place.read_text())

    def wait(self, what, **expected):
        """Waits until the window's state is as expected."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.program.poll() is not None:
                sys.exit(f"The program ended early (code {self.program.returncode}): {what}")
            if self.place.exists():
                state = self.state()
                if all(state[key] == value for key, value in expected.items()):
                    return state
            time.sleep(0.03)
        sys.exit(f"Waited in vain: {what}; expected {expected}, found {self.state()}")

    def settle(self):
        """Waits until the window has its place and size."""
        before = None
        while before != self.wait("the window", drawn=True):
            before = self.state()
            time.sleep(1)

    def go(self, point):
        """Moves the mouse to (x, y) in image pixels."""
        self.do("mousemove", *self.place_on_screen(point))

    def place_on_screen(self, point):
        """Returns where a point in image pixels is on the screen."""
        state = self.state()
        (left, right), (bottom, top), box = state["x"], state["y"], state["box"]
        x = box[0] + (point[0] - left) / (right - left) * (box[2] - box[0])
        y = box[1] + (point[1] - bottom) / (top - bottom) * (box[3] - box[1])
        return round(state["left"] + x), round(state["top"] + state["height"] - 1 - y)

    def hurry(self, points, pause=0.15):
        """Clicks points one after the other without looking, as fast as a hurried person."""
        commands = []
        for point in points:
            commands += ["mousemove", *self.place_on_screen(point), "click", 1, "sleep", pause]
        self.do(*commands)

    def click(self, point, button=1):
        """Clicks at a point of the image."""
        self.go(point)
        self.do("click", button)
        time.sleep(0.05)

    def polygon(self, points):
        """Clicks the corners, and the first again."""
        for number, point in enumerate(points, 1):
            self.click(point)
            self.wait("a corner", points=number)
            time.sleep(0.35)  # else X makes a double click of two
        steps = self.state()["steps"]
        self.click(points[0])
        self.wait("the closed polygon", points=0, steps=steps + 1)

    def drag(self, points, steps_more=1):
        """Draws with the left button held down."""
        steps = self.state()["steps"]
        self.go(points[0])
        self.do("mousedown", 1)
        for number, point in enumerate(points[1:], 2):
            self.go(point)
            self.wait("a move", points=number)  # Tk takes several moves that wait for one
        self.do("mouseup", 1)
        self.wait("the stroke", points=0, steps=steps + steps_more)

    def key(self, name, **expected):
        """Presses a key and waits for what it does."""
        self.do("key", name)
        return self.wait(f"key {name}", **expected)

    def row(self, action, key):
        """Clicks a row of the panel."""
        state = self.state()
        x, y = next(place for *place, row_action, row_key in state["rows"]
                    if [row_action, row_key] == [action, key])
        self.do("mousemove", round(state["left"] + x), round(state["top"] + state["height"] - y),
                "click", 1)


@contextmanager
def open_program(python, folder, image_dir, names, size=(1280, 800), state="state.json"):
    """Starts the window on a folder; yields the Hand, and sees that the program ends well."""
    with open_display() as display:
        place = folder / state
        program = subprocess.Popen(
            [python, "-c", PROGRAM, str(ROOT), str(image_dir), str(folder / "labels"),
             ",".join(names), str(place), *map(str, size)], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "DISPLAY": display, "MPLBACKEND": "TkAgg"})
        try:
            hand = Hand(display, program, place)
            hand.settle()
            yield hand
        finally:
            try:
                output = program.communicate(timeout=10)[0]
            except subprocess.TimeoutExpired:
                program.terminate()
                output = program.communicate()[0]
            print(output, end="")


# ---- the test --------------------------------------------------------------------------------


def make_images(folder):
    """Writes three small photographs."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    rng = np.random.default_rng(4)
    for index in range(3):
        shapes = Image.fromarray(rng.integers(0, 256, (8, 10, 3), np.uint8))
        shapes.resize((400, 300), Image.Resampling.BICUBIC).save(folder / f"photo_{index}.jpg")


def paint_three_images(hand):
    """Paints as a person would: each tool, each class, undo, a new class, zoom, and closes."""
    hand.polygon([(50, 50), (150, 50), (150, 120), (50, 120)])
    hand.key("2", value=2)
    hand.key("l", tool="lasso")
    hand.drag([(250, 60), (300, 40), (350, 60), (370, 110), (340, 150), (260, 140), (240, 90)])
    hand.row("class", "3")
    hand.row("brush", "b")
    hand.wait("a click in the panel", value=3, tool="brush")
    hand.drag([(60, 220), (120, 225), (180, 220)])
    hand.drag([(60, 60), (100, 80), (140, 110)])
    hand.key("ctrl+z", steps=3)
    for _ in range(6):
        hand.click((300, 230), 4)
    hand.wait("the wheel", steps=3)
    hand.key("0", value=0)
    hand.key("3", value=3)
    hand.click((300, 230))
    hand.wait("a dot", steps=4)
    hand.key("Right", index=1, labeled=1)
    hand.key("a", typed="")
    hand.do("type", "fog")
    hand.wait("the name", typed="fog")
    hand.key("Return", typed=None, value=4)
    hand.key("c", tool="polygon")
    for point in ((100, 100), (200, 100), (150, 200)):
        hand.click(point)
        time.sleep(0.35)
    hand.key("Return", steps=1, points=0)
    state = hand.key("n", index=2, labeled=2)
    if state["title"] != "photo_2.jpg - 3 of 3 - 2 labeled":
        sys.exit(f"The window's title is {state['title']!r}")
    hand.key("x", labeled=3)
    hand.do("key", "q")


def check_labels(image_dir, label_dir):
    """Exits with a sentence where the PNGs are not what was painted."""
    from PIL import Image

    expected = {
        "photo_0": {(100, 85): 1, (60, 60): 1, (140, 110): 1, (310, 95): 2, (120, 225): 3,
                    (300, 230): 3, (200, 20): 0, (310, 250): 0, (200, 150): 0},
        "photo_1": {(150, 130): 4, (110, 190): 0}, "photo_2": {(200, 150): 0}}
    for stem, pixels in expected.items():
        with Image.open(label_dir / f"{stem}.png") as label:
            found = {place: label.getpixel(place) for place in pixels}
            if label.mode != "P" or label.size != (400, 300) or found != pixels:
                sys.exit(f"{stem}.png is {label.mode} {label.size}: {found}, not {pixels}")
    names = (label_dir / "classes.txt").read_text().split()
    if names != [*NAMES, "fog"]:
        sys.exit(f"classes.txt says {names}")


def train(image_dir, label_dir, folder):
    """Trains an epoch on what was painted."""
    program = (f"import main; main.IMAGE_DIR, main.LABEL_DIR = {str(image_dir)!r}, "
               f"{str(label_dir)!r}; main.OUTPUT_DIR = {str(folder / 'output')!r}; main.EPOCHS = 1;"
               f"main.ENCODER_WEIGHTS = None; main.IMAGE_SIZE = (64, 64); "
               f"main.BATCH_SIZE = 2; main.main()")
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, text=True,
                            capture_output=True)
    if result.returncode != 0 or not (folder / "output" / "model.keras").is_file():
        sys.exit(f"Training on the painted labels fails:\n{result.stdout}\n{result.stderr}")


def run_test(python, folder):
    """Paints, checks, trains; returns the sentence that says what was done."""
    image_dir, label_dir = folder / "images", folder / "labels"
    make_images(image_dir)
    with open_program(python, folder, image_dir, NAMES) as hand:
        paint_three_images(hand)
    if hand.program.returncode != 0:
        sys.exit(f"The program's exit code is {hand.program.returncode}")
    check_labels(image_dir, label_dir)
    from hurried_hand import work_in_a_hurry

    work_in_a_hurry(python, folder)
    if importlib.util.find_spec("tensorflow") is None:
        return "The window test passed (no TensorFlow here: nothing trained on its labels)."
    train(image_dir, label_dir, folder)
    return "The window test passed, and main.py trains on its labels."


def main():
    """Finds the tools, then tests, or takes the screenshot."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            python = find_tools(folder)
        except RuntimeError as reason:
            print(f"The window test is left out: {reason}.")
            return
        if "--screenshot" in sys.argv:
            from screenshot import take_screenshot
            take_screenshot(python, folder, *map(Path, sys.argv[2:]))
        else:
            print(run_test(python, folder))


if __name__ == "__main__":
    main()
