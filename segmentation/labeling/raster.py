"""Which pixels a polygon, a stroke or a click covers. Plain NumPy.

Points are (x, y) in pixels of the upright image; (0, 0) is the center of the first pixel. A region
is (top, left, mask), mask bool. A pixel belongs to a region whose outline holds its center.
"""

import numpy as np

from segmentation.regions import find_runs, find_touching

EMPTY_REGION = 0, 0, np.zeros((0, 0), bool)


def polygon_region(points, size):
    """Returns the pixels whose centers lie inside a polygon, by the even-odd rule.

    A part that is thinner than a pixel, and may miss all centers, is painted as a line.
    Args: points, at least one (x, y); size (height, width) of the label.
    Returns: region, cut off at the label's edges.
    """
    points = np.asarray(points, np.float64)
    box = _bounding_box(points, 0, size)
    if box is None:
        return EMPTY_REGION
    top, left, height, width = box
    corners = points - (left, top)
    mask = _fill_even_odd(corners, height, width)
    _paint_thin_parts(mask, corners)
    _paint_thin_parts(mask.T, corners[:, ::-1])
    return top, left, mask


def stroke_region(points, diameter, size):
    """Returns the pixels whose centers lie within a stroke: a disk that is moved along the points.

    Args: diameter in image pixels, rounded to a whole one: a level line is just as many rows high.
    Returns: region, cut off at the label's edges.
    """
    # A center exactly on the border is inside on one side only, or 2 pixels would become 3.
    points = np.asarray(points, np.float64).reshape(-1, 2) + 1e-6
    radius = max(1, round(diameter)) / 2
    box = _bounding_box(points, radius, size)
    if box is None:
        return EMPTY_REGION
    top, left, height, width = box
    path = points - (left, top)
    steps = np.zeros((height, width + 1), np.int32)
    for rows, starts, stops in _capsule_spans(path, radius, height):
        first = np.clip(np.ceil(starts), 0, width).astype(int)
        last = np.clip(np.floor(stops) + 1, 0, width).astype(int)
        some = first < last
        np.add.at(steps, (rows[some], first[some]), 1)
        np.add.at(steps, (rows[some], last[some]), -1)
    mask = np.cumsum(steps, axis=1, out=steps)[:, :-1] > 0
    x, y = np.rint(path).astype(int).T  # what is smaller than a pixel is still a dot
    seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    mask[y[seen], x[seen]] = True
    return top, left, mask


def connected_region(label, point):
    """Returns the pixels of one value that are connected, side by side, with the one at a point.

    Args: label uint8 (height, width), point (x, y). Returns: region, empty beyond the label.
    """
    x, y = (int(np.floor(value + 0.5)) for value in point)
    height, width = label.shape
    if not (0 <= x < width and 0 <= y < height):
        return EMPTY_REGION
    rows, starts, stops = find_runs(label == label[y, x])
    seed = int(np.flatnonzero((rows == y) & (starts <= x) & (x < stops))[0])
    chosen = _connected_runs(rows, starts, stops, seed)
    rows, starts, stops = rows[chosen], starts[chosen], stops[chosen]
    top, left = int(rows.min()), int(starts.min())
    steps = np.zeros((int(rows.max()) + 1 - top, int(stops.max()) + 1 - left), np.int8)
    steps[rows - top, starts - left] = 1
    steps[rows - top, stops - left] -= 1
    return top, left, np.cumsum(steps, axis=1, dtype=np.int8)[:, :-1] > 0


def _bounding_box(points, margin, size):
    """Returns (top, left, height, width) of the pixels around points, or None beyond the label."""
    first = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int)
    last = np.minimum(np.ceil(points.max(axis=0) + margin), np.array(size[::-1]) - 1).astype(int)
    if (last < first).any():
        return None
    return int(first[1]), int(first[0]), int(last[1] - first[1]) + 1, int(last[0] - first[0]) + 1


