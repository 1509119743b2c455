// Attention in f32 of each example and head, without padding: softmax(q kᵀ / √size) v, with dropout of the
// probabilities. The forward pass saves only the log-sum-exp of each row of scores; the backward pass recomputes the
// probabilities.
//
// A block computes a tile of TILE rows of one head, each of its warps ROWS_PER_WARP of them. It loops over the rows
// of the other side (keys for queries, queries for keys), WARP rows at a time in shared memory, one row per lane.
// Rows after an example's end are zeros.

#include "attention.cuh"

// Rows of a tile that a warp computes.
constexpr int ROWS_PER_WARP = TILE / WARPS;
// Largest head size.
constexpr int MAX_HEAD_SIZE = 96;
// Columns of a row that a lane sums up.
constexpr int COLUMNS_PER_LANE = MAX_HEAD_SIZE / WARP;

// Loads `max_rows` rows of a head into shared memory, `pitch` elements apart, and adds the bias unless it is null. Rows
// from `rows` on are zeros.
__device__ inline void load(float* to, int pitch, const float* from, int stride, unsigned row, unsigned rows,
                            int max_rows, int head, int size, const float* bias) {
    for (int i = threadIdx.x; i < max_rows * size; i += blockDim.x) {
        const int r = i / size, d = i % size;
        float x = 0.0f;
        if (r < rows) {
            x = from[static_cast<long long>(row + r) * stride + head * size + d];
            if (bias) x += bias[head * size + d];
        }
        to[r * pitch + d] = x;
    }
}

// factors[i] = the dropout factor of the warp's query i for the lane's key; `first` is the key of lane 0.
__device__ inline void query_dropout_factors(const StepParams& step, DropoutSite dropout, Heads heads, unsigned token,
                                             unsigned queries, int head, unsigned first, float* factors) {
    const int lane = threadIdx.x % WARP;
    unsigned bits = 0xff;
    // A lane draws the bits of one query and eight keys: four queries times WARP / 8.
    const unsigned query = lane / (WARP / 8);
    if (dropout.threshold && query < ROWS_PER_WARP && query < queries)
        bits = keep_bits(step, dropout, heads, token + query, head, first / 8 + lane % (WARP / 8));
    for (int i = 0; i < ROWS_PER_WARP; i++) {
        const unsigned keep = __shfl_sync(0xffffffffu, bits, i * (WARP / 8) + lane / 8);
        factors[i] = !dropout.threshold ? 1.0f : keep >> (lane % 8) & 1 ? dropout.scale : 0.0f;
    }
}

// to[i][c] += the sum over `count` rows of weights[i][row] * rows[row][WARP * c + lane]
__device__ inline void accumulate_rows(float (*to)[COLUMNS_PER_LANE], const float (*weights)[WARP], const float* rows,
                                       int pitch, int size, int count) {
    const int lane = threadIdx.x % WARP;
    for (int row = 0; row < count; row++)
#pragma unroll
        for (int c = 0; c < COLUMNS_PER_LANE; c++) {
            const int d = WARP * c + lane;
            if (d >= size) continue;
            const float x = rows[row * pitch + d];
#pragma unroll
            for (int i = 0; i < ROWS_PER_WARP; i++) to[i][c] = fmaf(weights[i][row], x, to[i][c]);
        }
}

// dots[i] = the dot product of row i of `rows`, which are `size` elements apart, with the lane's row
__device__ inline void dot_products(float* dots, const float* rows, const float* row, int size) {
    for (int i = 0; i < ROWS_PER_WARP; i++) dots[i] = 0.0f;
    for (int d = 0; d < size; d++)
#pragma unroll
        for (int i = 0; i < ROWS_PER_WARP; i++) dots[i] = fmaf(rows[i * size + d], row[d], dots[i]);
}

