// Attention as in attention.cu on tensor cores: inputs of matrix products are rounded to bf16, sums are f32. A warp
// computes a tile of 16 rows of one head. It loops over the rows of the other side 16 at a time, and loads them from
// global memory into registers.

#include "attention.cuh"
#include "mma.cuh"

// The left operand of a product over the columns of a head, which has at most 16 * STEPS columns: the parts of each
// step, in registers or in shared memory.
using LeftFragment = unsigned[4];

// Consecutive rows of a head. Elements out of bounds read as zero.
struct HeadRows {
    const float* numbers;
    int stride;
    int rows;
    int size;
    // The head's part of the bias, or null.
    const float* bias;

    __device__ HeadRows(const float* from, int stride, unsigned row, int rows, int head, int size, const float* bias)
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

// Loads 16 rows as a left operand.
template <int STEPS>
__device__ inline void load_left_fragment(LeftFragment* to, const HeadRows& from) {
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int step = 0; step < STEPS; step++)
#pragma unroll
        for (int part = 0; part < 4; part++) {
            const int row = g + 8 * (part & 1), d = 16 * step + 2 * t + 8 * (part >> 1);
            to[step][part] = bf16_pair(from.at(row, d), from.at(row, d + 1));
        }
}

// out (16, 16) = left · rowsᵀ, summed over columns: out[0] for rows 0 to 7 of the right operand, out[1] for rows 8 to
// 15.
template <int STEPS>
__device__ inline void multiply_transposed(float (&out)[2][4], const LeftFragment* left, const HeadRows& rows) {
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

// out (16, size) += weights (16, 16) · rows, summed over the 16 rows.
template <int STEPS>
__device__ inline void multiply_add(float (&out)[2 * STEPS][4], const float (&weights)[2][4], const HeadRows& rows) {
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    // The output of a product has the register layout of a left operand.
    const unsigned left[4] = {bf16_pair(weights[0][0], weights[0][1]), bf16_pair(weights[0][2], weights[0][3]),
                              bf16_pair(weights[1][0], weights[1][1]), bf16_pair(weights[1][2], weights[1][3])};
#pragma unroll
    for (int block = 0; block < 2 * STEPS; block++) {
        const int d = 8 * block + g;
        const unsigned right[2] = {bf16_pair(rows.at(2 * t, d), rows.at(2 * t + 1, d)),
                                   bf16_pair(rows.at(2 * t + 8, d), rows.at(2 * t + 9, d))};
        mma(out[block], left, right);
    }
}

// The tile of queries or keys that a warp computes.
struct WarpTile {
    int head;
    Tile tile;
    // Rows of the example before the tile, and rows of the tile.
    unsigned tile_start;
    int rows;
};

// Finds the tile of this warp; false if there is none.
__device__ inline bool find_warp_tile(WarpTile& warp_tile, const unsigned* offsets, const unsigned* tiles,
                                      unsigned count, Heads heads, bool is_key_tile) {
    warp_tile.head = blockIdx.y * WARPS + threadIdx.x / WARP;
    if (blockIdx.x >= count || warp_tile.head >= heads.count) return false;
    const bool is_first_only = heads.is_first_only && !is_key_tile;
    const unsigned code = is_first_only ? blockIdx.x << 16 : tiles[blockIdx.x];
    warp_tile.tile = example_tile(offsets, code >> 16, heads);
    warp_tile.tile_start = (code & 0xffff) * TILE;
    const unsigned rows = is_key_tile ? warp_tile.tile.end - warp_tile.tile.first : warp_tile.tile.queries;
    warp_tile.rows = rows - warp_tile.tile_start < TILE ? rows - warp_tile.tile_start : TILE;
    return true;
}

// The dropout masks of the 16 queries from `token` on and the 16 keys from `key` on: a lane draws those of one query
// and eight keys.
__device__ inline unsigned lane_keep_bits(const StepParams& step, DropoutSite dropout, Heads heads, unsigned token,
                                          int queries, int head, unsigned key) {
    const int lane = threadIdx.x % WARP;
    if (!dropout.threshold || lane % 16 >= queries) return 0xff;
    return keep_bits(step, dropout, heads, token + lane % 16, head, key / 8 + lane / 16);
}

// The dropout factor of the lane's element (half, i) of a product, from the result of lane_keep_bits. Rows of the product
// are queries, or keys if `is_key_tile` is set.
__device__ inline float lane_dropout_factor(DropoutSite dropout, unsigned bits, int half, int i, bool is_key_tile) {
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const int row = g + 8 * (i >> 1), column = 8 * half + 2 * t + (i & 1);
    const int query = is_key_tile ? column : row, key = is_key_tile ? row : column;
    const unsigned keep = __shfl_sync(0xffffffffu, bits, query + 16 * (key / 8));
    return !dropout.threshold ? 1.0f : keep >> (key % 8) & 1 ? dropout.scale : 0.0f;
}

// The dropout factors of all of the lane's elements.
__device__ inline void lane_dropout_factors(float (&factors)[2][4], DropoutSite dropout, unsigned bits,
                                            bool is_key_tile) {
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int i = 0; i < 4; i++) factors[half][i] = lane_dropout_factor(dropout, bits, half, i, is_key_tile);
}

