"""Correlation on GPUs: the programs that Triton compiles.

A kernel for values and one for gradients take a volume (N, O*D, T, H, W) and features
(N, C, T, H, W), of which the pixels of a row stand side by side; ``triton.py`` says which two
serve and with what constants. Nothing is added atomically and each value is written by one
program, so results are the same each time.

- ``*_by_pixels``, few channels: a pixel stays in a thread, which loads what it is compared with.
- ``*_by_tiles``, many channels: a tile of pixels is multiplied with the pixels around it by the
  matrix units, some rows at a time, and what lies in the window is picked from the products.

What the constants mean (sizes are constants so that addresses within a map are, too):

C, H, W, U, V: channels, rows and columns of a map, and sides of the window.
ROW, PLANE: elements from one row of a map to the next, and from one channel to the next.
BORDER: what stands outside the clip.
WIDE: whether indices within the volume of one offset, or some channels, need 64 bits.
ROWS: rows of the window that a program takes at a time.
JOBS: for each offset that is multiplied ``(index, tau, dilation, mirror)``: ``mirror`` is the
    index of the offset that has the same products, at the other pixel and under the opposite
    displacement, or -1.
SOURCES: for each map that features get gradients from, and each frame that is so many ahead,
    ``(tau, dilation, own, mirrored)``: indices of the offsets that look there from the pixel, and
    of those that look back from there.
"""

import triton
import triton.language as tl


@triton.jit
def _inside(i, j, H: tl.constexpr, W: tl.constexpr):
    """Whether pixels lie on the map."""
    return (i >= 0) & (i < H) & (j >= 0) & (j < W)


@triton.jit
def _volume(first, frame, T, H: tl.constexpr, W: tl.constexpr, d, WIDE: tl.constexpr):
    """Where maps of displacements ``d`` of the offset at ``first`` begin at a frame."""
    if WIDE:
        return first + (tl.cast(d, tl.int64) * T + frame) * (H * W)
    return first + (d * T + frame) * (H * W)


@triton.jit
def _write(
    out, values, n, t, u, i, j, d, dy, dx, on, num_offsets, T, H: tl.constexpr, W: tl.constexpr,
    D: tl.constexpr, INDEX: tl.constexpr, MIRROR: tl.constexpr, WIDE: tl.constexpr,
):
    """Write products of pixels (i, j) at frame ``t`` with those (dy, dx) away at frame ``u``.

    With a mirror, also to the other pixel of each; what has no pixel at the other end, zeros.
    """
    pixel = i * W + j
    clip = n * num_offsets
    first = _volume(out + (clip + INDEX) * D * T * (H * W), t, T, H, W, d, WIDE)
    values = values.to(out.dtype.element_ty)
    tl.store(first + pixel, values, mask=on)
    if MIRROR >= 0:
        first = _volume(out + (clip + MIRROR) * D * T * (H * W), u, T, H, W, D - 1 - d, WIDE)
        there = on & _inside(i + dy, j + dx, H, W)
        tl.store(first + pixel + dy * W + dx, values, mask=there)
        tl.store(first + pixel, 0.0, mask=on & ~_inside(i - dy, j - dx, H, W))


@triton.jit
def _ahead(t, tau: tl.constexpr, T, BORDER: tl.constexpr):
    """The frame ``tau`` ahead, or whichever takes its place, and whether it has features."""
    u = t + tau
    inside = (u >= 0) & (u < T)
    if BORDER == 'replicate':
        return tl.minimum(tl.maximum(u, 0), T - 1), inside | True
    # outside, frames of ``tau`` and ``-tau`` that have no partner are paired all the same, so that
    # each is written once
    return ((u % T) + T) % T, inside | (BORDER == 'circular')


@triton.jit
def _sources(t, tau: tl.constexpr, T, BORDER: tl.constexpr, BACK: tl.constexpr):
    """The range of frames ``tau`` ahead; looking ``BACK``, all that ``t`` stands ``-tau`` from."""
    u, inside = _ahead(t, tau, T, BORDER)
    if BORDER == 'replicate' and BACK:
        first = tl.where(t == 0, 0, tl.maximum(t + tau, 0))
        return first, tl.where(t == T - 1, T, tl.minimum(t + tau + 1, T))
    return u, tl.where(inside, u + 1, u)


