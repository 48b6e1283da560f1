"""Regional maxima and sums on GPUs: the programs that Triton compiles.

Nothing is added atomically and each value is written by one program, in one order.

What the constants mean (sizes are constants so that addresses within a map are, too):

C, H, W: channels, rows and columns of a map.
G, S: sets of regions, and regions along a side.
COLUMNS, CHANNELS: pixels of a row and channels that a program takes at a time.
"""

import triton
import triton.language as tl


@triton.jit
def _first_of_largest(value, place, other, other_place):
    """The larger value and its place; of equal ones the first place."""
    is_first = (value > other) | ((value == other) & (place < other_place))
    return tl.where(is_first, value, other), tl.where(is_first, place, other_place)


@triton.jit
def _sum(value, other):
    return value + other


@triton.jit
def maxima(
    x, rows, columns, values, points, clip, channel, frame, row, column, T,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, G: tl.constexpr, S: tl.constexpr,
    COLUMNS: tl.constexpr, CHANNELS: tl.constexpr,
):
    """Grid: clips, frames, blocks of channels, sets, regions."""
    parts: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    program = tl.program_id(0)
    k = program % (S * S)
    g = program // (S * S) % G
    c = program // (S * S * G) % parts * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    program //= S * S * G * parts
    t, n = program % T, (program // T).to(tl.int64)
    line = ((n * G + g) * T + t) * (S + 1)
    top, bottom = tl.load(rows + line + k // S), tl.load(rows + line + k // S + 1)
    left, right = tl.load(columns + line + k % S), tl.load(columns + line + k % S + 1)
    top, bottom = top.to(tl.int32), bottom.to(tl.int32)
    left, right = left.to(tl.int32), right.to(tl.int32)
    here = x + n * clip + tl.cast(t, tl.int64) * frame + c.to(tl.int64) * channel
    best = tl.full((COLUMNS, CHANNELS), float('-inf'), tl.float32)
    where = tl.full((COLUMNS, CHANNELS), H * W, tl.int32)
    for i in range(top, bottom):
        for first in range(left, right, COLUMNS):
            j = first + tl.arange(0, COLUMNS)[:, None]
            on = (j < right) & (c < C)
            value = tl.load(here + (tl.cast(i, tl.int64) * row + j * column), mask=on, other=0)
            value = value.to(tl.float32)
            larger = on & ((value > best) | ((value == best) & (where == H * W)))
            best = tl.where(larger, value, best)
            where = tl.where(larger, i * W + j, where)
    _, where = tl.reduce((best, where), 0, _first_of_largest, keep_dims=True)
    # the very first where it is a NaN
    start = tl.load(here + (tl.cast(top, tl.int64) * row + left * column), mask=c < C, other=0)
    start = start.to(tl.float32)
    where = tl.where(start == start, where, top * W + left)
    i, j = where // W, where % W
    value = tl.load(here + (i.to(tl.int64) * row + j * column), mask=c < C, other=0)
    place = (((n * T + t) * G + g) * (S * S) + k) * C + c
    tl.store(values + place, value, mask=c < C)
    side = tl.arange(0, 2)[None, None, :]
    tl.store(
        points + (2 * place[:, :, None] + side),
        tl.join(i, j).to(tl.int64),
        mask=(c < C)[:, :, None],
    )


@triton.jit
def maxima_backward(
    grad, points, rows, out, T,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, G: tl.constexpr, S: tl.constexpr,
    COLUMNS: tl.constexpr, CHANNELS: tl.constexpr,
):
    """Grid: clips, frames, blocks of channels, rows of pixels, blocks of columns."""
    parts: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    blocks: tl.constexpr = (W + COLUMNS - 1) // COLUMNS
    program = tl.program_id(0)
    j = program % blocks * COLUMNS + tl.arange(0, COLUMNS)[:, None]
    i = program // blocks % H
    program //= blocks * H
    c = program % parts * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    program //= parts
    t, n = program % T, (program // T).to(tl.int64)
    total = tl.full((COLUMNS, CHANNELS), 0, tl.float32)
    for g in range(G):
        band = 0
        for p in tl.static_range(1, S):
            first = tl.load(rows + (((n * G + g) * T + t) * (S + 1) + p))
            band += (i >= first).to(tl.int32)
        for q in tl.static_range(S):
            place = ((((n * T + t) * G + g) * S + band) * S + q) * C + c
            at_row = tl.load(points + 2 * place, mask=c < C, other=-1)
            at_column = tl.load(points + 2 * place + 1, mask=c < C, other=-1)
            value = tl.load(grad + place, mask=c < C, other=0).to(tl.float32)
            total += tl.where((at_row == i) & (at_column == j), value, 0)
    pixel = ((n * T + t) * H + i) * W + j
    tl.store(out + (pixel * C + c), total.to(out.dtype.element_ty), mask=(j < W) & (c < C))


@triton.jit
def sums(
    x, rows, columns, out, clip, channel, frame, row, column, T,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, G: tl.constexpr, S: tl.constexpr,
    COLUMNS: tl.constexpr, CHANNELS: tl.constexpr,
):
    """Grid: clips, frames, blocks of channels, sets, bands of regions."""
    parts: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    program = tl.program_id(0)
    p = program % S
    g = program // S % G
    c = program // (S * G) % parts * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    program //= S * G * parts
    t, n = program % T, (program // T).to(tl.int64)
    band = ((n * T + t) * G + g) * S
    here = x + n * clip + tl.cast(t, tl.int64) * frame + c.to(tl.int64) * channel
    totals = ()
    for _ in tl.static_range(S):
        totals = totals + (tl.full((1, CHANNELS), 0, tl.float32),)
    for first in range(0, W, COLUMNS):
        j = first + tl.arange(0, COLUMNS)[:, None]
        on = (j < W) & (c < C)
        total = tl.full((COLUMNS, CHANNELS), 0, tl.float32)
        for i in range(H):
            share = tl.load(rows + ((band + p) * H + i))
            if share != 0:
                place = here + (tl.cast(i, tl.int64) * row + j * column)
                total += share * tl.load(place, mask=on, other=0).to(tl.float32)
        more = ()
        for q in tl.static_range(S):
            share = tl.load(columns + ((band + q) * W + j), mask=j < W, other=0)
            more = more + (totals[q] + tl.reduce(share * total, 0, _sum, keep_dims=True),)
        totals = more
    for q in tl.static_range(S):
        tl.store(out + (((band + p) * S + q) * C + c), totals[q], mask=c < C)


@triton.jit
def sums_backward(
    grad, rows, columns, out, T,
    C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, G: tl.constexpr, S: tl.constexpr,
    COLUMNS: tl.constexpr, CHANNELS: tl.constexpr,
):
    """Grid: clips, frames, blocks of channels, rows of pixels, blocks of columns."""
    parts: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    blocks: tl.constexpr = (W + COLUMNS - 1) // COLUMNS
    program = tl.program_id(0)
    j = program % blocks * COLUMNS + tl.arange(0, COLUMNS)[:, None]
    i = program // blocks % H
    program //= blocks * H
    c = program % parts * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    frame = (program // parts).to(tl.int64)
    total = tl.full((COLUMNS, CHANNELS), 0, tl.float32)
    for band in range(G * S):
        line = frame * (G * S) + band
        share = tl.load(rows + (line * H + i))
        if share != 0:
            for q in tl.static_range(S):
                of_column = (frame * G + band // S) * S + q
                other = tl.load(columns + (of_column * W + j), mask=j < W, other=0)
                value = tl.load(grad + ((line * S + q) * C + c), mask=c < C, other=0)
                total += share * other * value
    pixel = (frame * H + i) * W + j
    tl.store(out + (pixel * C + c), total.to(out.dtype.element_ty), mask=(j < W) & (c < C))
