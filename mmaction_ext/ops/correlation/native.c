/* Correlation of pairs of frames within a window, forward and backward, in float32.

   Plain C without headers of Python or torch. The file includes itself once for each instruction
   set; `correlate` and `correlate_backward` at its end take the one that they are told. A caller
   cuts the work into ranges of items and gives each to a thread: no two items write to one place,
   and each is summed in one fixed order.

   Shape legend: C channels, H rows, W columns, U x V window, D = U*V displacements. */

#ifndef TARGET

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t Int;

/* Frames of clips. Frame f of clip n begins at bases[f] + n * clip; strides are in floats. */
typedef struct {
    const float *const *bases;
    Int frames, clip, channel, row, column;
    Int channels, height, width, window_rows, window_columns;
    Int pad; /* columns that the window reaches beyond the map, at the largest dilation */
    float scale;
} Features;

/* The correlation of two frames: `half` if they are one, whose products are needed but once. */
typedef struct {
    Int queries, keys, dilation, first_slab, end_slab, half;
} Pair;

/* A volume (D, H, W) of one clip at `offset`, its displacements `stride` apart. A mirrored one has
   each product at the other pixel, under the opposite displacement. */
typedef struct {
    Int offset, stride, mirrored;
} Slab;

/* What the gradient of frame `frame` gets of frame `other`, by the sum of the slabs. */
typedef struct {
    Int frame, other, dilation, first_slab, end_slab;
} Source;

/* Columns that are computed together; a row is cut into tiles of them. */
#define TILE 32
/* Channels whose products are summed before the next row of keys is met. */
#define CHANNELS 64
/* Values of a cache line. */
#define LINE 16
/* Channels and rows that are packed together, and the rows ahead for which memory is asked. */
#define PACK_CHANNELS 16
#define PACK_ROWS 16
#define PACK_AHEAD 4
/* Bytes of the products of a block of rows, which should stay in the cache. */
#define BLOCK_BYTES (128 << 10)

static inline Int least(Int a, Int b) { return a < b ? a : b; }
static inline Int most(Int a, Int b) { return a > b ? a : b; }
static inline Int distance(Int a, Int b) { return a < b ? b - a : a - b; }

/* Memory for so many values, on a cache line; NULL where there is none. */
static float *allocate(Int values) {
    return aligned_alloc(LINE * sizeof(float), (values + LINE) / LINE * LINE * sizeof(float));
}

/* Rows of a block, of each of which so many values are kept. */
static Int block_rows(const Features *x, Int values) {
    Int rows = BLOCK_BYTES / ((Int)sizeof(float) * most(values, 1));
    return least(x->height, most(4, rows / 4 * 4)); /* whole pairs of rows, at dilation 2, too */
}

#define INLINE static inline __attribute__((always_inline)) TARGET
#define SELF "correlation/native.c"
#include "../instructions.h"

/* Items are (clip, pair): item = clip * num_pairs + pair. Writes every value of the slabs of its
   pairs, past the cache if it `streams`. Returns 0, or 1 without memory. */
int correlate(Int instructions, const Features *x, const Pair *pairs, Int num_pairs,
              const Slab *slabs, float *out, Int out_clip, Int streams, Int begin, Int end) {
#if defined(__x86_64__)
    if (instructions == 2)
        return correlate_avx512(x, pairs, num_pairs, slabs, out, out_clip, streams, begin, end);
    if (instructions == 1)
        return correlate_avx2(x, pairs, num_pairs, slabs, out, out_clip, streams, begin, end);
#endif
    return correlate_portable(x, pairs, num_pairs, slabs, out, out_clip, streams, begin, end);
}

/* Items are (clip, frame) of the gradient; `first[f]` to `first[f + 1]` are the sources of frame f,
   out[f] + n * out_clip is its (C, H, W). Returns 0, or 1 without memory. */
int correlate_backward(Int instructions, const Features *x, const Source *sources,
                       const Int *first, const Slab *slabs, const float *grad, Int grad_clip,
                       float *const *out, Int out_clip, Int begin, Int end) {
#if defined(__x86_64__)
    if (instructions == 2)
        return backward_avx512(x, sources, first, slabs, grad, grad_clip, out, out_clip, begin,
                               end);
    if (instructions == 1)
        return backward_avx2(x, sources, first, slabs, grad, grad_clip, out, out_clip, begin, end);
#endif
    return backward_portable(x, sources, first, slabs, grad, grad_clip, out, out_clip, begin, end);
}

