"""Draws the sample set: 80 small pictures of ducks and flamingos, each with its label.

    python sample_data/make_sample_data.py

Reads nothing. Writes, beside this script,
    images/birds_NN.png   RGB, 160 wide, 128 high
    labels/birds_NN.png   palette PNG of the same size: a pixel's value is its class
    labels/classes.txt    the class names, one a line: line 0 is class 0
Everything comes from SEED: a second run writes the same files. Nothing is downloaded and nothing is
a photograph, so no license but the project's own applies. Legs are about one pixel thin and
therefore labeled background.
"""
from pathlib import Path

import numpy as np
from draw_birds import (
    CANVAS,
    FLAMINGO_HEIGHT,
    Frame,
    Layer,
    Light,
    blur,
    draw_duck,
    draw_flamingo,
    fractal,
    grid,
    local_grid,
    mix,
    outline,
    paint,
    ramp,
    sample,
    tube,
)
from PIL import Image, ImageDraw

FOLDER = Path(__file__).resolve().parent
SEED = 20240
PAIRS = 80
HEIGHT, WIDTH = 128, 160  # pixels of a written picture; the canvas is 4 times that and averaged
NOISE = 1.3  # sensor noise, standard deviation in gray levels of 255; more makes the files larger

CLASSES = ("background", "duck", "flamingo")
PALETTE = ((0, 0, 0), (40, 170, 90), (250, 110, 140))
DUCK, FLAMINGO = 1, 2
# The birds of the pictures, in turn; the last has none.
FLOCKS = ((DUCK,), (FLAMINGO,), (DUCK, FLAMINGO), (DUCK, DUCK), (FLAMINGO,), (FLAMINGO, DUCK),
          (FLAMINGO, FLAMINGO), (DUCK,), (DUCK, FLAMINGO, DUCK), (FLAMINGO,), (DUCK, DUCK),
          (FLAMINGO, FLAMINGO), (DUCK,), (FLAMINGO, DUCK), (DUCK, FLAMINGO), ())

# Colors of the sky (high, low), the far bank, deep water, sunlight and skylight; how much of the
# surroundings the bank takes; between which shares of the height from the top the horizon lies
# (negative: the camera looks down).
PLACES = {
    "lake": {
        "high": (.36, .56, .80), "low": (.80, .87, .91), "bank": (.22, .32, .13),
        "deep": (.12, .22, .24), "sun": (.74, .68, .58), "sky": (.42, .46, .52),
        "bank_height": .15, "horizon": (.15, .50),
    },
    "dusk": {
        "high": (.42, .40, .58), "low": (.98, .68, .52), "bank": (.20, .15, .16),
        "deep": (.20, .15, .20), "sun": (.80, .54, .38), "sky": (.42, .36, .42),
        "bank_height": .09, "horizon": (.25, .55),
    },
    "pond": {
        "high": (.55, .66, .72), "low": (.70, .76, .70), "bank": (.20, .30, .10),
        "deep": (.07, .12, .08), "sun": (.72, .66, .52), "sky": (.42, .46, .44),
        "bank_height": .75, "horizon": (-.30, .08),
    },
    "reeds": {
        "high": (.60, .70, .78), "low": (.82, .84, .82), "bank": (.34, .33, .13),
        "deep": (.16, .17, .12), "sun": (.76, .66, .50), "sky": (.40, .43, .46),
        "bank_height": .60, "horizon": (.20, .42),
    },
    "shore": {
        "high": (.42, .60, .80), "low": (.82, .86, .88), "bank": (.25, .33, .28),
        "deep": (.20, .36, .42), "sun": (.76, .70, .60), "sky": (.44, .47, .52),
        "bank_height": .10, "horizon": (.12, .45),
    },
    "meadow": {
        "high": (.60, .72, .80), "low": (.80, .84, .78), "bank": (.24, .32, .14),
        "deep": (.10, .10, .10), "sun": (.76, .70, .55), "sky": (.42, .46, .46),
        "bank_height": .60, "horizon": (.15, .50),
    },
}
LAND = ("shore", "meadow")