template <int STEPS>
__device__ inline void forward_tile(const StepParams* step, const unsigned* offsets, const unsigned* tiles, Qkv qkv,
                                    Heads heads, DropoutSite dropout, float* context, bf16* context_bf16, float* lse) {
    WarpTile warp_tile;
    if (!find_warp_tile(warp_tile, offsets, tiles, heads.is_first_only ? step->examples : step->tiles, heads, false))
        return;
    const int head = warp_tile.head, size = heads.size, hidden = heads.count * size;
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const unsigned first_row = warp_tile.tile.query_row + warp_tile.tile_start;
    LeftFragment q[STEPS];
    load_left_fragment<STEPS>(
        q, HeadRows(qkv.queries, qkv.query_stride, first_row, warp_tile.rows, head, size, biases_of(qkv, 0, hidden)));
    const float scale = heads.scale;
    float running_max[2] = {-INFINITY, -INFINITY}, running_sum[2] = {}, out[2 * STEPS][4] = {};
    for (unsigned first = warp_tile.tile.first; first < warp_tile.tile.end; first += TILE) {
        const int count = warp_tile.tile.end - first < TILE ? warp_tile.tile.end - first : TILE;
        float p[2][4], factors[2][4];
        multiply_transposed<STEPS>(p, q,
                                   HeadRows(qkv.keys, qkv.key_stride, first, count, head, size, biases_of(qkv, 1, hidden)));
        const unsigned bits = lane_keep_bits(*step, dropout, heads, warp_tile.tile.query_token + warp_tile.tile_start,
                                             warp_tile.rows, head, first - warp_tile.tile.first);
        lane_dropout_factors(factors, dropout, bits, false);
#pragma unroll
        for (int row = 0; row < 2; row++) {
            float new_max = running_max[row], sum = 0.0f;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                float& x = p[i >> 1][2 * row + (i & 1)];
                x = 8 * (i >> 1) + 2 * t + (i & 1) < count ? x * scale : -INFINITY;
                new_max = fmaxf(new_max, x);
            }
            new_max = row_max(new_max);
            const float rescale = expf(running_max[row] - new_max);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                float& x = p[i >> 1][2 * row + (i & 1)];
                x = expf(x - new_max);
                sum += x;
                x *= factors[i >> 1][2 * row + (i & 1)];
            }
            running_sum[row] = running_sum[row] * rescale + row_sum(sum);
            running_max[row] = new_max;
#pragma unroll
            for (int block = 0; block < 2 * STEPS; block++) {
                out[block][2 * row] *= rescale;
                out[block][2 * row + 1] *= rescale;
            }
        }
        multiply_add<STEPS>(out, p,
                            HeadRows(qkv.values, qkv.key_stride, first, count, head, size, biases_of(qkv, 2, hidden)));
    }
#pragma unroll
    for (int i = 0; i < 4 * 2 * STEPS; i++) {
        const int row = g + 8 * (i % 4 / 2), d = 8 * (i / 4) + 2 * t + i % 2;
        if (row < warp_tile.rows && d < size)
            store(context, context_bf16, static_cast<long long>(first_row + row) * hidden + head * size + d,
                  out[i / 4][i % 4] / running_sum[i % 4 / 2]);
    }
#pragma unroll
    for (int row = 0; row < 2; row++)
        if (t == 0 && g + 8 * row < warp_tile.rows)
            lse[static_cast<long long>(first_row + g + 8 * row) * heads.count + head] =
                running_max[row] + logf(running_sum[row]);
}