#else /* once for each instruction set */

typedef float NAME(vec) __attribute__((vector_size(LANES * 4)));
typedef float NAME(loose) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
#define VEC NAME(vec)
#define LOAD(p) ((VEC) * (const NAME(loose) *)(p))
#define STORE(p, v) (*(NAME(loose) *)(p) = (v))
#define UNROLL _Pragma("GCC unroll 16")
/* Loaded once, not by each instruction that takes it. */
#if defined(__x86_64__)
#define KEEP(v) __asm__("" : "+x"(v))
#else
#define KEEP(v) (void)(v)
#endif

/* The frames that a thread has met lately, each (H, C, pitch): `pad` zeros or more stand before
   and behind every row of a channel. Frame f is in slot f % slots. */
typedef struct {
    float *values, *block;
    Int *clip_of, *frame_of, *rows_of;
    Int slots, lead, pitch, row, size, columns;
} NAME(Packed);
#define PACKED NAME(Packed)

static TARGET int NAME(prepare)(PACKED *packed, const Features *x, Int slots, Int block_values) {
    packed->slots = slots;
    packed->columns = (x->width + LANES - 1) / LANES * LANES;
    packed->pitch = (x->width + x->pad + 7) / 8 * 8;
    packed->row = x->channels * packed->pitch;
    packed->lead = (x->pad + LINE - 1) / LINE * LINE;
    packed->size = packed->lead + x->height * packed->row;
    Int values = slots * packed->size + x->pad + LINE;
    packed->values = allocate(values);
    packed->block = allocate(block_values + LINE);
    packed->clip_of = malloc(3 * slots * sizeof(Int));
    if (!packed->values || !packed->block || !packed->clip_of) return 1;
    packed->frame_of = packed->clip_of + slots;
    packed->rows_of = packed->frame_of + slots;
    memset(packed->values, 0, values * sizeof(float));
    for (Int s = 0; s < slots; s++) packed->clip_of[s] = -1;
    return 0;
}

static void NAME(release)(PACKED *packed) {
    free(packed->values);
    free(packed->block);
    free(packed->clip_of);
}

INLINE void NAME(copy)(float *to, const float *from, Int count) {
    Int j = 0;
    for (; j + LANES <= count; j += LANES) STORE(to + j, LOAD(from + j));
    if (j < count && count >= LANES)
        STORE(to + count - LANES, LOAD(from + count - LANES));
    else
        for (; j < count; j++) to[j] = from[j];
}

/* The slot of frame f of a clip, of which as many rows are packed as it had before, if any. */
static TARGET Int NAME(slot)(PACKED *packed, Int clip, Int f) {
    Int slot = f % packed->slots;
    if (packed->clip_of[slot] != clip || packed->frame_of[slot] != f) packed->rows_of[slot] = 0;
    packed->clip_of[slot] = clip;
    packed->frame_of[slot] = f;
    return slot;
}

INLINE const float *NAME(frame)(const PACKED *packed, Int slot) {
    return packed->values + slot * packed->size + packed->lead;
}

/* Pack the rows of a slot's frame before `end`, so far as they were not: shortly before they are
   needed, while they are in the cache. */
static TARGET void NAME(pack)(PACKED *packed, const Features *x, Int slot, Int end) {
    float *to = (float *)NAME(frame)(packed, slot);
    const float *from = x->bases[packed->frame_of[slot]] + packed->clip_of[slot] * x->clip;
    for (Int first, last; (first = packed->rows_of[slot]) < least(end, x->height);) {
        last = packed->rows_of[slot] = least(first + PACK_ROWS, x->height);
        for (Int some = 0; some < x->channels; some += PACK_CHANNELS)
            for (Int i = first; i < last; i++)
                for (Int c = some; c < least(some + PACK_CHANNELS, x->channels); c++) {
                    const float *row = from + c * x->channel + i * x->row;
                    float *there = to + i * packed->row + c * packed->pitch;
                    if (x->column == 1) {
                        for (Int j = 0; j < x->width; j += LINE)
                            __builtin_prefetch(row + PACK_AHEAD * x->row + j);
                        NAME(copy)(there, row, x->width);
                    } else
                        for (Int j = 0; j < x->width; j++) there[j] = row[j * x->column];
                }
    }
}