# ---- places --------------------------------------------------------------------------------------

def draw_blades(rng, count, rows, length, width, colors, columns=(-20, CANVAS[1] + 20)):
    """Return a Layer of curved blades of grass or reed.

    rows, columns: (first, last) canvas pixel of their roots. length, width: pixels. colors: two.
    """
    picture = Image.new("RGBA", CANVAS[::-1])
    pen = ImageDraw.Draw(picture)
    wind = rng.normal(0, .15)
    for row in np.sort(rng.uniform(*rows, count)):
        x, tall = rng.uniform(*columns), length * rng.uniform(.5, 1.2)
        bend = rng.normal(0, .16)
        middle, tip = (wind + .3 * bend) * tall, (2.2 * wind + bend) * tall
        color = mix(*colors, rng.random()) * rng.uniform(.7, 1.15)
        color = np.clip(color * 255, 0, 255).astype(int)
        half = width * rng.uniform(.5, 1) / 2
        pen.polygon([(x - half, row), (x + middle - half, row - .55 * tall), (x + tip, row - tall),
                     (x + middle + half, row - .55 * tall), (x + half, row)],
                     fill=(*color.tolist(), 255))
    values, layer = np.asarray(picture, float) / 255, Layer()
    layer.rgb, layer.alpha = values[..., :3], values[..., 3]
    return layer


def draw_surroundings(rng, place, colors, light):
    """Return sky and far bank (H, W, 3), as camera and water see them; the last row: horizon."""
    rows, columns = (values / size for values, size in zip(grid(), CANVAS))
    clouds = sample(fractal(rng, 2.4, 2), columns * 512, (rows + .2) ** 1.5 * 700)
    picture = mix(colors["high"], colors["low"], ramp(0, 1, rows + .04 * clouds))
    picture = mix(picture, light.sun * .45 + light.sky * .9,
                  ramp(.2, 1.6, clouds + rng.normal(0, .5)) * .65)
    if place == "dusk":
        far = np.hypot((columns - .5 - .4 * light.direction[0]) * 1.25, rows - rng.uniform(.72, .9))
        picture = picture + np.exp(-far * 5)[..., None] * np.array((.45, .22, .05))
        picture = mix(picture, (1, .93, .70), ramp(.045, .035, far))
    crowns, leaves = fractal(rng, 2.2), fractal(rng, 1.3)
    for depth in range(3):  # rows of trees or bushes, hazy far away, darker and lower in front
        top = 1 - colors["bank_height"] * (1 - .3 * depth)
        top = top + .05 * sample(crowns, columns * 200 + 170 * depth, rows * 60)
        tone = .75 + .28 * sample(leaves, columns * 600, rows * 600 + 170 * depth)
        tone = tone + .35 * ramp(.15, 0, rows - top)
        color = mix(colors["bank"], colors["low"], .45 - .2 * depth) * tone[..., None]
        picture = mix(picture, color * rng.uniform(.8, 1.1) * rng.uniform(.93, 1.07, 3),
                      ramp(-.004, .004, rows - top))
    if place in ("reeds", "pond"):
        reeds = draw_blades(rng, 260, (.99 * CANVAS[0], CANVAS[0]), colors["bank_height"] * 400, 7,
                            (np.array(colors["bank"]) * 1.6, (.66, .56, .30)))
        picture = mix(picture, reeds.rgb, reeds.alpha)
    for _ in range(rng.integers(0, 30) if place == "meadow" else 0):  # blossoms far out of focus
        far = np.hypot(columns - rng.random(), (rows - rng.uniform(.6, 1)) * .8)
        blossom = rng.choice([(.95, .65, .68), (.95, .9, .7), (.7, .8, .4)])
        picture = mix(picture, blossom, .7 * (far < rng.uniform(.006, .025)))
    return np.clip(blur(picture, rng.uniform(3, 7)), 0, 1)


