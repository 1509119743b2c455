// Attention as in attention.cu, by tensor cores: factors are rounded to bf16, sums are f32. A warp takes a tile of
// 16 rows of one head alone; the other side passes by 16 rows at a time, from memory into registers.

#include "attention.cuh"
#include "mma.cuh"

// A head is STEPS times 16 wide, or less.
template <int STEPS>
using Left = unsigned[STEPS][4];

// Some rows of a head: their first, how many there are, and the columns.
struct Slice {
    const float* numbers;
    int stride;
    int rows;
    int size;
    // Of the head, or none.
    const float* bias;

    __device__ Slice(const float* from, int stride, unsigned row, int rows, int head, int size, const float* bias)
        : numbers(from + static_cast<long long>(row) * stride + head * size),
          stride(stride),
          rows(rows),
          size(size),
          bias(bias ? bias + head * size : nullptr) {}

    __device__ float at(int row, int d) const {
        if (row >= rows || d >= size) return 0.0f;
        return numbers[static_cast<long long>(row) * stride + d] + (bias ? bias[d] : 0.0f);
    }
};

// 16 rows as the left factor of a product over columns.
template <int STEPS>
__device__ inline void as_left(Left<STEPS>& to, const Slice& from) {
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int step = 0; step < STEPS; step++)
#pragma unroll
        for (int part = 0; part < 4; part++) {
            const int row = g + 8 * (part & 1), d = 16 * step + 2 * t + 8 * (part >> 1);
            to[step][part] = bf16_pair(from.at(row, d), from.at(row, d + 1));
        }
}

// out (16, 16) = left · rowsᵀ, over columns; the right factor's rows 0 … 7 first.
template <int STEPS>
__device__ inline void over_columns(float (&out)[2][4], const Left<STEPS>& left, const Slice& rows) {
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int i = 0; i < 4; i++) out[half][i] = 0.0f;
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
            const int row = 8 * half + g, d = 16 * step + 2 * t;
            const unsigned right[2] = {bf16_pair(rows.at(row, d), rows.at(row, d + 1)),
                                       bf16_pair(rows.at(row, d + 8), rows.at(row, d + 9))};
            mma(out[half], left[step], right);
        }
    }
}

// out (16, size) += weights (16, 16) · rows, over the 16 rows.
template <int STEPS>
__device__ inline void over_rows(float (&out)[2 * STEPS][4], const float (&weights)[2][4], const Slice& rows) {
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    // What a product turns out lies as the next one's left factor.
    const unsigned left[4] = {bf16_pair(weights[0][0], weights[0][1]), bf16_pair(weights[0][2], weights[0][3]),
                              bf16_pair(weights[1][0], weights[1][1]), bf16_pair(weights[1][2], weights[1][3])};
#pragma unroll
    for (int eight = 0; eight < 2 * STEPS; eight++) {
        const int d = 8 * eight + g;
        const unsigned right[2] = {bf16_pair(rows.at(2 * t, d), rows.at(2 * t + 1, d)),
                                   bf16_pair(rows.at(2 * t + 8, d), rows.at(2 * t + 9, d))};
        mma(out[eight], left, right);
    }
}

// A tile of queries, or of keys, that a warp works on; nothing for a warp that has none.
struct Part {
    int head;
    Tile tile;
    // Rows of the example before those of the tile, and how many it has.
    unsigned skipped;
    int rows;
};

__device__ inline bool find_part(Part& part, const unsigned* offsets, const unsigned* tiles, unsigned count,
                                 Heads heads, bool is_of_keys) {
    part.head = blockIdx.y * WARPS + threadIdx.x / WARP;
    if (blockIdx.x >= count || part.head >= heads.count) return false;
    const bool is_first_only = heads.is_first_only && !is_of_keys;
    const unsigned code = is_first_only ? blockIdx.x << 16 : tiles[blockIdx.x];
    part.tile = example_tile(offsets, code >> 16, heads);
    part.skipped = (code & 0xffff) * TILE;
    const unsigned all = is_of_keys ? part.tile.end - part.tile.first : part.tile.queries;
    part.rows = all - part.skipped < TILE ? all - part.skipped : TILE;
    return true;
}