/* Inner products over channels of ROWS vectors of queries with NB displacements of one of keys,
   added to what stands at `to` unless it is the first time. */
#define DOT(NB, ROWS)                                                                             \
    static TARGET void NAME(JOIN(JOIN(dot, NB), ROWS))(                                           \
        const float *q, Int q_rows, const float *k, Int pitch, Int channels, Int step, int first, \
        float *to, Int to_displacements, Int to_rows) {                                           \
        VEC sums[ROWS][NB];                                                                       \
        UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int b = 0; b < NB; b++) sums[r][b] =    \
            first ? (VEC){0} : LOAD(to + r * to_rows + b * to_displacements);                     \
        for (Int c = 0; c < channels; c++, q += pitch, k += pitch) {                              \
            VEC query[ROWS];                                                                      \
            UNROLL for (int r = 0; r < ROWS; r++) query[r] = LOAD(q + r * q_rows);                \
            UNROLL for (int b = 0; b < NB; b++) {                                                 \
                VEC key = LOAD(k + b * step);                                                     \
                KEEP(key);                                                                        \
                UNROLL for (int r = 0; r < ROWS; r++) sums[r][b] += query[r] * key;               \
            }                                                                                     \
        }                                                                                         \
        UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int b = 0; b < NB; b++)                 \
            STORE(to + r * to_rows + b * to_displacements, sums[r][b]);                           \
    }
DOT(1, 1) DOT(2, 1) DOT(3, 1) DOT(4, 1) DOT(5, 1)
DOT(1, 2) DOT(2, 2) DOT(3, 2) DOT(4, 2) DOT(5, 2)
#undef DOT

typedef void (*NAME(Dot))(const float *, Int, const float *, Int, Int, Int, int, float *, Int, Int);
static const NAME(Dot) NAME(dots)[2][5] = {
    {NAME(dot_1_1), NAME(dot_2_1), NAME(dot_3_1), NAME(dot_4_1), NAME(dot_5_1)},
    {NAME(dot_1_2), NAME(dot_2_2), NAME(dot_3_2), NAME(dot_4_2), NAME(dot_5_2)}};

/* Products of a tile of query rows i and, if there are two, i + dilation, under all displacements
   (or, of one frame, those from the middle row of the window on), into block (D, rows, columns). A
   row of keys meets both under neighbouring displacements. */
static TARGET void NAME(multiply_rows)(const Features *x, const Pair *pair, const PACKED *packed,
                                       const float *queries, const float *keys, Int tile, Int i,
                                       Int rows, Int block_first, Int block_rows) {
    Int u_side = x->window_rows, v_side = x->window_columns, step = pair->dilation;
    Int columns = packed->columns, pitch = packed->pitch, lowest = pair->half ? u_side / 2 : 0;
    Int end = least(tile + TILE, x->width), parts = (v_side + 4) / 5;
    Int displacement = block_rows * columns;
    const float *q = queries + i * packed->row;
    for (Int c = 0; c < x->channels; c += CHANNELS)
        for (Int m = lowest; m < u_side + rows - 1; m++) {
            Int y = i + (m - u_side / 2) * step;
            if (y < 0 || y >= x->height) continue;
            /* the first row is met under window row m, the second under m - 1 */
            Int skip = m == u_side, both = rows == 2 && m > lowest && !skip;
            Int a = m - skip, row = i + skip * step - block_first;
            const float *k = keys + y * packed->row + c * pitch;
            for (Int part = 0, b = 0, count; part < parts; part++, b += count) {
                count = (v_side - b + parts - part - 1) / (parts - part);
                for (Int j = tile; j < end; j += LANES)
                    NAME(dots)[both][count - 1](
                        q + c * pitch + skip * step * packed->row + j, step * packed->row,
                        k + (b - v_side / 2) * step + j, pitch, least(CHANNELS, x->channels - c),
                        step, c == 0,
                        packed->block + (a * v_side + b) * displacement + row * columns + j,
                        displacement, step * columns - v_side * displacement);
            }
        }
}

