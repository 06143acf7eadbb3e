"""Draws a duck or a flamingo on a canvas: outlines, plumage, light. Helper of make_sample_data.py.

A part of a bird is a mask (H, W) of canvas size, 0 or 1, from a smooth outline or a tapered tube.
It is lit as if it were blown up like a pillow, and its color is a function of the bird's own
coordinates u (forward) and v (up), in which the body is 1 long. Colors are RGB from 0 to 1; an
array (H, W, 3) has a color for each canvas pixel.
"""
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

CANVAS = (512, 640)   # height and width of everything drawn here, 4 times the written picture's
NOISE_SIZE = 512      # height and width of a noise texture, pixels

# Outlines as (u, v). A duck's v = 0 is the water line, a flamingo's the middle of its body. The
# origin of a head and its bill is where the neck ends.
DUCK_BODY = ((.47, .10), (.46, -.02), (.38, -.11), (.14, -.16), (-.20, -.14), (-.40, -.06),
             (-.52, .03), (-.67, .15), (-.70, .19), (-.64, .215), (-.50, .215), (-.30, .25),
             (-.05, .29), (.18, .28), (.33, .24), (.43, .18))
DUCK_WING = ((.25, .18), (.18, .07), (.02, .025), (-.16, .04), (-.30, .065), (-.45, .14),
             (-.60, .235), (-.42, .24), (-.20, .275), (.05, .29), (.19, .26))
DUCK_HEAD = ((-.125, -.02), (-.10, .075), (-.02, .115), (.065, .09), (.115, .025), (.12, -.035),
             (.07, -.085), (-.02, -.105), (-.10, -.085))
DUCK_BILL = ((.085, .03), (.15, .005), (.215, -.022), (.275, -.022), (.295, -.042), (.27, -.066),
             (.19, -.07), (.085, -.068))
DUCK_CURL = ((-.50, .21), (-.56, .245), (-.585, .28), (-.555, .295))
FLAMINGO_BODY = ((.44, .07), (.40, -.07), (.26, -.19), (.03, -.25), (-.20, -.22), (-.40, -.15),
                 (-.60, -.16), (-.64, -.13), (-.54, .01), (-.36, .15), (-.12, .24), (.12, .245),
                 (.32, .18))
FLAMINGO_WING = ((.26, .10), (.20, -.06), (.02, -.14), (-.22, -.15), (-.44, -.13), (-.70, -.19),
                 (-.60, -.03), (-.40, .12), (-.14, .215), (.10, .22))
FLAMINGO_HEAD = ((-.085, 0.), (-.055, .055), (.01, .07), (.07, .045), (.095, 0.), (.075, -.045),
                 (0., -.06), (-.06, -.045))
FLAMINGO_BILL = ((.06, .035), (.13, .03), (.185, -.005), (.205, -.07), (.18, -.145), (.16, -.15),
                 (.14, -.10), (.11, -.065), (.06, -.045))
FLAMINGO_HEIGHT = .93  # from the middle of its body down to the ground or the water

# Poses: the neck's points from the breast to the head, then where the head looks, degrees up.
DUCK_NECKS = (((.27, .12), (.35, .25), (.37, .36), (.40, .47), 0),
              ((.27, .12), (.36, .27), (.39, .42), (.42, .56), 4),
              ((.25, .14), (.30, .22), (.31, .29), (.36, .37), -6),
              ((.27, .12), (.41, .24), (.48, .31), (.55, .38), -12))
FLAMINGO_NECKS = (((.30, .02), (.48, .08), (.60, .28), (.53, .52), (.42, .72), (.42, .94),
                   (.55, 1.03), -8),
                  ((.30, .02), (.45, .12), (.54, .36), (.53, .62), (.50, .88), (.53, 1.08),
                   (.64, 1.15), 0),
                  ((.30, .02), (.48, .04), (.64, .17), (.64, .37), (.50, .50), (.47, .66),
                   (.60, .74), -12),
                  ((.30, .04), (.47, .12), (.64, .08), (.73, -.14), (.72, -.40), (.74, -.62),
                   (.80, -.76), -95))