def draw_water(rng, surroundings, horizon, deep, light):
    """Return water (H, W, 3) that mirrors the surroundings, and its waves (H, W), about -2 to 2."""
    rows, columns = grid()
    below = np.maximum(rows - horizon, 0) + 12
    depth = 9000 / below  # a flat surface's distance goes with one over the rows below the horizon
    across = (columns - CANVAS[1] / 2) * (depth / 90 + .5)
    ripples = sample(fractal(rng, 1.6, 2.5), across * 1.5, depth * 8 - rows * 1.1)
    swell = sample(fractal(rng, 2.4, 3), across * .5, depth * 5 - rows * .5)
    waves = (.75 * ripples + .6 * swell) * rng.uniform(.4, 1.3)
    source = CANVAS[0] - 1 - below * rng.uniform(.8, 1.1)
    source = source - waves * (4 + .035 * np.minimum(below, 250))
    aside = np.clip(columns + waves * 6, 0, CANVAS[1] - 1).astype(int)
    reflected = surroundings[np.clip(source, 0, CANVAS[0] - 1).astype(int), aside]
    share = np.clip(.80 - .0008 * below + .13 * waves, .2, .95)
    water = mix(deep, reflected * .92, share) * (1 + .07 * waves[..., None])
    from_sun = columns / CANVAS[1] - .5 - .4 * light.direction[0]
    streak = np.exp(-(from_sun / rng.uniform(.08, .3)) ** 2)
    sparkle = sample(fractal(rng, .9, 3), across * 2, depth * 8 - rows * 1.1)
    glints = ramp(2.2, 2.8, sparkle + .3 * waves + .5 * streak - rng.uniform(0, 1)) * streak
    return np.clip(mix(water, np.minimum(light.sun * 1.35, 1), glints * .8), 0, 1), waves


def draw_grass(rng, scene, horizon, light):
    """Return scene (H, W, 3) with a meadow below the horizon."""
    rows, columns = grid()
    depth = 9000 / (np.maximum(rows - horizon, 0) + 25)
    patches = sample(fractal(rng, 2.2, 1.5), (columns - 320) * (depth / 90 + .4),
                     depth * 6 - rows * .3)
    green = np.array((.48, .51, .25)) * rng.uniform(.85, 1.15) * rng.uniform(.92, 1.08, 3)
    lit = light.sun * .6 + light.sky * .8
    ground = mix(green * .85, green * (1.4, 1.2, 1.1), ramp(-1.5, 1.5, patches)) * lit
    scene = mix(scene, ground, ramp(-25, 25, rows - horizon + 8 * patches))
    for start, end, length in ((.02, .3, 14), (.25, .6, 26), (.55, 1.15, 46)):
        span = [horizon + (CANVAS[0] - horizon) * share for share in (start, end)]
        grass = draw_blades(rng, 800, span, length, length / 8,
                            (green * .75, green * (1.6, 1.35, 1.2)))
        veil = blur(grass.alpha, 22 / length) * ramp(-1.6, .6, patches) * .8
        scene = mix(scene, grass.rgb * lit, veil)
    return scene


def draw_sand(rng, scene, shoreline, light):
    """Return scene (H, W, 3) with sand below a wavy shoreline (a row), wet and dark at its edge."""
    rows, columns = grid()
    patches = sample(fractal(rng, 2.2, 2), columns * .6, rows * .9)
    grain = sample(fractal(rng, 1.1, 1.6), columns * 1.1, rows * 1.6)
    below = rows - shoreline - 9 * patches
    sand = np.array((.76, .67, .53)) * rng.uniform(.85, 1.05) * rng.uniform(.95, 1.05, 3)
    ground = mix(sand * .62, sand, ramp(10, 110, below))
    ground = ground * (1 + .05 * patches + .06 * grain)[..., None]
    ground = mix(ground, (.95, .95, .95), ramp(8, 2, abs(below)) * .5)
    return mix(scene, ground * (light.sun * .6 + light.sky * .8), ramp(-4, 4, below))


