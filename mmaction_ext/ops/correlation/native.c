/* Correlation of pairs of frames within a window, forward and backward, in float32.

   Plain C without headers of Python or torch. The file includes itself once for each instruction
   set; `correlate` and `correlate_backward` at its end take the one that they are told. A caller
   cuts the work into ranges of items and gives each to a thread: no two items write to one place,
   and each is summed in one fixed order.

   Shape legend: C channels, H rows, W columns, U x V window, D = U*V displacements. */

#ifndef TARGET

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
#define TILE 16
/* Channels whose products are summed before the next row of keys is met. */
#define CHANNELS 64
/* Bytes of the products of a block of rows, which should stay in the cache. */
#define BLOCK_BYTES (64 << 10)

static inline Int least(Int a, Int b) { return a < b ? a : b; }
static inline Int most(Int a, Int b) { return a > b ? a : b; }

/* Rows of a block, of each of which so many values are kept. */
static Int block_rows(const Features *x, Int values) {
    return least(x->height, most(2, BLOCK_BYTES / ((Int)sizeof(float) * most(values, 1))));
}

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(name) JOIN(name, SUFFIX)
#define INLINE static inline __attribute__((always_inline)) TARGET

#define TARGET
#define SUFFIX portable
#define LANES 4
#include "native.c"
#undef TARGET
#undef SUFFIX
#undef LANES

#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2,fma")))
#define SUFFIX avx2
#ifndef AVX2_LANES
#define AVX2_LANES 8
#endif
#define LANES AVX2_LANES
#include "native.c"
#undef TARGET
#undef SUFFIX
#undef LANES

#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")))
#define SUFFIX avx512
#define LANES 16
#include "native.c"
#undef TARGET
#undef SUFFIX
#undef LANES
#endif

/* Instruction sets by number: 0 whatever there is, 1 AVX2 with FMA, 2 AVX-512. */
Int best_instructions(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
    return 0;
}

/* Items are (clip, pair): item = clip * num_pairs + pair. Writes every value of the slabs of its
   pairs. Returns 0, or 1 without memory. */