@triton.jit
def forward_by_pixels(
    queries, keys, out, clip, frame, T, scale,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, U: tl.constexpr, V: tl.constexpr,
    ROW: tl.constexpr, PLANE: tl.constexpr, OFFSETS: tl.constexpr, JOBS: tl.constexpr,
    BORDER: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr, PIXELS: tl.constexpr,
):
    """Grid: clips, frames, jobs, groups of rows of the window, blocks of pixels."""
    blocks: tl.constexpr = (H * W + PIXELS - 1) // PIXELS
    groups: tl.constexpr = (U + ROWS - 1) // ROWS
    program = tl.program_id(0)
    pixel = program % blocks * PIXELS + tl.arange(0, PIXELS)
    program //= blocks
    row = program % groups * ROWS
    program //= groups
    job = program % len(JOBS)
    program //= len(JOBS)
    t, n = program % T, (program // T).to(tl.int64)
    for which in tl.static_range(len(JOBS)):
        if job == which:
            _forward_by_pixels(
                queries, keys, out, clip, frame, T, scale, n, t, row, pixel,
                JOBS[which][0], JOBS[which][1], JOBS[which][2], JOBS[which][3],
                C, H, W, U, V, ROW, PLANE, OFFSETS, BORDER, WIDE, ROWS,
            )


@triton.jit
def _forward_by_pixels(
    queries, keys, out, clip, frame, T, scale, n, t, row, pixel,
    INDEX: tl.constexpr, TAU: tl.constexpr, DILATION: tl.constexpr, MIRROR: tl.constexpr,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, U: tl.constexpr, V: tl.constexpr,
    ROW: tl.constexpr, PLANE: tl.constexpr, OFFSETS: tl.constexpr, BORDER: tl.constexpr,
    WIDE: tl.constexpr, ROWS: tl.constexpr,
):
    i, j = pixel // W, pixel % W
    on = pixel < H * W
    u, inside = _ahead(t, TAU, T, BORDER)
    up = (row - U // 2) * DILATION
    left: tl.constexpr = -(V // 2) * DILATION
    here = queries + n * clip + tl.cast(t, tl.int64) * frame
    there = keys + n * clip + tl.cast(u, tl.int64) * frame + (up * ROW + left)
    place = i * ROW + j
    sums = ()
    for _ in tl.static_range(ROWS * V):
        sums = sums + (tl.full(pixel.shape, 0, tl.float32),)
    for _ in range(tl.where(inside, C, 0)):
        query = tl.load(here + place, mask=on, other=0).to(tl.float32)
        more = ()
        for k in tl.static_range(ROWS * V):
            near = on & _inside(i + (up + k // V * DILATION), j + (left + k % V * DILATION), H, W)
            far = place + (k // V * DILATION * ROW + k % V * DILATION)
            key = tl.load(there + far, mask=near, other=0)
            more = more + (sums[k] + query * key.to(tl.float32),)
        sums = more
        here += PLANE
        there += PLANE
    for k in tl.static_range(ROWS * V):
        if row + k // V < U:
            _write(
                out, sums[k] * scale, n, t, u, i, j, row * V + k,
                up + k // V * DILATION, left + k % V * DILATION, on,
                OFFSETS, T, H, W, U * V, INDEX, MIRROR, WIDE,
            )


@triton.jit
def _gradients(
    grad, n, t, u, i, j, d, dy, dx, on, T, H: tl.constexpr, W: tl.constexpr, D: tl.constexpr,
    OFFSETS: tl.constexpr, OWN: tl.constexpr, MIRRORED: tl.constexpr, WIDE: tl.constexpr,
):
    """Gradients of the products of pixels (i, j) at ``t`` with those (dy, dx) away at ``u``.

    One of each offset in which the product stands.
    """
    pixel = i * W + j
    near = on & _inside(i + dy, j + dx, H, W)
    found = ()
    for k in tl.static_range(len(OWN)):
        first = grad + (n * OFFSETS + OWN[k]) * D * T * (H * W)
        first = _volume(first, t, T, H, W, d, WIDE)
        found = found + (tl.load(first + pixel, mask=near, other=0),)
    for k in tl.static_range(len(MIRRORED)):
        first = grad + (n * OFFSETS + MIRRORED[k]) * D * T * (H * W)
        first = _volume(first, u, T, H, W, D - 1 - d, WIDE)
        found = found + (tl.load(first + pixel + (dy * W + dx), mask=near, other=0),)
    return found


@triton.jit
def _total(values):
    """The sum of tensors in single precision."""
    total = values[0].to(tl.float32)
    for k in tl.static_range(1, len(values)):
        total += values[k].to(tl.float32)
    return total


@triton.jit
def backward_by_pixels(
    grad, queries, keys, of_queries, of_keys, clip, frame, T, scale,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, U: tl.constexpr, V: tl.constexpr,
    ROW: tl.constexpr, PLANE: tl.constexpr, OFFSETS: tl.constexpr, SOURCES: tl.constexpr,
    BORDER: tl.constexpr, WIDE: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):
    """Grid: clips, frames, maps that get a gradient, blocks of pixels, blocks of channels."""
    parts: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    blocks: tl.constexpr = (H * W + PIXELS - 1) // PIXELS
    program = tl.program_id(0)
    c = program % parts * CHANNELS
    program //= parts
    pixel = program % blocks * PIXELS + tl.arange(0, PIXELS)
    program //= blocks
    which = program % len(SOURCES)
    program //= len(SOURCES)
    t, n = program % T, (program // T).to(tl.int64)
    if which == 0:
        _backward_by_pixels(
            grad, keys, of_queries, clip, frame, T, scale, n, t, c, pixel,
            C, H, W, U, V, ROW, PLANE, OFFSETS, SOURCES[0], BORDER, WIDE, CHANNELS,
        )
    elif len(SOURCES) == 2:
        _backward_by_pixels(
            grad, queries, of_keys, clip, frame, T, scale, n, t, c, pixel,
            C, H, W, U, V, ROW, PLANE, OFFSETS, SOURCES[1], BORDER, WIDE, CHANNELS,
        )


@triton.jit
def _backward_by_pixels(
    grad, x, out, clip, frame, T, scale, n, t, c, pixel,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, U: tl.constexpr, V: tl.constexpr,
    ROW: tl.constexpr, PLANE: tl.constexpr, OFFSETS: tl.constexpr, SOURCES: tl.constexpr,
    BORDER: tl.constexpr, WIDE: tl.constexpr, CHANNELS: tl.constexpr,
):
    i, j = pixel // W, pixel % W
    on = pixel < H * W
    place = x + n * clip + c.to(tl.int64) * PLANE
    totals = ()
    for _ in tl.static_range(CHANNELS):
        totals = totals + (tl.full(pixel.shape, 0, tl.float32),)
    for which in tl.static_range(len(SOURCES)):
        totals = _add_by_pixels(
            totals, grad, place, frame, T, n, t, c, i, j, on,
            SOURCES[which][0], SOURCES[which][1], SOURCES[which][2], SOURCES[which][3],
            C, H, W, U, V, ROW, PLANE, OFFSETS, BORDER, WIDE, CHANNELS,
        )
    for k in tl.static_range(CHANNELS):
        _write_gradient(
            out, totals[k] * scale, n, t, c + k, i, j, on & (c + k < C), T, C, H, W
        )


@triton.jit
def _add_by_pixels(
    totals, grad, place, frame, T, n, t, c, i, j, on,
    TAU: tl.constexpr, DILATION: tl.constexpr, OWN: tl.constexpr, MIRRORED: tl.constexpr,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, U: tl.constexpr, V: tl.constexpr,
    ROW: tl.constexpr, PLANE: tl.constexpr, OFFSETS: tl.constexpr, BORDER: tl.constexpr,
    WIDE: tl.constexpr, CHANNELS: tl.constexpr,
):
    """What one of the sources adds to the gradient."""
    left: tl.constexpr = -(V // 2) * DILATION
    first, last = _sources(t, TAU, T, BORDER, len(OWN) == 0)
    for u in range(first, last):
        for a in range(U):
            dy = (a - U // 2) * DILATION
            there = place + (tl.cast(u, tl.int64) * frame + (dy * ROW + left))
            for b in range(V):
                near = on & _inside(i + dy, j + (left + b * DILATION), H, W)
                gradient = _total(
                    _gradients(
                        grad, n, t, u, i, j, a * V + b, dy, left + b * DILATION, on, T, H, W,
                        U * V, OFFSETS, OWN, MIRRORED, WIDE,
                    )
                )
                values = there + (i * ROW + j + b * DILATION)
                more = ()
                for k in tl.static_range(CHANNELS):
                    used = near if C % CHANNELS == 0 else near & (c + k < C)
                    value = tl.load(values + k * PLANE, mask=used, other=0)
                    more = more + (totals[k] + gradient * value.to(tl.float32),)
                totals = more
    return totals


@triton.jit
def _write_gradient(
    out, values, n, t, c, i, j, on, T, C: tl.constexpr, H: tl.constexpr, W: tl.constexpr
):
    """Write features' gradients, which lie (N, T, C, H, W) in memory."""
    first = out + (n * T + t) * C * (H * W)
    place = tl.cast(c, tl.int64) * (H * W) + (i * W + j)
    tl.store(first + place, values.to(out.dtype.element_ty), mask=on)


@triton.jit
def forward_by_tiles(
    queries, keys, out, clip, frame, T, scale,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, U: tl.constexpr, V: tl.constexpr,
    ROW: tl.constexpr, PLANE: tl.constexpr, OFFSETS: tl.constexpr, JOBS: tl.constexpr,
    BORDER: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr, HIGH: tl.constexpr,
    WIDTH: tl.constexpr, CHANNELS: tl.constexpr, STRIP: tl.constexpr, REACH: tl.constexpr,
    SLOTS: tl.constexpr,
):
    """Grid: clips, frames, jobs, groups of rows of the window, tiles of pixels.

    A tile has HIGH rows and WIDTH columns; what it is multiplied with at a time, STRIP rows of
    REACH columns. A group has up to SLOTS displacements.
    """
    columns: tl.constexpr = (W + WIDTH - 1) // WIDTH
    tiles: tl.constexpr = (H + HIGH - 1) // HIGH * columns
    groups: tl.constexpr = (U + ROWS - 1) // ROWS
    program = tl.program_id(0)
    tile = program % tiles
    program //= tiles
    row = program % groups * ROWS
    program //= groups
    job = program % len(JOBS)
    program //= len(JOBS)
    t, n = program % T, (program // T).to(tl.int64)
    top, left = tile // columns * HIGH, tile % columns * WIDTH
    for which in tl.static_range(len(JOBS)):
        if job == which:
            _forward_by_tiles(
                queries, keys, out, clip, frame, T, scale, n, t, row, top, left,
                JOBS[which][0], JOBS[which][1], JOBS[which][2], JOBS[which][3],
                C, H, W, U, V, ROW, PLANE, OFFSETS, BORDER, WIDE, ROWS, HIGH, WIDTH, CHANNELS,
                STRIP, REACH, SLOTS,
            )


@triton.jit
def _forward_by_tiles(
    queries, keys, out, clip, frame, T, scale, n, t, row, top, left,
    INDEX: tl.constexpr, TAU: tl.constexpr, DILATION: tl.constexpr, MIRROR: tl.constexpr,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, U: tl.constexpr, V: tl.constexpr,
    ROW: tl.constexpr, PLANE: tl.constexpr, OFFSETS: tl.constexpr, BORDER: tl.constexpr,
    WIDE: tl.constexpr, ROWS: tl.constexpr, HIGH: tl.constexpr, WIDTH: tl.constexpr,
    CHANNELS: tl.constexpr, STRIP: tl.constexpr, REACH: tl.constexpr, SLOTS: tl.constexpr,
):
    u, inside = _ahead(t, TAU, T, BORDER)
    q = tl.arange(0, HIGH * WIDTH)[:, None]
    k = tl.arange(0, STRIP * REACH)[None, :]
    d = tl.arange(0, SLOTS)[None, :]
    a, b = d // V, d % V
    i, j = top + q // WIDTH, left + q % WIDTH
    on = (i < H) & (j < W)
    up = (row - U // 2) * DILATION
    over: tl.constexpr = -(V // 2) * DILATION
    strips: tl.constexpr = (HIGH + (ROWS - 1) * DILATION + STRIP - 1) // STRIP
    here = queries + n * clip + tl.cast(t, tl.int64) * frame
    there = keys + n * clip + tl.cast(u, tl.int64) * frame
    c = tl.arange(0, CHANNELS)
    step = c.to(tl.int64) * PLANE if WIDE else c * PLANE
    query_place = step[None, :] + (i * ROW + j)
    values = tl.full((HIGH * WIDTH, SLOTS), 0, tl.float32)
    for strip in range(tl.where(inside, strips, 0)):
        y, x = top + up + strip * STRIP + k // REACH, left + over + k % REACH
        near = _inside(y, x, H, W)
        products = tl.full((HIGH * WIDTH, STRIP * REACH), 0, tl.float32)
        query_base, key_base = here, there
        for first in range(0, C, CHANNELS):
            used = c < C - first
            query = tl.load(query_base + query_place, mask=on & used[None, :], other=0)
            key = tl.load(
                key_base + (step[:, None] + (y * ROW + x)), mask=near & used[:, None], other=0
            )
            products = tl.dot(query, key, products)
            query_base += CHANNELS * PLANE
            key_base += CHANNELS * PLANE
        # what differs from strip to strip comes first, so that no sums of the rest are kept
        y = (a * DILATION - strip * STRIP) + q // WIDTH
        found = (y >= 0) & (y < STRIP) & (d < ROWS * V)
        place = tl.where(found, (y * REACH + q % WIDTH) + b * DILATION, 0)
        values = tl.where(found, tl.gather(products, place, 1), values)
    _write(
        out, values * scale, n, t, u, i, j, row * V + d, up + a * DILATION, over + b * DILATION,
        on & (d < ROWS * V) & (row + a < U), OFFSETS, T, H, W, U * V, INDEX, MIRROR, WIDE,
    )


@triton.jit
def backward_by_tiles(
    grad, queries, keys, of_queries, of_keys, clip, frame, T, scale,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, U: tl.constexpr, V: tl.constexpr,
    ROW: tl.constexpr, PLANE: tl.constexpr, OFFSETS: tl.constexpr, SOURCES: tl.constexpr,
    BORDER: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr, HIGH: tl.constexpr,
    WIDTH: tl.constexpr, CHANNELS: tl.constexpr, STRIP: tl.constexpr, REACH: tl.constexpr,
    SLOTS: tl.constexpr,
):
    """Grid: clips, frames, maps that get a gradient, tiles of pixels, blocks of channels."""
    parts: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    columns: tl.constexpr = (W + WIDTH - 1) // WIDTH
    tiles: tl.constexpr = (H + HIGH - 1) // HIGH * columns
    program = tl.program_id(0)
    c = program % parts * CHANNELS
    program //= parts
    tile = program % tiles
    program //= tiles
    which = program % len(SOURCES)
    program //= len(SOURCES)
    t, n = program % T, (program // T).to(tl.int64)
    top, left = tile // columns * HIGH, tile % columns * WIDTH
    if which == 0:
        _backward_by_tiles(
            grad, keys, of_queries, clip, frame, T, scale, n, t, c, top, left,
            C, H, W, U, V, ROW, PLANE, OFFSETS, SOURCES[0], BORDER, WIDE, ROWS, HIGH, WIDTH,
            CHANNELS, STRIP, REACH, SLOTS,
        )
    elif len(SOURCES) == 2:
        _backward_by_tiles(
            grad, queries, of_keys, clip, frame, T, scale, n, t, c, top, left,
            C, H, W, U, V, ROW, PLANE, OFFSETS, SOURCES[1], BORDER, WIDE, ROWS, HIGH, WIDTH,
            CHANNELS, STRIP, REACH, SLOTS,
        )


@triton.jit
def _backward_by_tiles(
    grad, x, out, clip, frame, T, scale, n, t, c, top, left,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, U: tl.constexpr, V: tl.constexpr,
    ROW: tl.constexpr, PLANE: tl.constexpr, OFFSETS: tl.constexpr, SOURCES: tl.constexpr,
    BORDER: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr, HIGH: tl.constexpr,
    WIDTH: tl.constexpr, CHANNELS: tl.constexpr, STRIP: tl.constexpr, REACH: tl.constexpr,
    SLOTS: tl.constexpr,
):
    q = tl.arange(0, HIGH * WIDTH)[:, None]
    i, j = top + q // WIDTH, left + q % WIDTH
    channels = tl.arange(0, CHANNELS)[None, :]
    step = channels.to(tl.int64) * PLANE if WIDE else channels * PLANE
    base = x + n * clip + c.to(tl.int64) * PLANE
    c = c + channels
    total = tl.full((HIGH * WIDTH, CHANNELS), 0, tl.float32)
    for which in tl.static_range(len(SOURCES)):
        total = _add_by_tiles(
            total, grad, base, step, frame, T, n, t, top, left, q, i, j, c < C,
            SOURCES[which][0], SOURCES[which][1], SOURCES[which][2], SOURCES[which][3],
            H, W, U, V, ROW, OFFSETS, BORDER, WIDE, ROWS, HIGH, WIDTH, STRIP, REACH, SLOTS,
        )
    on = (i < H) & (j < W) & (c < C)
    _write_gradient(out, total * scale, n, t, c, i, j, on, T, C, H, W)


@triton.jit
def _add_by_tiles(
    total, grad, base, step, frame, T, n, t, top, left, q, i, j, used,
    TAU: tl.constexpr, DILATION: tl.constexpr, OWN: tl.constexpr, MIRRORED: tl.constexpr,
    H: tl.constexpr, W: tl.constexpr, U: tl.constexpr, V: tl.constexpr, ROW: tl.constexpr,
    OFFSETS: tl.constexpr, BORDER: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr,
    HIGH: tl.constexpr, WIDTH: tl.constexpr, STRIP: tl.constexpr, REACH: tl.constexpr,
    SLOTS: tl.constexpr,
):
    """What one of the sources adds to the gradient.

    The gradients of products, by displacement, are laid out by pixels of a strip and multiplied
    with their features.
    """
    k = tl.arange(0, STRIP * REACH)
    d = tl.arange(0, SLOTS)[None, :]
    y, x = k // REACH, k % REACH
    over: tl.constexpr = -(V // 2) * DILATION
    strips: tl.constexpr = (HIGH + (ROWS - 1) * DILATION + STRIP - 1) // STRIP
    first, last = _sources(t, TAU, T, BORDER, len(OWN) == 0)
    for u in range(first, last):
        there = base + tl.cast(u, tl.int64) * frame
        for row in range(0, U, ROWS):
            up = (row - U // 2) * DILATION
            on = (i < H) & (j < W) & (d < ROWS * V) & (row + d // V < U)
            gradients = _gradients(
                grad, n, t, u, i, j, row * V + d, up + d // V * DILATION,
                over + d % V * DILATION, on, T, H, W, U * V, OFFSETS, OWN, MIRRORED, WIDE,
            )
            for strip in range(strips):
                down = up + strip * STRIP
                near = _inside(top + down + y, left + over + x, H, W)[:, None]
                place = (top + down + y) * ROW + (left + over + x)
                key = tl.load(there + (place[:, None] + step), mask=near & used, other=0)
                dy = (strip * STRIP + y)[None, :] - q // WIDTH
                dx = x[None, :] - q % WIDTH
                found = _inside(dy, dx, (ROWS - 1) * DILATION + 1, (V - 1) * DILATION + 1)
                if DILATION > 1:
                    found &= (dy % DILATION == 0) & (dx % DILATION == 0)
                slot = tl.where(found, dy // DILATION * V + dx // DILATION, 0)
                for each in tl.static_range(len(gradients)):
                    band = tl.where(found, tl.gather(gradients[each], slot, 1), 0)
                    band = band.to(base.dtype.element_ty)
                    total = tl.dot(band, key, total)
    return total