// context (rows, H), and lse (rows, heads): the log-sum-exp of each row of scores. Grid (tiles, heads), WARPS warps
// per block. Softmax is computed online: sums are rescaled whenever the running maximum grows.
extern "C" __global__ void attention_forward(const StepParams* step, const unsigned* offsets, const unsigned* tiles,
                                             Qkv qkv, Heads heads, DropoutSite dropout, float* context,
                                             bf16* context_bf16, float* lse) {
    __shared__ float q[TILE * MAX_HEAD_SIZE], k[WARP * (MAX_HEAD_SIZE + 1)], v[WARP * (MAX_HEAD_SIZE + 1)];
    __shared__ float weights[WARPS][ROWS_PER_WARP][WARP];
    if (blockIdx.x >= (heads.is_first_only ? step->examples : step->tiles)) return;
    const int head = blockIdx.y, size = heads.size, hidden = heads.count * size, pitch = size | 1;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    // A tile is its example in the high 16 bits, and its index in the example in the low 16 bits.
    const unsigned code = heads.is_first_only ? blockIdx.x << 16 : tiles[blockIdx.x];
    const Tile tile = example_tile(offsets, code >> 16, heads);
    const unsigned tile_start = (code & 0xffff) * TILE, warp_start = tile_start + warp * ROWS_PER_WARP;
    const unsigned remaining = tile.queries - tile_start;
    load(q, size, qkv.queries, qkv.query_stride, tile.query_row + tile_start, remaining, TILE, head, size, qkv.biases);
    const float scale = 1.0f / sqrtf(static_cast<float>(size));
    float running_max[ROWS_PER_WARP], running_sum[ROWS_PER_WARP] = {}, out[ROWS_PER_WARP][COLUMNS_PER_LANE] = {};
    for (int i = 0; i < ROWS_PER_WARP; i++) running_max[i] = -INFINITY;
    for (unsigned first = tile.first; first < tile.end; first += WARP) {
        const unsigned count = tile.end - first < WARP ? tile.end - first : WARP;
        __syncthreads();
        load(k, pitch, qkv.keys, qkv.key_stride, first, count, WARP, head, size, qkv.biases + hidden);
        load(v, pitch, qkv.values, qkv.key_stride, first, count, WARP, head, size, qkv.biases + 2 * hidden);
        __syncthreads();
        float scores[ROWS_PER_WARP], factors[ROWS_PER_WARP];
        dot_products(scores, q + warp * ROWS_PER_WARP * size, k + lane * pitch, size);
        const unsigned queries = warp_start < tile.queries ? tile.queries - warp_start : 0;
        query_dropout_factors(*step, dropout, heads, tile.query_token + warp_start, queries, head, first - tile.first,
                              factors);
        for (int i = 0; i < ROWS_PER_WARP; i++) {
            const float score = lane < count ? scores[i] * scale : -INFINITY;
            const float new_max = fmaxf(running_max[i], warp_max(score));
            const float p = expf(score - new_max), rescale = expf(running_max[i] - new_max);
            running_sum[i] = running_sum[i] * rescale + warp_sum(p);
            for (int c = 0; c < COLUMNS_PER_LANE; c++) out[i][c] *= rescale;
            running_max[i] = new_max;
            weights[warp][i][lane] = p * factors[i];
        }
        __syncwarp();
        accumulate_rows(out, weights[warp], v, pitch, size, count);
    }
    for (int i = 0; i < ROWS_PER_WARP; i++) {
        if (warp_start + i >= tile.queries) break;
        const long long row = tile.query_row + warp_start + i;
        for (int c = 0; c < COLUMNS_PER_LANE; c++) {
            const int d = WARP * c + lane;
            if (d < size) store(context, context_bf16, row * hidden + head * size + d, out[i][c] / running_sum[i]);
        }
        if (lane == 0) lse[row * heads.count + head] = running_max[i] + logf(running_sum[i]);
    }
}