def draw_distractor(rng, kind, frame, light, noise):
    """Return a Layer with a stone, log, lily, buoy or boat at frame's origin: all background."""
    layer, size = Layer(), frame.size
    u, v = local_grid(frame)
    grain = sample(noise, u * 300, v * 500)[..., None]
    turn = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    if kind == "stone":
        radii = rng.uniform(.75, 1.1, 9)
        rim = np.stack([.45 * radii * np.cos(turn), .04 + .2 * radii * np.sin(turn)], 1)
        gray = mix((.55, .52, .48), (.50, .36, .27), rng.random())
        paint(layer, outline(frame, rim), gray * (1 + .16 * grain), light, .2 * size)
    elif kind == "log":
        bark = np.array((.42, .32, .23)) * (1 + .18 * sample(noise, u * 120, v * 1800)[..., None])
        paint(layer, tube(frame, ((.1, .03), (.2, .15), (.24, .26)), (.09, .05)), bark, light,
              .06 * size)
        paint(layer, tube(frame, ((-.6, .01), (-.1, .04), (.6, .03)), (.13, .17, .12)), bark,
              light, .12 * size)
    elif kind == "lily":
        for x in np.cumsum(rng.uniform(.35, .6, rng.integers(1, 4))):
            y = rng.uniform(-.12, 0)
            rim = np.stack([x - .7 + .3 * np.cos(turn), y + .09 * np.sin(turn)], 1)
            green = np.array((.36, .50, .20)) * rng.uniform(.8, 1.2)
            paint(layer, outline(frame, rim), green * (1 + .06 * grain), light, .03 * size)
        for lean in (-.09, .09, -.05, .05, 0) if rng.random() < .6 else ():
            paint(layer, tube(frame, ((0, 0), (lean, .10)), (.05, .09, .02)), (.97, .70, .74),
                  light, .06 * size)
    elif kind == "buoy":
        color = rng.choice([(.92, .30, .20), (.95, .55, .50), (.93, .93, .90), (.95, .70, .15)])
        paint(layer, tube(frame, ((0, .1), (0, .36)), (.07, .07)), (.3, .3, .3), light, .05 * size)
        paint(layer, tube(frame, ((0, .06), (0, .08)), (.32, .32)), color, light, .2 * size)
    else:
        hull = rng.choice([(.90, .90, .88), (.25, .38, .55), (.65, .22, .18), (.33, .45, .36)])
        cabin = outline(frame, ((-.25, .1), (.1, .1), (.05, .26), (-.22, .26)))
        paint(layer, cabin, (.85, .84, .80), light, .1 * size)
        paint(layer, outline(frame, ((-.6, .12), (-.5, -.06), (.45, -.06), (.68, .16), (.1, .1))),
              mix(hull, (.95, .95, .95), v > .08), light, .15 * size)
    layer.labeled[:] = 0
    return layer


# ---- pictures ------------------------------------------------------------------------------------

def put(scene, coverage, layer, kind=0):
    """Return scene with the layer over it; update coverage (classes, H, W) by what it hides."""
    coverage *= 1 - layer.alpha
    coverage[kind] += layer.labeled
    return mix(scene, layer.rgb, layer.alpha)


def settle_on_land(scene, frame, line, light):
    """Return scene with the soft shadow of something that stands on row line."""
    rows, columns = grid()
    aside = columns - frame.x + light.direction[0] * .25 * frame.size
    far = np.hypot(aside / (.55 * frame.size), (rows - line) / (.10 * frame.size))
    return scene * (1 - .5 * ramp(1.3, .2, far))[..., None]