template <int STEPS>
__device__ inline void backward_q_tile(const StepParams* step, const unsigned* offsets, const unsigned* tiles, Qkv qkv,
                                       Heads heads, DropoutSite dropout, const float* lse, const float* context,
                                       const float* dcontext, float* dqueries, float* delta) {
    WarpTile warp_tile;
    if (!find_warp_tile(warp_tile, offsets, tiles, heads.is_first_only ? step->examples : step->tiles, heads, false))
        return;
    const int head = warp_tile.head, size = heads.size, hidden = heads.count * size;
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const unsigned first_row = warp_tile.tile.query_row + warp_tile.tile_start;
    LeftFragment q[STEPS], d[STEPS];
    load_left_fragment<STEPS>(
        q, HeadRows(qkv.queries, qkv.query_stride, first_row, warp_tile.rows, head, size, biases_of(qkv, 0, hidden)));
    load_left_fragment<STEPS>(d, HeadRows(dcontext, hidden, first_row, warp_tile.rows, head, size, nullptr));
    const float scale = heads.scale;
    float row_delta[2] = {}, row_lse[2] = {}, out[2 * STEPS][4] = {};
#pragma unroll
    for (int row = 0; row < 2; row++) {
        const bool is_valid = g + 8 * row < warp_tile.rows;
        const long long at = is_valid ? first_row + g + 8 * row : first_row;
        if (is_valid)
            for (int column = t; column < size; column += 4) {
                const long long index = at * hidden + head * size + column;
                row_delta[row] = fmaf(dcontext[index], context[index], row_delta[row]);
            }
        row_delta[row] = row_sum(row_delta[row]);
        if (is_valid) row_lse[row] = lse[at * heads.count + head];
        if (is_valid && t == 0) delta[at * heads.count + head] = row_delta[row];
    }
    for (unsigned first = warp_tile.tile.first; first < warp_tile.tile.end; first += TILE) {
        const int count = warp_tile.tile.end - first < TILE ? warp_tile.tile.end - first : TILE;
        const HeadRows keys(qkv.keys, qkv.key_stride, first, count, head, size, biases_of(qkv, 1, hidden));
        float p[2][4], dp[2][4], factors[2][4];
        multiply_transposed<STEPS>(p, q, keys);
        multiply_transposed<STEPS>(
            dp, d, HeadRows(qkv.values, qkv.key_stride, first, count, head, size, biases_of(qkv, 2, hidden)));
        const unsigned bits = lane_keep_bits(*step, dropout, heads, warp_tile.tile.query_token + warp_tile.tile_start,
                                             warp_tile.rows, head, first - warp_tile.tile.first);
        lane_dropout_factors(factors, dropout, bits, false);
#pragma unroll
        for (int half = 0; half < 2; half++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const bool is_valid = 8 * half + 2 * t + (i & 1) < count;
                const float x = is_valid ? expf(p[half][i] * scale - row_lse[i >> 1]) : 0.0f;
                p[half][i] = x * (dp[half][i] * factors[half][i] - row_delta[i >> 1]) * scale;
            }
        multiply_add<STEPS>(out, p, keys);
    }
#pragma unroll
    for (int i = 0; i < 4 * 2 * STEPS; i++) {
        const int row = g + 8 * (i % 4 / 2), column = 8 * (i / 4) + 2 * t + i % 2;
        if (row < warp_tile.rows && column < size)
            dqueries[static_cast<long long>(first_row + row) * qkv.query_stride + head * size + column] =
                out[i / 4][i % 4];
    }
}