/* to[j] = from[j] * scale */
INLINE void NAME(scale)(float *to, const float *from, Int count, float scale) {
    Int j = 0;
    for (; j + LANES <= count; j += LANES) STORE(to + j, LOAD(from + j) * scale);
    if (j < count && count >= LANES)
        STORE(to + count - LANES, LOAD(from + count - LANES) * scale);
    else
        for (; j < count; j++) to[j] = from[j] * scale;
}

/* Copy past the cache: what is written is larger than it, and lines need not be read first. */
INLINE void NAME(stream)(float *to, const float *from, Int count) {
#if defined(__x86_64__) && LANES >= 8
    Int j = least(count, -((uintptr_t)to / sizeof(float)) % LINE);
    NAME(copy)(to, from, j);
    for (; j + LINE <= count; j += LINE) {
        _mm256_stream_ps(to + j, _mm256_loadu_ps(from + j));
        _mm256_stream_ps(to + j + 8, _mm256_loadu_ps(from + j + 8));
    }
    NAME(copy)(to + j, from + j, count - j);
#else
    NAME(copy)(to, from, count);
#endif
}

/* Write the products of a block of rows under one displacement to a slab, by way of `line` if
   there is one. */
static TARGET void NAME(write_rows)(const Features *x, const Slab *slab, float *out, Int i,
                                    Int rows, Int a, Int b, Int step, const float *block,
                                    Int columns, float *line) {
    Int u_side = x->window_rows, v_side = x->window_columns, width = x->width;
    Int dy = (a - u_side / 2) * step, dx = (b - v_side / 2) * step, d = a * v_side + b;
    if (slab->mirrored) d = u_side * v_side - 1 - d;
    Int begin = slab->mirrored && dx > 0 ? least(dx, width) : 0;
    Int from = slab->mirrored && dx < 0 ? least(-dx, width) : 0, length = width - begin - from;
    /* mirrored rows stand dy further on, those beyond the map nowhere */
    Int first = slab->mirrored ? most(i, -dy) : i;
    Int end = slab->mirrored ? least(i + rows, x->height - dy) : i + rows;
    out += slab->offset + d * slab->stride + (first + (slab->mirrored ? dy : 0)) * width;
    float *to = line ? line + (uintptr_t)out / sizeof(float) % LINE : out, *start = to;
    for (Int r = first; r < end; r++, to += width) {
        if (r + dy < 0 || r + dy >= x->height) {
            memset(to, 0, width * sizeof(float));
            continue;
        }
        for (Int j = 0; j < begin; j++) to[j] = 0;
        NAME(scale)(to + begin, block + (r - i) * columns + from, length, x->scale);
        for (Int j = begin + length; j < width; j++) to[j] = 0;
    }
    if (line && end > first) NAME(stream)(out, start, (end - first) * width);
}

static TARGET void NAME(correlate_pair)(const Features *x, const Pair *pair, const Slab *slabs,
                                        PACKED *packed, Int clip, Int block_rows, float *line,
                                        float *out) {
    Int u_side = x->window_rows, v_side = x->window_columns, step = pair->dilation;
    Int queries = NAME(slot)(packed, clip, pair->queries);
    Int keys = NAME(slot)(packed, clip, pair->keys);
    for (Int i = 0; i < x->height; i += block_rows) {
        Int rows = least(block_rows, x->height - i);
        for (Int r = 0; r < rows; r++) { /* r and r + step are one, of every 2 * step rows */
            if (r % (2 * step) >= step) continue;
            NAME(pack)(packed, x, queries, i + r + step + 1);
            NAME(pack)(packed, x, keys, i + r + (u_side / 2 + 1) * step + 1);
            for (Int tile = 0; tile < x->width; tile += TILE)
                NAME(multiply_rows)(x, pair, packed, NAME(frame)(packed, queries),
                                    NAME(frame)(packed, keys), tile, i + r,
                                    r + step < rows ? 2 : 1, i, block_rows);
        }
        for (Int s = pair->first_slab; s < pair->end_slab; s++)
            for (Int a = 0; a < u_side; a++) {
                Int is_lower = pair->half && a < u_side / 2;
                if (is_lower || (pair->half && a == u_side / 2 && slabs[s].mirrored)) continue;
                for (Int b = 0; b < v_side; b++)
                    NAME(write_rows)(x, slabs + s, out, i, rows, a, b, step,
                                     packed->block + (a * v_side + b) * block_rows *
                                                         packed->columns,
                                     packed->columns, line);
            }
    }
    /* rows of a mirrored slab that look beyond the map, and those that half a window skips */
    for (Int s = pair->first_slab; s < pair->end_slab; s++)
        if (slabs[s].mirrored)
            for (Int a = 0; a < u_side; a++) {
                Int dy = (a - u_side / 2) * step, count = least(x->height, dy < 0 ? -dy : dy);
                if (pair->half && a <= u_side / 2) continue;
                Int first = dy < 0 ? x->height - count : 0;
                for (Int b = 0; b < v_side; b++)
                    memset(out + slabs[s].offset +
                               (u_side * v_side - 1 - a * v_side - b) * slabs[s].stride +
                               first * x->width,
                           0, count * x->width * sizeof(float));
            }
}