def settle_in_water(scene, layer, frame, line, waves):
    """Return scene with rings and the layer's mirror image below row line; cut the layer there."""
    rows, columns = grid()
    far = np.hypot(columns - frame.x, (rows - line) * 4.5) / frame.size
    rings = np.sin(far * 26 + waves) * np.exp(-((far - .7) / .35) ** 2)
    scene = scene * (1 + .10 * rings * ramp(-2, 6, rows - line))[..., None]
    edge = line + 1.2 * waves
    below = np.maximum(rows - edge, 0)
    bend = waves + np.sin(below * .5 / (1 + .01 * below))
    source = np.clip(edge - below * 1.04 - 1.5 * bend, 0, CANVAS[0] - 1).astype(int)
    aside = np.clip(columns + bend * (1 + .06 * below), 0, CANVAS[1] - 1).astype(int)
    mirror = blur(np.dstack([layer.rgb, layer.alpha])[source, aside], 1.5)
    strength = (rows > edge) * (.72 * np.exp(-below / (.9 * frame.size)) + .08)
    scene = scene * (1 - strength * mirror[..., 3])[..., None]
    scene = scene + mirror[..., :3] * (strength * .85)[..., None]  # mirror's rgb is 0 off the bird
    above = ramp(.8, -.8, rows - edge)
    layer.alpha, layer.labeled = layer.alpha * above, layer.labeled * above
    return scene


def plan_objects(rng, place, first_row, horizon, flock):
    """Return what stands in a picture, far to near: (class or name, x, row of its foot, size)."""
    objects = []
    for slot, kind in zip(rng.permutation(len(flock)), flock):
        size = rng.uniform(145, 215) if kind == DUCK else rng.uniform(125, 180)
        size *= (1.08, .92, .78)[len(flock) - 1]
        x = CANVAS[1] * (slot + .5 + rng.normal(0, .07)) / len(flock)
        top = max(first_row + 40, 2.05 * size if kind == FLAMINGO else 190)
        objects.append((kind, x, rng.uniform(top, .93 * CANVAS[0]), size))
    names = ("stone", "log") if place in LAND else ("stone", "log", "lily", "lily", "buoy")
    for _ in range(rng.choice(4, p=(.25, .35, .25, .15))):
        name = rng.choice(names)
        size = rng.uniform(70, 140) * (.6 if name == "buoy" else 1)
        objects.append((name, rng.uniform(0, CANVAS[1]),
                        rng.uniform(max(first_row, 0) + 30, .95 * CANVAS[0]), size))
    if place in ("lake", "dusk") and rng.random() < .4:
        objects.append(("boat", rng.uniform(.1, .9) * CANVAS[1], horizon + 14, rng.uniform(40, 90)))
    return sorted(objects, key=lambda item: item[2])


def add_objects(rng, scene, objects, place, waves, light):
    """Return scene (H, W, 3) with all objects, each class's coverage (classes, H, W), 0 to 1."""
    coverage, noise = np.zeros((len(CLASSES), *CANVAS)), fractal(rng, 1.5)
    for kind, x, line, size in objects:
        frame = Frame(x, line, size, rng.choice([-1, 1]))
        if kind == DUCK:
            frame.y -= .37 * size if place in LAND else 0
            layer = draw_duck(rng, frame, light, noise, place in LAND)
        elif kind == FLAMINGO:
            frame.y -= FLAMINGO_HEIGHT * size
            layer = draw_flamingo(rng, frame, light, noise, place in LAND)
        else:
            layer = draw_distractor(rng, kind, frame, light, noise)
        if place in LAND:
            scene = settle_on_land(scene, frame, line, light)
        elif kind != "lily":
            scene = settle_in_water(scene, layer, frame, line, waves)
        scene = put(scene, coverage, layer, kind if kind in (DUCK, FLAMINGO) else 0)
        if place == "meadow" or (place == "reeds" and rng.random() < .4):  # grows before it
            tone = scene[min(int(line) + 20, CANVAS[0] - 1)].mean(0)
            count, length = (70, 36) if place == "meadow" else (3, 110)
            tuft = draw_blades(rng, count, (line + 4, line + 28), length, 6,
                               (tone * .8, tone * (1.6, 1.5, 1.1)), (x - .6 * size, x + .6 * size))
            scene = put(scene, coverage, tuft)
    return scene, coverage