int correlate(Int instructions, const Features *x, const Pair *pairs, Int num_pairs,
              const Slab *slabs, float *out, Int out_clip, Int begin, Int end) {
#if defined(__x86_64__)
    if (instructions == 2)
        return correlate_avx512(x, pairs, num_pairs, slabs, out, out_clip, begin, end);
    if (instructions == 1)
        return correlate_avx2(x, pairs, num_pairs, slabs, out, out_clip, begin, end);
#endif
    return correlate_portable(x, pairs, num_pairs, slabs, out, out_clip, begin, end);
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

/* The frames of one clip that a thread has met, each (H, tiles, C, pitch): a tile of columns, with
   those that the window reaches on both sides of it, zeros where there are none. */
typedef struct {
    float *values, *block;
    Int *clip_of;
    Int tiles, pitch, row, size;
} NAME(Packed);
#define PACKED NAME(Packed)

static TARGET int NAME(prepare)(PACKED *packed, const Features *x, Int block_values) {
    packed->tiles = (x->width + TILE - 1) / TILE;
    packed->pitch = TILE + 2 * x->pad;
    packed->row = packed->tiles * x->channels * packed->pitch;
    packed->size = x->height * packed->row;
    packed->values = calloc(x->frames * packed->size + TILE, sizeof(float));
    packed->block = malloc((block_values + TILE) * sizeof(float));
    packed->clip_of = malloc(x->frames * sizeof(Int));
    if (!packed->values || !packed->block || !packed->clip_of) return 1;
    for (Int f = 0; f < x->frames; f++) packed->clip_of[f] = -1;
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

/* Frame f of a clip, packed now unless it was before. */
static TARGET const float *NAME(frame)(PACKED *packed, const Features *x, Int clip, Int f) {
    float *to = packed->values + f * packed->size;
    if (packed->clip_of[f] == clip) return to;
    packed->clip_of[f] = clip;
    const float *from = x->bases[f] + clip * x->clip;
    for (Int some = 0; some < x->channels; some += TILE)
        for (Int i = 0; i < x->height; i++)
            for (Int c = some; c < least(some + TILE, x->channels); c++) {
                const float *row = from + c * x->channel + i * x->row;
                for (Int tile = 0; tile < packed->tiles; tile++) {
                    Int first = tile * TILE - x->pad, begin = most(0, first);
                    Int count = least(x->width, first + packed->pitch) - begin;
                    float *there = to + i * packed->row + (tile * x->channels + c) * packed->pitch +
                                   begin - first;
                    if (x->column == 1)
                        NAME(copy)(there, row + begin, count);
                    else
                        for (Int j = 0; j < count; j++) there[j] = row[(begin + j) * x->column];
                }
            }
    return to;
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

/* Products of query rows i and, if there are two, i + dilation, under all displacements (or, of
   one frame, those from the middle row of the window on), into block (D, rows, columns). A row of
   keys meets both under neighbouring displacements. */
static TARGET void NAME(multiply_rows)(const Features *x, const Pair *pair, const PACKED *packed,
                                       const float *queries, const float *keys, Int tile, Int i,
                                       Int rows, Int block_first, Int block_rows) {
    Int u_side = x->window_rows, v_side = x->window_columns, step = pair->dilation;
    Int columns = packed->tiles * TILE, pitch = packed->pitch, lowest = pair->half ? u_side / 2 : 0;
    Int width = least(TILE, x->width - tile * TILE), parts = (v_side + 4) / 5;
    Int displacement = block_rows * columns;
    const float *q = queries + i * packed->row + tile * x->channels * pitch + x->pad;
    for (Int c = 0; c < x->channels; c += CHANNELS)
        for (Int m = lowest; m < u_side + rows - 1; m++) {
            Int y = i + (m - u_side / 2) * step;
            if (y < 0 || y >= x->height) continue;
            /* the first row is met under window row m, the second under m - 1 */
            Int skip = m == u_side, both = rows == 2 && m > lowest && !skip;
            Int a = m - skip, row = i + skip * step - block_first;
            const float *k = keys + y * packed->row + (tile * x->channels + c) * pitch + x->pad;
            for (Int part = 0, b = 0, count; part < parts; part++, b += count) {
                count = (v_side - b + parts - part - 1) / (parts - part);
                for (Int j = 0; j < width; j += LANES)
                    NAME(dots)[both][count - 1](
                        q + c * pitch + skip * step * packed->row + j, step * packed->row,
                        k + (b - v_side / 2) * step + j, pitch, least(CHANNELS, x->channels - c),
                        step, c == 0,
                        packed->block + (a * v_side + b) * displacement + row * columns +
                            tile * TILE + j,
                        displacement, step * columns - v_side * displacement);
            }
        }
}

/* Write the products of a block of rows under one displacement to a slab. */
static TARGET void NAME(write_rows)(const Features *x, const Slab *slab, float *out, Int i,
                                    Int rows, Int a, Int b, Int step, const float *block,
                                    Int columns, float *line) {
    Int u_side = x->window_rows, v_side = x->window_columns, width = x->width, count = 0;
    Int dy = (a - u_side / 2) * step, dx = (b - v_side / 2) * step, d = a * v_side + b;
    if (slab->mirrored) d = u_side * v_side - 1 - d;
    Int begin = slab->mirrored && dx > 0 ? least(dx, width) : 0;
    Int from = slab->mirrored && dx < 0 ? least(-dx, width) : 0, length = width - begin - from;
    Int first = -1;
    for (Int r = 0; r < rows; r++) {
        Int y = i + r + dy, target = slab->mirrored ? y : i + r;
        if (target < 0 || target >= x->height) continue;
        if (first < 0) first = target;
        float *to = line + count;
        count += width;
        if (!slab->mirrored && (y < 0 || y >= x->height)) {
            memset(to, 0, width * sizeof(float));
            continue;
        }
        for (Int j = 0; j < begin; j++) to[j] = 0;
        Int j = 0;
        for (; j + LANES <= length; j += LANES)
            STORE(to + begin + j, LOAD(block + r * columns + from + j) * x->scale);
        for (; j < length; j++) to[begin + j] = block[r * columns + from + j] * x->scale;
        for (j = begin + length; j < width; j++) to[j] = 0;
    }
    if (!count) return;
    out += slab->offset + d * slab->stride + first * width;
    NAME(copy)(out, line, count);
}

static TARGET void NAME(correlate_pair)(const Features *x, const Pair *pair, const Slab *slabs,
                                        const float *queries, const float *keys,
                                        const PACKED *packed, Int block_rows, float *line,
                                        float *out) {
    Int u_side = x->window_rows, v_side = x->window_columns, step = pair->dilation;
    Int columns = packed->tiles * TILE;
    for (Int i = 0; i < x->height; i += block_rows) {
        Int rows = least(block_rows, x->height - i);
        for (Int tile = 0; tile < packed->tiles; tile++)
            for (Int r = 0; r < rows; r++) /* r and r + step are one, of every 2 * step rows */
                if (r % (2 * step) < step)
                    NAME(multiply_rows)(x, pair, packed, queries, keys, tile, i + r,
                                        r + step < rows ? 2 : 1, i, block_rows);
        for (Int s = pair->first_slab; s < pair->end_slab; s++)
            for (Int a = 0; a < u_side; a++) {
                Int is_lower = pair->half && a < u_side / 2;
                if (is_lower || (pair->half && a == u_side / 2 && slabs[s].mirrored)) continue;
                for (Int b = 0; b < v_side; b++)
                    NAME(write_rows)(x, slabs + s, out, i, rows, a, b, step,
                                     packed->block + (a * v_side + b) * block_rows * columns,
                                     columns, line);
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
                                  const Slab *slabs, float *out, Int out_clip, Int begin,
                                  Int end) {
    PACKED packed;
    Int num_displacements = x->window_rows * x->window_columns;
    Int columns = (x->width + TILE - 1) / TILE * TILE;
    Int rows = block_rows(x, num_displacements * columns);
    float *line = malloc((rows * x->width + TILE) * sizeof(float));
    int failed = NAME(prepare)(&packed, x, num_displacements * rows * columns) || !line;
    for (Int item = begin; !failed && item < end; item++) {
        Int clip = item / num_pairs;
        const Pair *pair = pairs + item % num_pairs;
        const float *queries = NAME(frame)(&packed, x, clip, pair->queries);
        const float *keys = NAME(frame)(&packed, x, clip, pair->keys);
        NAME(correlate_pair)(x, pair, slabs, queries, keys, &packed, rows, line,
                             out + clip * out_clip);
    }
    free(line);
    NAME(release)(&packed);
    return failed;
}

/* The factors of a source's pixels: the sum of its slabs under displacement d, a block of rows,
   into block (tiles, rows, ...) at `to`, rows and tiles as far apart as told. */
static TARGET void NAME(sum_slabs)(const Features *x, const Source *source, const Slab *slabs,
                                   const float *grad, Int i, Int rows, Int a, Int b, float *line,
                                   Int tiles, float *to, Int to_rows, Int to_tiles) {
    Int u_side = x->window_rows, v_side = x->window_columns, width = x->width;
    Int d = a * v_side + b, last = u_side * v_side - 1;
    Int dy = (a - u_side / 2) * source->dilation, dx = (b - v_side / 2) * source->dilation;
    Int begin = least(width, most(0, -dx)), length = most(0, width - (dx < 0 ? -dx : dx));
    float *sum = line, *part = line + tiles * TILE;
    for (Int r = 0; r < rows; r++) {
        if (i + r + dy < 0 || i + r + dy >= x->height) continue;
        for (Int j = 0; j < tiles * TILE; j += LANES) STORE(sum + j, (VEC){0});
        for (Int s = source->first_slab; s < source->end_slab; s++) {
            const float *row =
                grad + slabs[s].offset +
                (slabs[s].mirrored ? (last - d) * slabs[s].stride + (i + r + dy) * width + dx
                                   : d * slabs[s].stride + (i + r) * width);
            for (Int j = 0; j < tiles * TILE; j += LANES) STORE(part + j, (VEC){0});
            NAME(copy)(part + begin, row + begin, length);
            for (Int j = 0; j < tiles * TILE; j += LANES)
                STORE(sum + j, LOAD(sum + j) + LOAD(part + j));
        }
        for (Int tile = 0; tile < tiles; tile++)
            for (Int j = 0; j < TILE; j += LANES)
                STORE(to + tile * to_tiles + r * to_rows + j,
                      LOAD(sum + tile * TILE + j) * x->scale);
    }
}

/* Gradients of COUNT channels of a row of a tile: sums over sources and displacements. */
#define GATHER(COUNT)                                                                             \
    static TARGET __attribute__((noinline)) void NAME(JOIN(gather, COUNT))(                                                 \
        const Features *x, const Source *sources, Int count, const float *const *frames,          \
        const PACKED *packed, Int i, Int tile, Int c, const float *factors, float *out) {         \
        enum { VECS = TILE / LANES };                                                             \
        VEC sums[COUNT][VECS];                                                                    \
        UNROLL for (int n = 0; n < COUNT; n++) UNROLL for (int v = 0; v < VECS; v++) sums[n][v] = \
            (VEC){0};                                                                             \
        Int u_side = x->window_rows, v_side = x->window_columns, pitch = packed->pitch;           \
        Int place = (tile * x->channels + c) * pitch + x->pad;                                    \
        for (Int s = 0; s < count; s++) {                                                         \
            Int step = sources[s].dilation;                                                       \
            const float *frame = frames[s] + place - v_side / 2 * step;                           \
            for (Int a = 0; a < u_side; a++) {                                                    \
                Int y = i + (a - u_side / 2) * step;                                              \
                const float *end = factors + v_side * TILE, *k[COUNT];                            \
                if (y < 0 || y >= x->height) {                                                    \
                    factors = end;                                                                \
                    continue;                                                                     \
                }                                                                                 \
                UNROLL for (int n = 0; n < COUNT; n++) k[n] = frame + y * packed->row + n * pitch; \
                for (; factors < end; factors += TILE) {                                          \
                    UNROLL for (int v = 0; v < VECS; v++) {                                       \
                        VEC factor = LOAD(factors + v * LANES);                                   \
                        UNROLL for (int n = 0; n < COUNT; n++) sums[n][v] +=                      \
                            factor * LOAD(k[n] + v * LANES);                                      \
                    }                                                                             \
                    UNROLL for (int n = 0; n < COUNT; n++) k[n] += step;                          \
                }                                                                                 \
            }                                                                                     \
        }                                                                                         \
        Int left = x->width - tile * TILE;                                                        \
        for (int n = 0; n < COUNT; n++) {                                                         \
            float *to = out + ((c + n) * x->height + i) * x->width + tile * TILE;                 \
            float row[TILE];                                                                      \
            if (left >= TILE)                                                                     \
                UNROLL for (int v = 0; v < VECS; v++) STORE(to + v * LANES, sums[n][v]);          \
            else {                                                                                \
                UNROLL for (int v = 0; v < VECS; v++) STORE(row + v * LANES, sums[n][v]);         \
                NAME(copy)(to, row, left);                                                        \
            }                                                                                     \
        }                                                                                         \
    }
GATHER(1) GATHER(2) GATHER(4)
#undef GATHER

static TARGET void NAME(backward_frame)(const Features *x, const Source *sources, Int count,
                                        const Slab *slabs, const float *grad,
                                        const float *const *frames, const PACKED *packed,
                                        Int block_rows, float *line, float *out) {
    Int u_side = x->window_rows, v_side = x->window_columns, size = u_side * v_side * TILE;
    for (Int i = 0; i < x->height; i += block_rows) {
        Int rows = least(block_rows, x->height - i);
        for (Int s = 0; s < count; s++)
            for (Int a = 0; a < u_side; a++)
                for (Int b = 0; b < v_side; b++)
                    NAME(sum_slabs)(x, sources + s, slabs, grad, i, rows, a, b, line,
                                    packed->tiles,
                                    packed->block + s * size + (a * v_side + b) * TILE,
                                    count * size, block_rows * count * size);
        for (Int tile = 0; tile < packed->tiles; tile++)
            for (Int r = 0; r < rows; r++) {
                const float *factors = packed->block + (tile * block_rows + r) * count * size;
                Int c = 0;
                for (; c + 4 <= x->channels; c += 4)
                    NAME(gather_4)(x, sources, count, frames, packed, i + r, tile, c, factors, out);
                if (x->channels - c >= 2) {
                    NAME(gather_2)(x, sources, count, frames, packed, i + r, tile, c, factors, out);
                    c += 2;
                }
                if (c < x->channels)
                    NAME(gather_1)(x, sources, count, frames, packed, i + r, tile, c, factors, out);
            }
    }
}

static TARGET int NAME(backward)(const Features *x, const Source *sources, const Int *first,
                                 const Slab *slabs, const float *grad, Int grad_clip,
                                 float *const *out, Int out_clip, Int begin, Int end) {
    PACKED packed;
    Int longest = 0;
    for (Int f = 0; f < x->frames; f++) longest = most(longest, first[f + 1] - first[f]);
    Int columns = (x->width + TILE - 1) / TILE * TILE;
    Int values = longest * x->window_rows * x->window_columns * columns;
    Int rows = block_rows(x, values);
    float *line = malloc((2 * columns + TILE) * sizeof(float));
    const float **frames = malloc((longest + 1) * sizeof(float *));
    int failed = NAME(prepare)(&packed, x, rows * values) || !frames || !line;
    for (Int item = begin; !failed && item < end; item++) {
        Int clip = item / x->frames, f = item % x->frames, count = first[f + 1] - first[f];
        for (Int s = 0; s < count; s++)
            frames[s] = NAME(frame)(&packed, x, clip, sources[first[f] + s].other);
        NAME(backward_frame)(x, sources + first[f], count, slabs, grad + clip * grad_clip, frames,
                             &packed, rows, line, out[f] + clip * out_clip);
    }
    free(line);
    free(frames);
    NAME(release)(&packed);
    return failed;
}

#undef VEC
#undef LOAD
#undef STORE
#undef UNROLL
#undef PACKED
#endif