// The masks of 16 queries from token `token` on and the 16 keys from `key` on: a lane draws those of a query for
// eight keys.
__device__ inline unsigned lane_bits(const Step& step, Site site, Heads heads, unsigned token, int queries, int head,
                                     unsigned key) {
    const int lane = threadIdx.x % WARP;
    if (!site.threshold || lane % 16 >= queries) return 0xff;
    return kept_bits(step, site, heads, token + lane % 16, head, key / 8 + lane / 16);
}

// What the lane's probabilities are multiplied by, from what `lane_bits` drew. Rows of the product are queries, or
// keys.
__device__ inline void lane_factors(float (&factors)[2][4], Site site, unsigned bits, bool is_of_keys) {
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int row = g + 8 * (i >> 1), column = 8 * half + 2 * t + (i & 1);
            const int query = is_of_keys ? column : row, key = is_of_keys ? row : column;
            const unsigned drawn = __shfl_sync(0xffffffffu, bits, query + 16 * (key / 8));
            factors[half][i] = !site.threshold ? 1.0f : drawn >> (key % 8) & 1 ? site.kept : 0.0f;
        }
}

template <int STEPS>
__device__ inline void attend_tile(const Step* step, const unsigned* offsets, const unsigned* tiles,
                                   Projected projected, Heads heads, Site site, float* context, bf16* operand,
                                   float* logs) {
    Part part;
    if (!find_part(part, offsets, tiles, heads.is_first_only ? step->examples : step->tiles, heads, false)) return;
    const int head = part.head, size = heads.size, hidden = heads.count * size;
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const unsigned first_row = part.tile.query_row + part.skipped;
    Left<STEPS> q;
    as_left<STEPS>(q, Slice(projected.queries, projected.query_stride, first_row, part.rows, head, size,
                            projected.biases));
    const float scale = 1.0f / sqrtf(static_cast<float>(size));
    float largest[2] = {-INFINITY, -INFINITY}, sums[2] = {}, out[2 * STEPS][4] = {};
    for (unsigned first = part.tile.first; first < part.tile.end; first += TILE) {
        const int count = part.tile.end - first < TILE ? part.tile.end - first : TILE;
        float p[2][4], factors[2][4];
        over_columns<STEPS>(p, q, Slice(projected.keys, projected.key_stride, first, count, head, size,
                                        projected.biases + hidden));
        const unsigned bits = lane_bits(*step, site, heads, part.tile.query_token + part.skipped, part.rows, head,
                                        first - part.tile.first);
        lane_factors(factors, site, bits, false);
#pragma unroll
        for (int row = 0; row < 2; row++) {
            float top = largest[row], sum = 0.0f;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                float& x = p[i >> 1][2 * row + (i & 1)];
                x = 8 * (i >> 1) + 2 * t + (i & 1) < count ? x * scale : -INFINITY;
                top = fmaxf(top, x);
            }
            top = row_max(top);
            const float shrunk = expf(largest[row] - top);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                float& x = p[i >> 1][2 * row + (i & 1)];
                x = expf(x - top);
                sum += x;
                x *= factors[i >> 1][2 * row + (i & 1)];
            }
            sums[row] = sums[row] * shrunk + row_sum(sum);
            largest[row] = top;
#pragma unroll
            for (int eight = 0; eight < 2 * STEPS; eight++) {
                out[eight][2 * row] *= shrunk;
                out[eight][2 * row + 1] *= shrunk;
            }
        }
        over_rows<STEPS>(out, p, Slice(projected.values, projected.key_stride, first, count, head, size,
                                       projected.biases + 2 * hidden));
    }
#pragma unroll
    for (int i = 0; i < 4 * 2 * STEPS; i++) {
        const int row = g + 8 * (i % 4 / 2), d = 8 * (i / 4) + 2 * t + i % 2;
        if (row < part.rows && d < size)
            put(context, operand, static_cast<long long>(first_row + row) * hidden + head * size + d,
                out[i / 4][i % 4] / sums[i % 4 / 2]);
    }