static TARGET int NAME(correlate)(const Features *x, const Pair *pairs, Int num_pairs,
                                  const Slab *slabs, float *out, Int out_clip, Int streams,
                                  Int begin, Int end) {
    PACKED packed;
    Int num_displacements = x->window_rows * x->window_columns, furthest = 0;
    for (Int p = 0; p < num_pairs; p++)
        furthest = most(furthest, distance(pairs[p].queries, pairs[p].keys));
    Int columns = (x->width + LANES - 1) / LANES * LANES;
    Int rows = block_rows(x, num_displacements * columns);
    float *line = streams ? allocate(rows * x->width + LINE) : NULL;
    int failed = NAME(prepare)(&packed, x, furthest + 1, num_displacements * rows * columns) ||
                 (streams && !line);
    for (Int item = begin; !failed && item < end; item++) {
        Int clip = item / num_pairs;
        NAME(correlate_pair)(x, pairs + item % num_pairs, slabs, &packed, clip, rows, line,
                             out + clip * out_clip);
    }
#if defined(__x86_64__)
    _mm_sfence();
#endif
    free(line);
    NAME(release)(&packed);
    return failed;
}

/* Row i of a slab under displacement (a, b) of a source; of a mirrored one what stands there. */
INLINE const float *NAME(slab_row)(const Features *x, const Source *source, const Slab *slab,
                                   const float *grad, Int i, Int a, Int b) {
    Int u_side = x->window_rows, v_side = x->window_columns, d = a * v_side + b;
    if (!slab->mirrored) return grad + slab->offset + d * slab->stride + i * x->width;
    Int y = i + (a - u_side / 2) * source->dilation, dx = (b - v_side / 2) * source->dilation;
    return grad + slab->offset + (u_side * v_side - 1 - d) * slab->stride + y * x->width + dx;
}

/* The factors of a row of a source's pixels: the sum of its slabs under displacement (a, b). */
static TARGET void NAME(sum_slabs)(const Features *x, const Source *source, const Slab *slabs,
                                   const float *grad, Int i, Int a, Int b, float *to) {
    Int width = x->width, dx = (b - x->window_columns / 2) * source->dilation;
    Int j = least(width, most(0, -dx)), end = most(j, width - most(0, dx)), count = end - j;
    memset(to, 0, j * sizeof(float));
    memset(to + end, 0, (width - end) * sizeof(float));
    const Slab *slab = slabs + source->first_slab, *behind = slabs + source->end_slab;
    const float *one = NAME(slab_row)(x, source, slab++, grad, i, a, b), *other;
    if (slab == behind) {
        NAME(copy)(to + j, one + j, count);
        return;
    }
    other = NAME(slab_row)(x, source, slab++, grad, i, a, b);
    for (; j + LANES <= end; j += LANES) STORE(to + j, LOAD(one + j) + LOAD(other + j));
    if (j < end && count >= LANES)
        STORE(to + end - LANES, LOAD(one + end - LANES) + LOAD(other + end - LANES));
    else
        for (; j < end; j++) to[j] = one[j] + other[j];
    for (; slab < behind; slab++) { /* where borders repeat a frame */
        other = NAME(slab_row)(x, source, slab, grad, i, a, b);
        for (j = end - count; j < end; j++) to[j] += other[j];
    }
}