template <int STEPS>
__device__ inline void backward_kv_tile(const StepParams* step, const unsigned* offsets, const unsigned* tiles, Qkv qkv,
                                        Heads heads, DropoutSite dropout, const float* lse, const float* delta,
                                        const float* dcontext, float* dkeys, float* dvalues) {
    WarpTile warp_tile;
    if (!find_warp_tile(warp_tile, offsets, tiles, step->tiles, heads, true)) return;
    const int head = warp_tile.head, size = heads.size, hidden = heads.count * size;
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const unsigned first_row = warp_tile.tile.first + warp_tile.tile_start;
    // Large heads have their operands in shared memory, since there are too few registers. The additional step avoids
    // bank conflicts.
    constexpr bool IS_LARGE = STEPS > 4;
    __shared__ LeftFragment shared[2][IS_LARGE ? WARPS * WARP : 1][STEPS + 1];
    LeftFragment registers[2][STEPS];
    LeftFragment* k = IS_LARGE ? shared[0][threadIdx.x] : registers[0];
    LeftFragment* v = IS_LARGE ? shared[1][threadIdx.x] : registers[1];
    load_left_fragment<STEPS>(
        k, HeadRows(qkv.keys, qkv.key_stride, first_row, warp_tile.rows, head, size, biases_of(qkv, 1, hidden)));
    load_left_fragment<STEPS>(
        v, HeadRows(qkv.values, qkv.key_stride, first_row, warp_tile.rows, head, size, biases_of(qkv, 2, hidden)));
    const float scale = heads.scale;
    float dk[2 * STEPS][4] = {}, dv[2 * STEPS][4] = {};
    for (unsigned first = 0; first < warp_tile.tile.queries; first += TILE) {
        const int count = warp_tile.tile.queries - first < TILE ? warp_tile.tile.queries - first : TILE;
        const unsigned row = warp_tile.tile.query_row + first;
        const HeadRows queries(qkv.queries, qkv.query_stride, row, count, head, size, biases_of(qkv, 0, hidden));
        const HeadRows d(dcontext, hidden, row, count, head, size, nullptr);
        // Keeps the compiler from loading shared operands only once.
        if (IS_LARGE) __syncwarp();
        float p[2][4], dp[2][4];
        multiply_transposed<STEPS>(p, k, queries);
        multiply_transposed<STEPS>(dp, v, d);
        const unsigned bits = lane_keep_bits(*step, dropout, heads, warp_tile.tile.query_token + first, count, head,
                                             warp_tile.tile_start);
#pragma unroll
        for (int half = 0; half < 2; half++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const int query = 8 * half + 2 * t + (i & 1);
                const long long at = static_cast<long long>(row + query) * heads.count + head;
                const float x = query < count ? expf(p[half][i] * scale - lse[at]) : 0.0f;
                const float row_delta = query < count ? delta[at] : 0.0f;
                const float factor = lane_dropout_factor(dropout, bits, half, i, true);
                p[half][i] = x * factor;
                dp[half][i] = x * (dp[half][i] * factor - row_delta) * scale;
            }
        multiply_add<STEPS>(dv, p, d);
        multiply_add<STEPS>(dk, dp, queries);
    }
#pragma unroll
    for (int i = 0; i < 4 * 2 * STEPS; i++) {
        const int row = g + 8 * (i % 4 / 2), column = 8 * (i / 4) + 2 * t + i % 2;
        if (row >= warp_tile.rows || column >= size) continue;
        const long long at = static_cast<long long>(first_row + row) * qkv.key_stride + head * size + column;
        dkeys[at] = dk[i / 4][i % 4];
        dvalues[at] = dv[i / 4][i % 4];
    }
}

// The kernels for head sizes up to WIDTH. Grid (tiles, heads / WARPS), WARPS warps per block.
#define DEFINE_KERNELS(WIDTH)                                                                                          \
    extern "C" __global__ void attention_forward_bf16_##WIDTH(                                                         \
        const StepParams* step, const unsigned* offsets, const unsigned* tiles, Qkv qkv, Heads heads,                  \
        DropoutSite dropout, float* context, bf16* context_bf16, float* lse) {                                         \
        forward_tile<WIDTH / 16>(step, offsets, tiles, qkv, heads, dropout, context, context_bf16, lse);               \
    }                                                                                                                  \
    extern "C" __global__ void attention_backward_q_bf16_##WIDTH(                                                      \
        const StepParams* step, const unsigned* offsets, const unsigned* tiles, Qkv qkv, Heads heads,                  \
        DropoutSite dropout, const float* lse, const float* context, const float* dcontext, float* dqueries,           \
        float* delta) {                                                                                                \
        backward_q_tile<WIDTH / 16>(step, offsets, tiles, qkv, heads, dropout, lse, context, dcontext, dqueries,       \
                                    delta);                                                                            \
    }                                                                                                                  \
    extern "C" __global__ void attention_backward_kv_bf16_##WIDTH(                                                     \
        const StepParams* step, const unsigned* offsets, const unsigned* tiles, Qkv qkv, Heads heads,                  \
        DropoutSite dropout, const float* lse, const float* delta, const float* dcontext, float* dkeys,                \
        float* dvalues) {                                                                                              \
        backward_kv_tile<WIDTH / 16>(step, offsets, tiles, qkv, heads, dropout, lse, delta, dcontext, dkeys, dvalues); \
    }

DEFINE_KERNELS(32)
DEFINE_KERNELS(64)
DEFINE_KERNELS(96)