#pragma unroll
    for (int row = 0; row < 2; row++)
        if (t == 0 && g + 8 * row < part.rows)
            logs[static_cast<long long>(first_row + g + 8 * row) * heads.count + head] = largest[row] + logf(sums[row]);
}

template <int STEPS>
__device__ inline void queries_tile(const Step* step, const unsigned* offsets, const unsigned* tiles,
                                    Projected projected, Heads heads, Site site, const float* logs,
                                    const float* context, const float* dcontext, float* dqueries, float* alongs) {
    Part part;
    if (!find_part(part, offsets, tiles, heads.is_first_only ? step->examples : step->tiles, heads, false)) return;
    const int head = part.head, size = heads.size, hidden = heads.count * size;
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const unsigned first_row = part.tile.query_row + part.skipped;
    Left<STEPS> q, d;
    as_left<STEPS>(q, Slice(projected.queries, projected.query_stride, first_row, part.rows, head, size,
                            projected.biases));
    as_left<STEPS>(d, Slice(dcontext, hidden, first_row, part.rows, head, size, nullptr));
    const float scale = 1.0f / sqrtf(static_cast<float>(size));
    float along[2] = {}, log[2] = {}, out[2 * STEPS][4] = {};
#pragma unroll
    for (int row = 0; row < 2; row++) {
        const bool is_there = g + 8 * row < part.rows;
        const long long at = is_there ? first_row + g + 8 * row : first_row;
        if (is_there)
            for (int column = t; column < size; column += 4) {
                const long long place = at * hidden + head * size + column;
                along[row] = fmaf(dcontext[place], context[place], along[row]);
            }
        along[row] = row_sum(along[row]);
        if (is_there) log[row] = logs[at * heads.count + head];
        if (is_there && t == 0) alongs[at * heads.count + head] = along[row];
    }
    for (unsigned first = part.tile.first; first < part.tile.end; first += TILE) {
        const int count = part.tile.end - first < TILE ? part.tile.end - first : TILE;
        const Slice keys(projected.keys, projected.key_stride, first, count, head, size, projected.biases + hidden);
        float p[2][4], dp[2][4], factors[2][4];
        over_columns<STEPS>(p, q, keys);
        over_columns<STEPS>(dp, d, Slice(projected.values, projected.key_stride, first, count, head, size,
                                         projected.biases + 2 * hidden));
        const unsigned bits = lane_bits(*step, site, heads, part.tile.query_token + part.skipped, part.rows, head,
                                        first - part.tile.first);
        lane_factors(factors, site, bits, false);
#pragma unroll
        for (int half = 0; half < 2; half++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const bool is_there = 8 * half + 2 * t + (i & 1) < count;
                const float x = is_there ? expf(p[half][i] * scale - log[i >> 1]) : 0.0f;
                p[half][i] = x * (dp[half][i] * factors[half][i] - along[i >> 1]) * scale;
            }
        over_rows<STEPS>(out, p, keys);
    }
#pragma unroll
    for (int i = 0; i < 4 * 2 * STEPS; i++) {
        const int row = g + 8 * (i % 4 / 2), column = 8 * (i / 4) + 2 * t + i % 2;
        if (row < part.rows && column < size)
            dqueries[static_cast<long long>(first_row + row) * projected.query_stride + head * size + column] =
                out[i / 4][i % 4];
    }
}