/* To each of some channels of ROWS rows of gradients, a vector at `to` each: the values of NB
   displacements of a row of keys by their factors. */
#define SPREAD(NB, ROWS)                                                                          \
    static TARGET void NAME(JOIN(JOIN(spread, NB), ROWS))(                                        \
        const float *f, Int f_rows, Int f_displacements, const float *k, Int pitch, Int channels, \
        Int step, float *to, Int to_rows) {                                                       \
        VEC factor[ROWS][NB];                                                                     \
        UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int b = 0; b < NB; b++) factor[r][b] =  \
            LOAD(f + r * f_rows + b * f_displacements);                                           \
        for (Int c = 0; c < channels; c++, k += pitch, to += TILE) {                              \
            VEC sums[ROWS];                                                                       \
            UNROLL for (int r = 0; r < ROWS; r++) sums[r] = LOAD(to + r * to_rows);               \
            UNROLL for (int b = 0; b < NB; b++) {                                                 \
                VEC key = LOAD(k + b * step);                                                     \
                KEEP(key);                                                                        \
                UNROLL for (int r = 0; r < ROWS; r++) sums[r] += factor[r][b] * key;              \
            }                                                                                     \
            UNROLL for (int r = 0; r < ROWS; r++) STORE(to + r * to_rows, sums[r]);               \
        }                                                                                         \
    }
SPREAD(1, 1) SPREAD(2, 1) SPREAD(3, 1) SPREAD(4, 1) SPREAD(5, 1)
SPREAD(1, 2) SPREAD(2, 2) SPREAD(3, 2) SPREAD(4, 2) SPREAD(5, 2)
#undef SPREAD

typedef void (*NAME(Spread))(const float *, Int, Int, const float *, Int, Int, Int, float *, Int);
static const NAME(Spread) NAME(spreads)[2][5] = {
    {NAME(spread_1_1), NAME(spread_2_1), NAME(spread_3_1), NAME(spread_4_1), NAME(spread_5_1)},
    {NAME(spread_1_2), NAME(spread_2_2), NAME(spread_3_2), NAME(spread_4_2), NAME(spread_5_2)}};

/* Gradients of a tile of row i and, if there are two, of row i + step, from the factors
   (rows, sources, D, columns) of theirs. */
static TARGET void NAME(gather_rows)(const Features *x, const Source *sources, Int count,
                                     const PACKED *packed, Int tile, Int i, Int rows, Int step,
                                     const float *factors, float *sums, float *out) {
    Int u_side = x->window_rows, v_side = x->window_columns, columns = packed->columns;
    Int pitch = packed->pitch, end = least(tile + TILE, x->width), parts = (v_side + 4) / 5;
    Int factor_rows = count * u_side * v_side * columns, sum_rows = CHANNELS * TILE;
    for (Int c = 0; c < x->channels; c += CHANNELS) {
        Int channels = least(CHANNELS, x->channels - c), asked = 0;
        Int per_pass = channels / most(1, count * (u_side + rows - 2)) + 1;
        memset(sums, 0, rows * sum_rows * sizeof(float));
        for (Int s = 0; s < count; s++)
            for (Int m = 0; m < u_side + rows - 1; m++) {
                Int y = i + (m - u_side / 2) * sources[s].dilation;
                /* what is written at the end is asked for meanwhile */
                for (Int some = 0; some < per_pass && asked < channels; some++, asked++)
                    for (Int r = 0; r < rows; r++) {
                        float *to = out + ((c + asked) * x->height + i + r * step) * x->width;
                        for (Int j = tile; j < end; j += LINE) __builtin_prefetch(to + j, 1);
                        __builtin_prefetch(to + end - 1, 1);
                    }
                if (y < 0 || y >= x->height) continue;
                Int skip = m == u_side, both = rows == 2 && m > 0 && !skip;
                const float *k = NAME(frame)(packed, sources[s].other % packed->slots) +
                                 y * packed->row + c * pitch;
                const float *f = factors + skip * step * factor_rows +
                                 (s * u_side + m - skip) * v_side * columns;
                for (Int part = 0, b = 0, some; part < parts; part++, b += some) {
                    some = (v_side - b + parts - part - 1) / (parts - part);
                    for (Int j = tile; j < end; j += LANES)
                        NAME(spreads)[both][some - 1](
                            f + b * columns + j, step * factor_rows - v_side * columns, columns,
                            k + (b - v_side / 2) * sources[s].dilation + j, pitch, channels,
                            sources[s].dilation, sums + skip * sum_rows + j - tile, sum_rows);
                }
            }
        for (Int n = 0; n < channels; n++)
            for (Int r = 0; r < rows; r++)
                NAME(scale)(out + ((c + n) * x->height + i + r * step) * x->width + tile,
                            sums + r * sum_rows + n * TILE, end - tile, x->scale);
    }
}