// dqueries (rows, query_stride), the gradient of the queries; and delta (rows, heads), the sum over keys of
// probability times its gradient, which is the dot product of context and dcontext. Grid as that of
// attention_forward.
extern "C" __global__ void attention_backward_q(const StepParams* step, const unsigned* offsets, const unsigned* tiles,
                                                Qkv qkv, Heads heads, DropoutSite dropout, const float* lse,
                                                const float* context, const float* dcontext, float* dqueries,
                                                float* delta) {
    __shared__ float q[TILE * MAX_HEAD_SIZE], d[TILE * MAX_HEAD_SIZE], k[WARP * (MAX_HEAD_SIZE + 1)],
        v[WARP * (MAX_HEAD_SIZE + 1)];
    __shared__ float weights[WARPS][ROWS_PER_WARP][WARP];
    if (blockIdx.x >= (heads.is_first_only ? step->examples : step->tiles)) return;
    const int head = blockIdx.y, size = heads.size, hidden = heads.count * size, pitch = size | 1;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const unsigned code = heads.is_first_only ? blockIdx.x << 16 : tiles[blockIdx.x];
    const Tile tile = example_tile(offsets, code >> 16, heads);
    const unsigned tile_start = (code & 0xffff) * TILE, warp_start = tile_start + warp * ROWS_PER_WARP;
    const unsigned remaining = tile.queries - tile_start;
    load(q, size, qkv.queries, qkv.query_stride, tile.query_row + tile_start, remaining, TILE, head, size, qkv.biases);
    load(d, size, dcontext, hidden, tile.query_row + tile_start, remaining, TILE, head, size, nullptr);
    __syncthreads();
    const float scale = 1.0f / sqrtf(static_cast<float>(size));
    float row_delta[ROWS_PER_WARP] = {}, row_lse[ROWS_PER_WARP] = {}, out[ROWS_PER_WARP][COLUMNS_PER_LANE] = {};
    for (int i = 0; i < ROWS_PER_WARP; i++) {
        if (warp_start + i >= tile.queries) break;
        const long long row = tile.query_row + warp_start + i;
        for (int at = lane; at < size; at += WARP)
            row_delta[i] =
                fmaf(d[(warp * ROWS_PER_WARP + i) * size + at], context[row * hidden + head * size + at], row_delta[i]);
        row_delta[i] = warp_sum(row_delta[i]);
        row_lse[i] = lse[row * heads.count + head];
        if (lane == 0) delta[row * heads.count + head] = row_delta[i];
    }
    for (unsigned first = tile.first; first < tile.end; first += WARP) {
        const unsigned count = tile.end - first < WARP ? tile.end - first : WARP;
        __syncthreads();
        load(k, pitch, qkv.keys, qkv.key_stride, first, count, WARP, head, size, qkv.biases + hidden);
        load(v, pitch, qkv.values, qkv.key_stride, first, count, WARP, head, size, qkv.biases + 2 * hidden);
        __syncthreads();
        float scores[ROWS_PER_WARP], dp[ROWS_PER_WARP], factors[ROWS_PER_WARP];
        dot_products(scores, q + warp * ROWS_PER_WARP * size, k + lane * pitch, size);
        dot_products(dp, d + warp * ROWS_PER_WARP * size, v + lane * pitch, size);
        const unsigned queries = warp_start < tile.queries ? tile.queries - warp_start : 0;
        query_dropout_factors(*step, dropout, heads, tile.query_token + warp_start, queries, head, first - tile.first,
                              factors);
        for (int i = 0; i < ROWS_PER_WARP; i++) {
            const float p = lane < count ? expf(scores[i] * scale - row_lse[i]) : 0.0f;
            weights[warp][i][lane] = p * (dp[i] * factors[i] - row_delta[i]) * scale;
        }
        __syncwarp();
        accumulate_rows(out, weights[warp], k, pitch, size, count);
    }
    for (int i = 0; i < ROWS_PER_WARP; i++) {
        if (warp_start + i >= tile.queries) break;
        const long long row = tile.query_row + warp_start + i;
        for (int c = 0; c < COLUMNS_PER_LANE; c++) {
            const int at = WARP * c + lane;
            if (at < size) dqueries[row * qkv.query_stride + head * size + at] = out[i][c];
        }
    }
}