@dataclass
class Light:
    """The sun's direction (unit vector: right, up, to the viewer); colors of sun and sky (3,)."""
    direction: np.ndarray
    sun: np.ndarray
    sky: np.ndarray


@dataclass
class Frame:
    """A place: canvas pixel (x, y) of the origin, pixels a unit, +1 for facing right or -1."""
    x: float
    y: float
    size: float
    facing: int


class Layer:
    """Something drawn: rgb (H, W, 3), its coverage alpha (H, W), the labeled part of it (H, W)."""

    def __init__(self):
        self.rgb = np.zeros((*CANVAS, 3))
        self.alpha, self.labeled = np.zeros(CANVAS), np.zeros(CANVAS)


# ---- colors and noise ---------------------------------------------------------------------------

def ramp(start, end, values):
    """Return 0 before start, 1 beyond end and a smooth rise between, in the shape of values."""
    position = np.clip((values - start) / (end - start), 0, 1)
    return position * position * (3 - 2 * position)


def mix(first, second, share):
    """Blend colors (3,) or (H, W, 3); share, a number or (H, W), is 0 for first, 1 for second."""
    share = np.asarray(share)[..., None]
    return np.asarray(first) * (1 - share) + np.asarray(second) * share


def blur(values, radius):
    """Blur (H, W) or (H, W, C) by three passes of a box reaching radius pixels to either side."""
    half = round(radius)
    width = 2 * half + 1
    for axis in (0, 1) * 3 if half else ():
        columns = np.moveaxis(values, axis, 0)
        total = np.pad(columns, [(half + 1, half)] + [(0, 0)] * (values.ndim - 1),
                       mode="edge").cumsum(0)
        values = np.moveaxis((total[width:] - total[:-width]) / width, 0, axis)
    return values