static TARGET void NAME(backward_frame)(const Features *x, const Source *sources, Int count,
                                        const Slab *slabs, const float *grad,
                                        PACKED *packed, Int clip, Int block_rows, float *sums,
                                        float *out) {
    Int u_side = x->window_rows, v_side = x->window_columns, columns = packed->columns;
    Int factor_rows = count * u_side * v_side * columns;
    /* rows of one dilation are paired, of several each is by itself */
    Int step = count ? sources->dilation : 1, pair = 1;
    for (Int s = 0; s < count; s++) pair &= sources[s].dilation == step;
    for (Int i = 0; i < x->height; i += block_rows) {
        Int rows = least(block_rows, x->height - i);
        for (Int s = 0; s < count; s++)
            for (Int a = 0; a < u_side; a++)
                for (Int b = 0; b < v_side; b++)
                    for (Int r = 0; r < rows; r++) {
                        Int y = i + r + (a - u_side / 2) * sources[s].dilation;
                        if (y < 0 || y >= x->height) continue;
                        NAME(sum_slabs)(x, sources + s, slabs, grad, i + r, a, b,
                                        packed->block + r * factor_rows +
                                            ((s * u_side + a) * v_side + b) * columns);
                    }
        for (Int r = 0; r < rows; r++) {
            if (pair && r % (2 * step) >= step) continue;
            for (Int s = 0; s < count; s++)
                NAME(pack)(packed, x, NAME(slot)(packed, clip, sources[s].other),
                           i + r + (pair ? step : 0) + u_side / 2 * sources[s].dilation + 1);
            for (Int tile = 0; tile < x->width; tile += TILE)
                NAME(gather_rows)(x, sources, count, packed, tile, i + r,
                                  pair && r + step < rows ? 2 : 1, step,
                                  packed->block + r * factor_rows, sums, out);
        }
    }
}

static TARGET int NAME(backward)(const Features *x, const Source *sources, const Int *first,
                                 const Slab *slabs, const float *grad, Int grad_clip,
                                 float *const *out, Int out_clip, Int begin, Int end) {
    PACKED packed;
    Int longest = 0, furthest = 0;
    for (Int f = 0; f < x->frames; f++) longest = most(longest, first[f + 1] - first[f]);
    for (Int s = 0; s < first[x->frames]; s++)
        furthest = most(furthest, distance(sources[s].frame, sources[s].other));
    Int columns = (x->width + LANES - 1) / LANES * LANES;
    Int values = longest * x->window_rows * x->window_columns * columns;
    Int rows = block_rows(x, values);
    float *sums = allocate(2 * CHANNELS * TILE);
    int failed = NAME(prepare)(&packed, x, least(x->frames, 2 * furthest + 1), rows * values) ||
                 !sums;
    for (Int item = begin; !failed && item < end; item++) {
        Int clip = item / x->frames, f = item % x->frames, count = first[f + 1] - first[f];
        NAME(backward_frame)(x, sources + first[f], count, slabs, grad + clip * grad_clip, &packed,
                             clip, rows, sums, out[f] + clip * out_clip);
    }
    free(sums);
    NAME(release)(&packed);
    return failed;
}

#undef VEC
#undef LOAD
#undef STORE
#undef UNROLL
#undef KEEP
#undef PACKED
#endif