template <int STEPS>
__device__ inline void keys_tile(const Step* step, const unsigned* offsets, const unsigned* tiles, Projected projected,
                                 Heads heads, Site site, const float* logs, const float* alongs,
                                 const float* dcontext, float* dkeys, float* dvalues) {
    Part part;
    if (!find_part(part, offsets, tiles, step->tiles, heads, true)) return;
    const int head = part.head, size = heads.size, hidden = heads.count * size;
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const unsigned first_row = part.tile.first + part.skipped;
    Left<STEPS> k, v;
    as_left<STEPS>(k, Slice(projected.keys, projected.key_stride, first_row, part.rows, head, size,
                            projected.biases + hidden));
    as_left<STEPS>(v, Slice(projected.values, projected.key_stride, first_row, part.rows, head, size,
                            projected.biases + 2 * hidden));
    const float scale = 1.0f / sqrtf(static_cast<float>(size));
    float dk[2 * STEPS][4] = {}, dv[2 * STEPS][4] = {};
    for (unsigned first = 0; first < part.tile.queries; first += TILE) {
        const int count = part.tile.queries - first < TILE ? part.tile.queries - first : TILE;
        const unsigned row = part.tile.query_row + first;
        const Slice queries(projected.queries, projected.query_stride, row, count, head, size, projected.biases);
        const Slice d(dcontext, hidden, row, count, head, size, nullptr);
        float p[2][4], dp[2][4], factors[2][4];
        over_columns<STEPS>(p, k, queries);
        over_columns<STEPS>(dp, v, d);
        const unsigned bits =
            lane_bits(*step, site, heads, part.tile.query_token + first, count, head, part.skipped);
        lane_factors(factors, site, bits, true);
#pragma unroll
        for (int half = 0; half < 2; half++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const int query = 8 * half + 2 * t + (i & 1);
                const long long at = static_cast<long long>(row + query) * heads.count + head;
                const float x = query < count ? expf(p[half][i] * scale - logs[at]) : 0.0f;
                const float along = query < count ? alongs[at] : 0.0f;
                p[half][i] = x * factors[half][i];
                dp[half][i] = x * (dp[half][i] * factors[half][i] - along) * scale;
            }
        over_rows<STEPS>(dv, p, d);
        over_rows<STEPS>(dk, dp, queries);
    }
#pragma unroll
    for (int i = 0; i < 4 * 2 * STEPS; i++) {
        const int row = g + 8 * (i % 4 / 2), column = 8 * (i / 4) + 2 * t + i % 2;
        if (row >= part.rows || column >= size) continue;
        const long long at = static_cast<long long>(first_row + row) * projected.key_stride + head * size + column;
        dkeys[at] = dk[i / 4][i % 4];
        dvalues[at] = dv[i / 4][i % 4];
    }
}

// The kernels for heads of up to WIDTH numbers. Blocks (tiles, heads / WARPS) of WARPS warps.
#define KERNELS_FOR(WIDTH)                                                                                            \
    extern "C" __global__ void attend_bf16_##WIDTH(const Step* step, const unsigned* offsets, const unsigned* tiles,  \
                                                   Projected projected, Heads heads, Site site, float* context,       \
                                                   bf16* operand, float* logs) {                                      \
        attend_tile<WIDTH / 16>(step, offsets, tiles, projected, heads, site, context, operand, logs);                \
    }                                                                                                                 \
    extern "C" __global__ void attend_backward_queries_bf16_##WIDTH(                                                  \
        const Step* step, const unsigned* offsets, const unsigned* tiles, Projected projected, Heads heads,           \
        Site site, const float* logs, const float* context, const float* dcontext, float* dqueries, float* alongs) {  \
        queries_tile<WIDTH / 16>(step, offsets, tiles, projected, heads, site, logs, context, dcontext, dqueries,     \
                                 alongs);                                                                             \
    }                                                                                                                 \
    extern "C" __global__ void attend_backward_keys_bf16_##WIDTH(                                                     \
        const Step* step, const unsigned* offsets, const unsigned* tiles, Projected projected, Heads heads,           \
        Site site, const float* logs, const float* alongs, const float* dcontext, float* dkeys, float* dvalues) {     \
        keys_tile<WIDTH / 16>(step, offsets, tiles, projected, heads, site, logs, alongs, dcontext, dkeys, dvalues);  \
    }

KERNELS_FOR(32)
KERNELS_FOR(64)
KERNELS_FOR(96)