def shrink(values):
    """Average (H, W, C) of canvas size down to a written picture's (HEIGHT, WIDTH, C)."""
    return values.reshape(HEIGHT, CANVAS[0] // HEIGHT, WIDTH, CANVAS[1] // WIDTH, -1).mean((1, 3))


def develop(rng, scene):
    """Return what a camera makes of scene (H, W, 3): an image (HEIGHT, WIDTH, 3) uint8."""
    rows, columns = (values / size - .5 for values, size in zip(grid(), CANVAS))
    scene = blur(scene, 1) * (1 - rng.uniform(.15, .5) * (rows ** 2 + columns ** 2))[..., None]
    scene = scene * rng.uniform(.93, 1.07, 3) * rng.uniform(.95, 1.22) + rng.uniform(0, .03)
    small = shrink(np.clip(scene, 0, 1)) * 255
    return np.clip(np.rint(small + rng.normal(0, NOISE, small.shape)), 0, 255).astype(np.uint8)


def draw_pair(number):
    """Draw one pair, which depends on SEED and its number (0 to PAIRS - 1) alone.

    Returns the image (HEIGHT, WIDTH, 3) uint8 and the label (HEIGHT, WIDTH) uint8: the class that
    covers more than half of a pixel, else background.
    """
    rng = np.random.default_rng((SEED, number))
    place = rng.choice(list(PLACES))
    colors = {name: np.asarray(value) * rng.uniform(.93, 1.07, np.shape(value))
               for name, value in PLACES[place].items()}
    colors["bank_height"] *= rng.uniform(.6, 1.2)
    horizon = CANVAS[0] * rng.uniform(*PLACES[place]["horizon"])
    sun = rng.uniform((.3, .4, .3), (.8, .9, .7)) * (rng.choice([-1, 1]), 1, 1)
    light = Light(sun / np.linalg.norm(sun), colors["sun"], colors["sky"])
    surroundings = draw_surroundings(rng, place, colors, light)
    scene, waves = draw_water(rng, surroundings, horizon, colors["deep"], light)
    shown = max(0, int(horizon))
    scene[:shown] = surroundings[CANVAS[0] - shown:]
    first_row = horizon
    if place == "meadow":
        scene = draw_grass(rng, scene, horizon, light)
    elif place == "shore":
        first_row = horizon + (CANVAS[0] - horizon) * rng.uniform(.15, .4)
        scene = draw_sand(rng, scene, first_row, light)
    objects = plan_objects(rng, place, first_row, horizon, FLOCKS[number % len(FLOCKS)])
    scene, coverage = add_objects(rng, scene, objects, place, waves, light)
    full = shrink(np.moveaxis(coverage, 0, -1))
    return develop(rng, scene), np.where(full.max(-1) > .5, full.argmax(-1), 0).astype(np.uint8)


def save_pair(number, folder):
    """Write a pair below folder's images and labels; return its label (HEIGHT, WIDTH) uint8."""
    image, label = draw_pair(number)
    picture = Image.fromarray(label).convert("P")
    picture.putpalette([value for color in PALETTE for value in color])
    Image.fromarray(image).save(folder / "images" / f"birds_{number:02d}.png", optimize=True)
    picture.save(folder / "labels" / f"birds_{number:02d}.png", optimize=True)
    return label


def main():
    """Write all pairs and the class names, and print each class's share of the pixels."""
    for name in ("images", "labels"):
        (FOLDER / name).mkdir(exist_ok=True)
    (FOLDER / "labels" / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    counts = np.zeros(len(CLASSES), int)
    for number in range(PAIRS):
        counts += np.bincount(save_pair(number, FOLDER).ravel(), minlength=len(CLASSES))
        print(f"\r{number + 1} of {PAIRS} pairs", end="", flush=True)
    print()
    for name, count in zip(CLASSES, counts):
        print(f"{name:<12}{count / counts.sum():7.2%}")


if __name__ == "__main__":
    main()