def _crossings(corners, height):
    """Returns where the outline crosses the rows' centers: rows, and x sorted within each row."""
    x, y = corners.T
    next_x, next_y = np.roll(corners, -1, axis=0).T
    low, high = np.minimum(y, next_y), np.maximum(y, next_y)
    first = np.clip(np.ceil(low), 0, height).astype(int)
    counts = np.clip(np.ceil(high), 0, height).astype(int) - first  # rows in [low, high)
    edges = np.repeat(np.arange(len(x)), counts)
    rows = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edges]
    slope = (next_x - x)[edges] / (next_y - y)[edges]
    at = x[edges] + (rows - y[edges]) * slope
    order = np.lexsort((at, rows))
    return rows[order], at[order]


def _fill_even_odd(corners, height, width):
    mask = np.zeros((height, width), bool)
    rows, at = _crossings(corners, height)
    columns = np.clip(np.ceil(at), 0, width).astype(int)
    for row, start, stop in zip(rows[::2].tolist(), columns[::2].tolist(), columns[1::2].tolist()):
        mask[row, start:stop] = True  # each row is crossed an even number of times
    return mask


def _paint_thin_parts(mask, corners):
    """Paints the nearest pixel where the outline is passed twice between two centers of a row."""
    rows, at = _crossings(corners, mask.shape[0])
    starts, stops = at[::2], at[1::2]
    thin = np.ceil(starts) == np.ceil(stops)
    columns = np.rint((starts[thin] + stops[thin]) / 2).astype(int)
    inside = (columns >= 0) & (columns < mask.shape[1])
    mask[rows[::2][thin][inside], columns[inside]] = True


def _capsule_spans(path, radius, height):
    """Yields (rows, starts, stops) for each piece of a path: what a disk moved along it covers.

    A capsule is convex, so it covers one span of a row: the hull of those of its two disks and of
    the rectangle between them.
    """
    ends = path[1:] if len(path) > 1 else path
    for (x1, y1), (x2, y2) in zip(path, ends):
        rows = np.arange(max(0, int(np.ceil(min(y1, y2) - radius))),
                         min(height - 1, int(np.floor(max(y1, y2) + radius))) + 1)
        starts, stops = np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
        for x, y in ((x1, y1), (x2, y2)):
            half = np.sqrt(np.maximum(radius**2 - (rows - y) ** 2, 0))
            near = np.abs(rows - y) <= radius
            np.minimum(starts, np.where(near, x - half, np.inf), out=starts)
            np.maximum(stops, np.where(near, x + half, -np.inf), out=stops)
        length = np.hypot(x2 - x1, y2 - y1)
        if length > 0:
            along_x, along_y = (x2 - x1) / length, (y2 - y1) / length
            first, last = _band_span(along_x, along_y * (rows - y1), 0.0, length)
            left, right = _band_span(-along_y, along_x * (rows - y1), -radius, radius)
            left, right = np.maximum(first, left) + x1, np.minimum(last, right) + x1
            crossed = left <= right
            np.minimum(starts, np.where(crossed, left, np.inf), out=starts)
            np.maximum(stops, np.where(crossed, right, -np.inf), out=stops)
        covered = starts <= stops
        yield rows[covered], starts[covered], stops[covered]


def _band_span(slope, offsets, low, high):
    """Returns between which x low <= slope * x + offset <= high holds, for each offset."""
    if abs(slope) < 1e-12:
        inside = (offsets >= low) & (offsets <= high)
        return np.where(inside, -np.inf, np.inf), np.where(inside, np.inf, -np.inf)
    bounds = (low - offsets) / slope, (high - offsets) / slope
    return np.minimum(*bounds), np.maximum(*bounds)


def _connected_runs(rows, starts, stops, seed):
    """Returns which runs are connected with the run seed, through rows that follow each other."""
    neighbors = [find_touching(rows, starts, stops, change) for change in (-1, 1)]
    chosen, waiting = bytearray(len(rows)), [seed]
    chosen[seed] = True
    while waiting:
        run = waiting.pop()
        for lows, highs in neighbors:
            for neighbor in range(lows[run], highs[run]):
                if not chosen[neighbor]:
                    chosen[neighbor] = True
                    waiting.append(neighbor)
    return np.frombuffer(chosen, bool)
