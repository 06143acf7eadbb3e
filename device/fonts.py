"""Fonts for drawing: one that has the letters of all class names, or numbers in their place."""

import functools
import sys

from PIL import Image, ImageDraw, ImageFont

FONT_FILES = (  # of the system, where Pillow looks for them; Pillow's own font knows Latin only
    "NotoSansCJK-Regular.ttc", "NotoSans-Regular.ttf", "DejaVuSans.ttf", "msyh.ttc", "meiryo.ttc",
    "malgun.ttf", "arial.ttf", "Arial Unicode.ttf", "PingFang.ttc")
FONT_SIZE = 14  # pixels
CELL = 24  # pixels of a square in which a letter is tried


def load_font(size=FONT_SIZE):
    """Returns Pillow's font of a size in pixels; before Pillow 10.1 it has one small size only."""
    try:
        return ImageFont.load_default(size)
    except TypeError:
        return ImageFont.load_default()


@functools.lru_cache(8)
def choose_font(names):
    """Returns a font and the names as it can draw them.

    That is a font with all their letters; or Pillow's own and "class 3" in place of a name that it
    lacks letters of, which is said once.
    Args: names, tuple of texts.
    """
    own = load_font()
    for font in (own, *_load_files()):
        if all(has_letters(font, name) for name in names):
            return font, names
    drawn = tuple(name if has_letters(own, name) else f"class {index}"
                  for index, name in enumerate(names))
    lost = [name for name in names if name not in drawn]
    print(f"Pictures show the numbers of {len(lost)} class(es), because no font is found that has "
          f"the letters of {lost[0]}: install one, such as Noto Sans.", file=sys.stderr)
    return own, drawn


def has_letters(font, text):
    """Whether a font draws each letter of a text otherwise than one that no font has."""
    unknown = _draw(font, "\U0010fffe")
    return all(letter.isspace() or _draw(font, letter) not in (None, unknown)
               for letter in set(text))


def _draw(font, letter):
    image = Image.new("L", (CELL, CELL))
    try:
        ImageDraw.Draw(image).text((2, 2), letter, 255, font)
    except UnicodeError:  # of the font before Pillow 10.1, which knows Latin-1 only
        return None
    return image.tobytes()


def _load_files():
    for name in FONT_FILES:
        try:
            yield ImageFont.truetype(name, FONT_SIZE)
        except OSError:  # it is not installed
            continue