// The gradients of keys and values. Grid (tiles, heads): here a tile has keys, and the loop is over queries.
extern "C" __global__ void attention_backward_kv(const StepParams* step, const unsigned* offsets, const unsigned* tiles,
                                                 Qkv qkv, Heads heads, DropoutSite dropout, const float* lse,
                                                 const float* delta, const float* dcontext, float* dkeys,
                                                 float* dvalues) {
    __shared__ float k[TILE * MAX_HEAD_SIZE], v[TILE * MAX_HEAD_SIZE], q[WARP * (MAX_HEAD_SIZE + 1)],
        d[WARP * (MAX_HEAD_SIZE + 1)];
    __shared__ float weights[WARPS][ROWS_PER_WARP][WARP], dscores[WARPS][ROWS_PER_WARP][WARP];
    if (blockIdx.x >= step->tiles) return;
    const int head = blockIdx.y, size = heads.size, hidden = heads.count * size, pitch = size | 1;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const unsigned code = tiles[blockIdx.x];
    const Tile tile = example_tile(offsets, code >> 16, heads);
    // Keys are numbered within the example.
    const unsigned tile_start = (code & 0xffff) * TILE, warp_start = tile_start + warp * ROWS_PER_WARP,
                   keys = tile.end - tile.first;
    load(k, size, qkv.keys, qkv.key_stride, tile.first + tile_start, keys - tile_start, TILE, head, size,
         qkv.biases + hidden);
    load(v, size, qkv.values, qkv.key_stride, tile.first + tile_start, keys - tile_start, TILE, head, size,
         qkv.biases + 2 * hidden);
    const float scale = 1.0f / sqrtf(static_cast<float>(size));
    float dk[ROWS_PER_WARP][COLUMNS_PER_LANE] = {}, dv[ROWS_PER_WARP][COLUMNS_PER_LANE] = {};
    for (unsigned first = 0; first < tile.queries; first += WARP) {
        const unsigned count = tile.queries - first < WARP ? tile.queries - first : WARP;
        __syncthreads();
        load(q, pitch, qkv.queries, qkv.query_stride, tile.query_row + first, count, WARP, head, size, qkv.biases);
        load(d, pitch, dcontext, hidden, tile.query_row + first, count, WARP, head, size, nullptr);
        __syncthreads();
        float scores[ROWS_PER_WARP], dp[ROWS_PER_WARP], row_lse = 0.0f, row_delta = 0.0f;
        dot_products(scores, k + warp * ROWS_PER_WARP * size, q + lane * pitch, size);
        dot_products(dp, v + warp * ROWS_PER_WARP * size, d + lane * pitch, size);
        unsigned bits = 0xff;
        if (lane < count) {
            const long long row = tile.query_row + first + lane;
            row_lse = lse[row * heads.count + head];
            row_delta = delta[row * heads.count + head];
            if (dropout.threshold)
                bits = keep_bits(*step, dropout, heads, tile.query_token + first + lane, head, warp_start / 8);
        }
        for (int i = 0; i < ROWS_PER_WARP; i++) {
            const bool is_valid = lane < count && warp_start + i < keys;
            const float p = is_valid ? expf(scores[i] * scale - row_lse) : 0.0f;
            const float factor = !dropout.threshold ? 1.0f : bits >> ((warp_start + i) % 8) & 1 ? dropout.scale : 0.0f;
            weights[warp][i][lane] = p * factor;
            dscores[warp][i][lane] = p * (dp[i] * factor - row_delta) * scale;
        }
        __syncwarp();
        accumulate_rows(dv, weights[warp], d, pitch, size, count);
        accumulate_rows(dk, dscores[warp], q, pitch, size, count);
    }
    for (int i = 0; i < ROWS_PER_WARP; i++) {
        if (warp_start + i >= keys) break;
        const long long row = tile.first + warp_start + i;
        for (int c = 0; c < COLUMNS_PER_LANE; c++) {
            const int at = WARP * c + lane;
            if (at >= size) continue;
            dkeys[row * qkv.key_stride + head * size + at] = dk[i][c];
            dvalues[row * qkv.key_stride + head * size + at] = dv[i][c];
        }
    }
}