def fractal(rng, roughness, stretch=1.0):
    """Return periodic 1/f noise (NOISE_SIZE, NOISE_SIZE), mean 0, standard deviation 1.

    roughness: 1 is grainy, 3 cloudy. stretch: how much wider than high its features are.
    """
    frequencies = np.fft.fftfreq(NOISE_SIZE) * NOISE_SIZE
    frequency = np.hypot(frequencies[:, None], frequencies[None, :NOISE_SIZE // 2 + 1] * stretch)
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(rng.standard_normal((NOISE_SIZE, NOISE_SIZE)))
    noise = np.fft.irfft2(white * frequency ** -(roughness / 2 + .5))
    return noise / noise.std()


def sample(texture, across, down):
    """Look up a periodic texture (S, S) at pixel positions, two arrays of one shape."""
    return texture[np.floor(down).astype(int) % len(texture),
                   np.floor(across).astype(int) % len(texture)]


@lru_cache(maxsize=1)
def grid():
    """Return the canvas's row and column numbers, each (H, W)."""
    return np.mgrid[:CANVAS[0], :CANVAS[1]].astype(float)


# ---- shapes --------------------------------------------------------------------------------------

def spline(points, closed=False):
    """Return a dense Catmull-Rom curve (M, D) through points (N, D)."""
    points = np.asarray(points, float)
    ends = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate([ends[0], points, ends[1]])
    before, start, end, after = (padded[i:len(padded) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, 32, endpoint=False)[None, :, None]
    square, cube = 2 * before - 5 * start + 4 * end - after, 3 * start - before - 3 * end + after
    curve = .5 * (2 * start + (end - before) * t + square * t ** 2 + cube * t ** 3)
    return np.concatenate([curve.reshape(-1, points.shape[1]),
                           points[:1] if closed else points[-1:]])


def turned(points, by, degrees):
    """Turn points (..., 2) about the origin, then move them."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray(points) @ np.array([[cosine, sine], [-sine, cosine]]) + by


def to_canvas(frame, points):
    """Return the canvas pixels (x, y) of points (N, 2) or more columns in a bird's frame."""
    return np.array([frame.x, frame.y]) + points[:, :2] * (frame.facing * frame.size, -frame.size)


def local_grid(frame):
    """Return the bird's coordinates u and v, each (H, W), of every canvas pixel."""
    rows, columns = grid()
    return (columns - frame.x) / (frame.facing * frame.size), (frame.y - rows) / frame.size


def outline(frame, points):
    """Return the mask inside the smooth closed curve through points (N, 2) in a bird's frame."""
    picture = Image.new("L", CANVAS[::-1])
    corners = to_canvas(frame, spline(points, closed=True))
    ImageDraw.Draw(picture).polygon([tuple(corner) for corner in corners], fill=1)
    return np.asarray(picture, float)


def tube(frame, points, widths):
    """Return the mask of a smooth curve through points (N, 2), widths (M,) thick along its way."""
    picture = Image.new("L", CANVAS[::-1])
    pen = ImageDraw.Draw(picture)
    thickness = np.interp(np.linspace(0, 1, len(points)), np.linspace(0, 1, len(widths)), widths)
    curve = spline(np.column_stack([points, thickness]))
    for (x, y), radius in zip(to_canvas(frame, curve), curve[:, 2] * frame.size / 2):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    return np.asarray(picture, float)


# ---- light ---------------------------------------------------------------------------------------

def shading(mask, thickness, light):
    """Return the light (H, W, 3) on a mask blown up like a pillow, round for thickness pixels."""
    small = mask[::2, ::2]  # half the resolution is enough for light, at a quarter of the time
    height = sum(np.clip(2 * blur(small, thickness * s) - 1, 0, 1) for s in (.06, .15, .3)) / 3
    height = blur(np.sqrt(height + .03), max(1, thickness * .06)) * thickness * .7
    down, across = np.gradient(height, 2.0)
    length = np.sqrt(down ** 2 + across ** 2 + 1)
    normal = np.stack([-across, down, np.ones_like(down)], -1) / length[..., None]
    normal = np.kron(normal, np.ones((2, 2, 1)))
    sunlit = np.clip((normal * light.direction).sum(-1) + .25, 0, None) * .85
    return sunlit[..., None] * light.sun + (.84 + .16 * normal[..., 1:2]) * light.sky


def paint(layer, mask, color, light, thickness, labeled=True, contact=.35, share=1.0):
    """Light a part and add it to a layer.

    contact: how dark its shadow on what lies below is. share: number or (H, W), fades it in over
    what lies below.
    """
    shadow = blur(mask, max(1, thickness * .15)) * (1 - mask) * contact
    lit = np.clip(np.asarray(color) * shading(mask, thickness, light), 0, 1.15)
    layer.rgb = mix(layer.rgb * (1 - shadow)[..., None], lit, mask * share)
    layer.alpha = np.maximum(layer.alpha, mask)
    if labeled:
        layer.labeled = np.maximum(layer.labeled, mask)


def paint_eye(layer, frame, center, radius, iris):
    """Add an eye with its catch light to a layer."""
    for offset, share, color in ((0, 1, iris), (0, .75, (.03, .03, .03)),
                                  (.35, .38, (.95, .95, .95))):
        spot = tube(frame, np.array([center, center]) + offset * radius, (2 * radius * share,) * 2)
        layer.rgb = mix(layer.rgb, color, spot)


def joint(frame, foot, body, reach):
    """Return how much of a neck is seen before the body (H, W): 0 at its foot, 1 from reach on."""
    u, v = local_grid(frame)
    return 1 - body * (1 - ramp(.3 * reach, reach, np.hypot(u - foot[0], v - foot[1])))


# ---- birds ---------------------------------------------------------------------------------------

def feathers(u, v, size):
    """Return overlapping feathers (H, W, 1): 0 in a feather's middle, 1 at its rear rim."""
    u, v = u + .012 * np.sin(41 * v + 7 * u), v + .01 * np.sin(29 * u + 3)  # no tiled roof
    row = np.floor(u / size)
    over, under = (np.hypot(row + ahead + .9 - u / size,
                            1.7 * ((v / size * .8 + .5 * ((row + ahead) % 2)) % 1 - .5))
                   for ahead in (1, 0))
    return np.clip(np.where(over < 1.4, over, under) / 1.4, 0, 1)[..., None] ** 3


def plumage(u, v, noise, drake, tone):
    """Return the colors (H, W, 3) of a duck's body and of its wing."""
    grain = sample(noise, u * 500, v * 900)[..., None]
    rims = feathers(u, v + .1 * u, .075)
    if drake:
        body = mix((.80, .78, .75), (.62, .60, .58), ramp(.12, .22, v)) * (.97 + .05 * grain)
        body = mix(body, np.array((.36, .19, .13)) * (.9 + .15 * feathers(u, v, .04)),
                   ramp(.23, .30, u + .25 * v))
        body = mix(mix(body, (.07, .08, .08), ramp(-.36, -.40, u)), (.88, .87, .84),
                   ramp(-.50, -.54, u))
        wing = np.array((.47, .41, .36)) * (1.08 - .3 * rims + .07 * grain)
    else:
        brown = np.array((.62, .46, .30)) * tone
        body = brown * (.78 + .34 * rims + .14 * grain) * (1 + .2 * ramp(.10, -.02, v))[..., None]
        wing = brown * (.55 + .55 * rims + .10 * grain)
    mirror = ramp(.145, .13, v + .25 * (u + .3))  # the blue wing patch between two white bars
    wing = mix(wing, (.93, .93, .93), mirror * ramp(-.39, -.37, u) * ramp(-.19, -.21, u))
    wing = mix(wing, (.16, .22, .42), mirror * ramp(-.37, -.35, u) * ramp(-.21, -.23, u))
    return body, mix(wing, (.20, .17, .15), ramp(-.40, -.46, u))


def head_colors(body, u, v, neck, noise, drake, tone):
    """Return the colors (H, W, 3) of a duck's neck and head, which fade into those of its body."""
    # 0 at the breast, 1 at the head
    climbed = (v - neck[0][1] + .25 * (u - neck[0][0])) / (neck[-1][1] - neck[0][1])
    grain = sample(noise, u * 700, v * 700)[..., None]
    if drake:
        green = mix((.05, .30, .20), (.10, .22, .34),
                    ramp(-.6, .8, sample(noise, u * 150, v * 150)))
        collar = mix(body, (.93, .93, .90), ramp(.33, .36, climbed))
        return mix(collar, green, ramp(.44, .47, climbed)) * (1 + .08 * grain)
    above = v - neck[-1][1]
    cap_and_stripe = np.maximum(ramp(.03, .07, above), ramp(.03, .01, abs(above - .01)))
    brown = mix(np.array((.70, .55, .38)) * tone, (.33, .23, .15),
                cap_and_stripe * ramp(.3, .5, climbed) * .8)
    return mix(body, brown * (1 + .10 * grain), ramp(.2, .5, climbed))


def draw_duck(rng, frame, light, noise, standing):
    """Draw a mallard, drake or hen, side on.

    frame: its origin is the middle of the water line. noise: (S, S) of fractal(). standing: on
    land, with legs. Returns a Layer.
    """
    layer, size = Layer(), frame.size
    u, v = local_grid(frame)
    drake, tone = rng.random() < .6, rng.uniform(.85, 1.15)
    body_color, wing_color = plumage(u, v, noise, drake, tone)
    for hip in (-.06, .06) if standing else ():
        leg = tube(frame, ((hip, -.1), (hip - .01, -.24), (hip + .01, -.36)), (.055, .035))
        foot = tube(frame, ((hip, -.35), (hip + .07, -.37), (hip + .13, -.375)), (.03, .05))
        paint(layer, np.maximum(leg, foot), (.88, .45, .14), light, .05 * size, labeled=False)
    body = outline(frame, DUCK_BODY)
    paint(layer, body, body_color, light, .30 * size)
    paint(layer, outline(frame, DUCK_WING), wing_color, light, .14 * size, contact=.45)
    if drake:
        paint(layer, tube(frame, DUCK_CURL, (.04, .02)), (.07, .08, .08), light, .04 * size)
    pose = DUCK_NECKS[rng.integers(len(DUCK_NECKS))]
    neck, look = np.array(pose[:-1]) + rng.normal(0, .008, (4, 2)), pose[-1] + rng.uniform(-6, 6)
    head = np.maximum(outline(frame, turned(DUCK_HEAD, neck[-1], look)),
                      tube(frame, neck, (.27, .17, .155, .15)))
    head = (blur(head, .025 * size) > .5).astype(float)  # rounds the corner between neck and head
    paint(layer, head, head_colors(body_color, u, v, neck, noise, drake, tone), light,
          .20 * size, contact=0, share=joint(frame, neck[0], body, .20))
    bill = outline(frame, turned(DUCK_BILL, neck[-1], look))
    paint(layer, bill, (.86, .74, .20) if drake else (.78, .48, .20), light, .07 * size)
    paint_eye(layer, frame, turned((.045, .03), neck[-1], look), .02, (.08, .05, .03))
    return layer


def draw_flamingo(rng, frame, light, noise, standing):
    """Draw a flamingo, side on.

    frame: its origin is the middle of the body. noise: (S, S) of fractal(). standing: on land,
    with feet; otherwise the legs go on into the water. Returns a Layer.
    """
    layer, size = Layer(), frame.size
    u, v = local_grid(frame)
    pink = mix((.97, .74, .70), (.96, .52, .44), rng.uniform(0, 1))
    grain = sample(noise, u * 250, v * 900)[..., None]
    bottom = -FLAMINGO_HEIGHT if standing else -1.7
    for hip, shift in ((-.06, rng.uniform(-.12, .02)), (.05, rng.uniform(-.02, .12))):
        leg = ((hip, -.1), (hip + shift * .6, -.55), (hip + shift * .7 - .02, -.61),
               (hip + shift, bottom))
        mask = np.maximum(tube(frame, leg, (.07, .045, .045, .04)),
                          tube(frame, leg[1:3], (.065, .065)))
        foot = tube(frame, (leg[3], (hip + shift + .13, bottom - .01)), (.04, .05))
        paint(layer, np.maximum(mask, foot), (.86, .48, .46), light, .05 * size, labeled=False)
    body = outline(frame, FLAMINGO_BODY)
    paint(layer, body, pink * (1 + .04 * grain), light, .34 * size)
    coral = mix(pink, (.90, .30, .26), rng.uniform(.3, .8))
    wing = mix(pink, coral, ramp(.12, -.12, v + .25 * u)) * (1.06 - .22 * feathers(u, v, .085))
    black = ramp(-.115, -.135, v + .05 * u) * ramp(-.05, -.12, u)  # the flight feathers
    wing = mix(wing, (.12, .09, .10), black) * (1 + .06 * grain)
    paint(layer, outline(frame, FLAMINGO_WING), wing, light, .18 * size, contact=.4)
    pose = FLAMINGO_NECKS[rng.choice(len(FLAMINGO_NECKS), p=(.4, .25, .2, .15))]
    neck, look = np.array(pose[:-1]) + rng.normal(0, .012, (7, 2)), pose[-1] + rng.uniform(-8, 8)
    mask = tube(frame, neck, (.27, .155, .115, .105, .10, .10, .11))
    mask = np.maximum(mask, outline(frame, turned(FLAMINGO_HEAD, neck[-1], look)))
    mask = (blur(mask, .02 * size) > .5).astype(float)  # rounds the corner between neck and head
    paint(layer, mask, pink * (1 + .05 * grain), light, .12 * size, contact=0,
          share=joint(frame, neck[0], body, .26))
    along, across = np.moveaxis(turned(np.stack([u, v], -1) - neck[-1], 0, -look), -1, 0)
    bill = mix((.95, .82, .76), (.07, .06, .07), ramp(-.045, -.065, across - .25 * (along - .15)))
    paint(layer, outline(frame, turned(FLAMINGO_BILL, neck[-1], look)), bill, light, .07 * size)
    paint_eye(layer, frame, turned((.025, .02), neck[-1], look), .016, (.85, .75, .35))
    return layer
