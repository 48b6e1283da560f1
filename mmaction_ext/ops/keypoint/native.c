/* Largest values of the regions of maps and where they are, and the gradient, in float32.

   Plain C without headers of Python or torch. The file includes itself once for each instruction
   set; `maxima` takes the one that it is told. A caller cuts the frames into ranges and gives each
   to a thread: no two frames write to one place, and sums are made in one fixed order.

   Shape legend: N clips, T frames, C channels, H rows, W columns, G sets of regions, s regions
   along a side, K = s*s regions. */

#ifndef TARGET

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t Int;

/* Features (N, C, T, H, W), strides in floats; borders (N, G, T, s+1), the first pixel of each
   region and the end of the last. */
typedef struct {
    const float *values;
    Int clip, channel, frame, row, column;
    Int channels, frames, height, width, sets, side;
    const Int *rows, *columns;
} Maps;

typedef struct {
    Int row, column;
} Point;

#define SELF "keypoint/native.c"
#include "../instructions.h"

/* Items are the frames n * T + t. Writes the largest value of each region, (N, T, G, K, C), and
   its row and column, of equal ones the first by rows. Returns 0, or 1 without memory. */
int maxima(Int instructions, const Maps *x, float *values, Point *points, Int begin, Int end) {
#if defined(__x86_64__)
    if (instructions == 2) return maxima_avx512(x, values, points, begin, end);
    if (instructions == 1) return maxima_avx2(x, values, points, begin, end);
#endif
    return maxima_portable(x, values, points, begin, end);
}

/* Items are the frames of out, (N, T, H, W, C), of which each pixel gets what the `regions` = G*K
   regions, (N, T, G*K, C), give whose largest value it is. Returns 0. */
int maxima_backward(const float *grad, const Point *points, Int regions, Int channels, Int height,
                    Int width, float *out, Int begin, Int end) {
    Int size = height * width * channels;
    memset(out + begin * size, 0, (end - begin) * size * sizeof(float));
    for (Int item = begin; item < end; item++)
        for (Int k = item * regions; k < (item + 1) * regions; k++)
            for (Int c = 0; c < channels; c++) {
                Point point = points[k * channels + c];
                out[item * size + (point.row * width + point.column) * channels + c] +=
                    grad[k * channels + c];
            }
    return 0;
}

#else /* once for each instruction set */

/* Channels that are looked at together. */
#define BLOCK (4 * LANES)
typedef float NAME(vec) __attribute__((vector_size(LANES * 4)));
typedef int32_t NAME(whole) __attribute__((vector_size(LANES * 4)));
typedef float NAME(loose) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

/* Some channels of a frame, (H*W, BLOCK); what stands in lanes without a channel is not read. */
static TARGET void NAME(pack)(const Maps *x, const float *from, Int count, float *to) {
    for (Int i = 0; i < x->height; i++, from += x->row, to += x->width * BLOCK)
        if (x->channel == 1)
            for (Int j = 0; j < x->width; j++)
                memcpy(to + j * BLOCK, from + j * x->column, count * sizeof(float));
        else
            for (Int c = 0; c < count; c++)
                for (Int j = 0; j < x->width; j++)
                    to[j * BLOCK + c] = from[c * x->channel + j * x->column];
}

/* The region of rows `top` to `bottom` and columns `left` to `right`. */
static TARGET void NAME(region)(const float *block, Int width, Int top, Int bottom, Int left,
                                Int right, float *values, int32_t *index) {
    typedef NAME(vec) Vec;
    typedef NAME(whole) Whole;
    Vec best[4];
    Whole where[4];
    for (int v = 0; v < 4; v++) {
        best[v] = *(const NAME(loose) *)(block + (top * width + left) * BLOCK + v * LANES);
        where[v] = (Whole){0} + (int32_t)(top * width + left);
    }
    for (Int i = top; i < bottom; i++)
        for (Int j = left; j < right; j++) {
            const float *pixel = block + (i * width + j) * BLOCK;
            Whole here = (Whole){0} + (int32_t)(i * width + j);
            for (int v = 0; v < 4; v++) {
                Vec value = *(const NAME(loose) *)(pixel + v * LANES);
                Whole larger = value > best[v];
                best[v] = (Vec)(((Whole)value & larger) | ((Whole)best[v] & ~larger));
                where[v] = (here & larger) | (where[v] & ~larger);
            }
        }
    memcpy(values, best, sizeof(best));
    memcpy(index, where, sizeof(where));
}

static TARGET int NAME(maxima)(const Maps *x, float *values, Point *points, Int begin, Int end) {
    Int regions = x->sets * x->side * x->side, pixels = x->height * x->width;
    float *block = calloc(pixels * BLOCK, sizeof(float));
    Point *places = malloc(pixels * sizeof(Point));
    int failed = !block || !places;
    for (Int p = 0; !failed && p < pixels; p++) places[p] = (Point){p / x->width, p % x->width};
    for (Int item = begin; !failed && item < end; item++)
        for (Int c = 0; c < x->channels; c += BLOCK) {
            Int n = item / x->frames, t = item % x->frames;
            Int count = x->channels - c < BLOCK ? x->channels - c : BLOCK;
            NAME(pack)(x, x->values + n * x->clip + t * x->frame + c * x->channel, count, block);
            for (Int k = 0; k < regions; k++) {
                Int a = k / x->side % x->side, b = k % x->side;
                Int borders = ((n * x->sets + k / (x->side * x->side)) * x->frames + t) *
                              (x->side + 1);
                const Int *rows = x->rows + borders + a, *columns = x->columns + borders + b;
                float best[BLOCK];
                int32_t where[BLOCK];
                NAME(region)(block, x->width, rows[0], rows[1], columns[0], columns[1], best,
                             where);
                Int place = (item * regions + k) * x->channels + c;
                memcpy(values + place, best, count * sizeof(float));
                for (Int l = 0; l < count; l++) points[place + l] = places[where[l]];
            }
        }
    free(block);
    free(places);
    return failed;
}

#undef BLOCK
#endif
