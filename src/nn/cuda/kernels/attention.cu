// Attention in f32 of each example and head, without padding: softmax(scale q kᵀ + bias) v over the keys within the
// window of the query, with dropout of the probabilities. The forward pass saves only the log-sum-exp of each row of
// scores; the backward pass recomputes the probabilities.
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

// Numbers that are added to the scores, for each distance between key and query.
struct RelativeBias {
    // The bucket of distance 0, between those of the other distances; null without a bias.
    const unsigned* buckets;
    // (BUCKETS, heads)
    const float* table;
};

// Buckets of distances, one for each lane of a warp.
constexpr int BUCKETS = WARP;

// The score for the product of a query and a key at these positions of an example. Outside the window it is -INFINITY,
// whose probability is zero.
__device__ inline float score_of(Heads heads, RelativeBias bias, int head, float product, int query, int key) {
    const int distance = key - query;
    if (static_cast<unsigned>(distance < 0 ? -distance : distance) > heads.window) return -INFINITY;
    return bias.buckets ? fmaf(product, heads.scale, bias.table[bias.buckets[distance] * heads.count + head])
                        : product * heads.scale;
}

// Positions of an example, from the first to past the last.
struct Positions {
    unsigned first, end;
};

// Those that are in the windows of a tile's rows, of `length` positions; the first is a multiple of WARP.
__device__ inline Positions within_windows(Heads heads, unsigned tile_start, unsigned length) {
    const unsigned last = tile_start + TILE - 1;
    Positions positions{0, length};
    if (tile_start > heads.window) positions.first = (tile_start - heads.window) / WARP * WARP;
    if (last < length && heads.window < length - last) positions.end = last + heads.window + 1;
    return positions;
}

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
                                             bf16* context_bf16, float* lse, RelativeBias bias) {
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
    load(q, size, qkv.queries, qkv.query_stride, tile.query_row + tile_start, remaining, TILE, head, size,
         biases_of(qkv, 0, hidden));
    float running_max[ROWS_PER_WARP], running_sum[ROWS_PER_WARP] = {}, out[ROWS_PER_WARP][COLUMNS_PER_LANE] = {};
    for (int i = 0; i < ROWS_PER_WARP; i++) running_max[i] = -INFINITY;
    const Positions keys = within_windows(heads, tile_start, tile.end - tile.first);
    for (unsigned first = keys.first; first < keys.end; first += WARP) {
        const unsigned count = keys.end - first < WARP ? keys.end - first : WARP;
        __syncthreads();
        load(k, pitch, qkv.keys, qkv.key_stride, tile.first + first, count, WARP, head, size, biases_of(qkv, 1, hidden));
        load(v, pitch, qkv.values, qkv.key_stride, tile.first + first, count, WARP, head, size,
             biases_of(qkv, 2, hidden));
        __syncthreads();
        float scores[ROWS_PER_WARP], factors[ROWS_PER_WARP];
        dot_products(scores, q + warp * ROWS_PER_WARP * size, k + lane * pitch, size);
        const unsigned queries = warp_start < tile.queries ? tile.queries - warp_start : 0;
        query_dropout_factors(*step, dropout, heads, tile.query_token + warp_start, queries, head, first, factors);
        for (int i = 0; i < ROWS_PER_WARP; i++) {
            const bool is_valid = lane < count && i < queries;
            const float score =
                is_valid ? score_of(heads, bias, head, scores[i], warp_start + i, first + lane) : -INFINITY;
            const float new_max = fmaxf(running_max[i], warp_max(score));
            // All keys so far may be outside the window.
            const float base = new_max == -INFINITY ? 0.0f : new_max;
            const float p = expf(score - base), rescale = expf(running_max[i] - base);
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

// The sum of the gradients of scores whose distance is in a bucket: `d` has those of the warp's queries, from position
// `first_query` on, and of `count` keys from position `first_key` on.
__device__ inline float sum_of_bucket(const float (*d)[WARP], RelativeBias bias, unsigned bucket, unsigned first_query,
                                      unsigned queries, unsigned first_key, unsigned count) {
    float sum = 0.0f;
    for (unsigned i = 0; i < ROWS_PER_WARP && i < queries; i++)
        for (unsigned key = 0; key < count; key++) {
            const int distance = static_cast<int>(first_key + key) - static_cast<int>(first_query + i);
            if (bias.buckets[distance] == bucket) sum += d[i][key];
        }
    return sum;
}

// dqueries (rows, query_stride), the gradient of the queries; delta (rows, heads), the sum over keys of probability times
// its gradient, which is the dot product of context and dcontext; and, with a bias, bias_sums (blocks, BUCKETS, heads), the
// part of the table's gradient of each block. Grid as that of attention_forward.
extern "C" __global__ void attention_backward_q(const StepParams* step, const unsigned* offsets, const unsigned* tiles,
                                                Qkv qkv, Heads heads, DropoutSite dropout, const float* lse,
                                                const float* context, const float* dcontext, float* dqueries,
                                                float* delta, RelativeBias bias, float* bias_sums) {
    __shared__ float q[TILE * MAX_HEAD_SIZE], d[TILE * MAX_HEAD_SIZE], k[WARP * (MAX_HEAD_SIZE + 1)],
        v[WARP * (MAX_HEAD_SIZE + 1)];
    __shared__ float weights[WARPS][ROWS_PER_WARP][WARP], bucket_sums[WARPS][BUCKETS];
    float* block_sums = bias_sums + static_cast<long long>(blockIdx.x) * BUCKETS * heads.count + blockIdx.y;
    if (bias.buckets && threadIdx.x < BUCKETS) block_sums[threadIdx.x * heads.count] = 0.0f;
    if (blockIdx.x >= (heads.is_first_only ? step->examples : step->tiles)) return;
    const int head = blockIdx.y, size = heads.size, hidden = heads.count * size, pitch = size | 1;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const unsigned code = heads.is_first_only ? blockIdx.x << 16 : tiles[blockIdx.x];
    const Tile tile = example_tile(offsets, code >> 16, heads);
    const unsigned tile_start = (code & 0xffff) * TILE, warp_start = tile_start + warp * ROWS_PER_WARP;
    const unsigned remaining = tile.queries - tile_start;
    load(q, size, qkv.queries, qkv.query_stride, tile.query_row + tile_start, remaining, TILE, head, size,
         biases_of(qkv, 0, hidden));
    load(d, size, dcontext, hidden, tile.query_row + tile_start, remaining, TILE, head, size, nullptr);
    __syncthreads();
    float bucket_sum = 0.0f, row_delta[ROWS_PER_WARP] = {}, row_lse[ROWS_PER_WARP] = {}, out[ROWS_PER_WARP][COLUMNS_PER_LANE] = {};
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
    const Positions keys = within_windows(heads, tile_start, tile.end - tile.first);
    for (unsigned first = keys.first; first < keys.end; first += WARP) {
        const unsigned count = keys.end - first < WARP ? keys.end - first : WARP;
        __syncthreads();
        load(k, pitch, qkv.keys, qkv.key_stride, tile.first + first, count, WARP, head, size, biases_of(qkv, 1, hidden));
        load(v, pitch, qkv.values, qkv.key_stride, tile.first + first, count, WARP, head, size,
             biases_of(qkv, 2, hidden));
        __syncthreads();
        float scores[ROWS_PER_WARP], dp[ROWS_PER_WARP], factors[ROWS_PER_WARP];
        dot_products(scores, q + warp * ROWS_PER_WARP * size, k + lane * pitch, size);
        dot_products(dp, d + warp * ROWS_PER_WARP * size, v + lane * pitch, size);
        const unsigned queries = warp_start < tile.queries ? tile.queries - warp_start : 0;
        query_dropout_factors(*step, dropout, heads, tile.query_token + warp_start, queries, head, first, factors);
        for (int i = 0; i < ROWS_PER_WARP; i++) {
            const bool is_valid = lane < count && i < queries;
            const float score =
                is_valid ? score_of(heads, bias, head, scores[i], warp_start + i, first + lane) : -INFINITY;
            weights[warp][i][lane] = expf(score - row_lse[i]) * (dp[i] * factors[i] - row_delta[i]);
        }
        __syncwarp();
        accumulate_rows(out, weights[warp], k, pitch, size, count);
        if (bias.buckets) bucket_sum += sum_of_bucket(weights[warp], bias, lane, warp_start, queries, first, count);
    }
    for (int i = 0; i < ROWS_PER_WARP; i++) {
        if (warp_start + i >= tile.queries) break;
        const long long row = tile.query_row + warp_start + i;
        for (int c = 0; c < COLUMNS_PER_LANE; c++) {
            const int at = WARP * c + lane;
            if (at < size) dqueries[row * qkv.query_stride + head * size + at] = out[i][c] * heads.scale;
        }
    }
    if (!bias.buckets) return;
    bucket_sums[warp][lane] = bucket_sum;
    __syncthreads();
    if (warp > 0) return;
    bucket_sum = 0.0f;
    for (int part = 0; part < WARPS; part++) bucket_sum += bucket_sums[part][lane];
    block_sums[lane * heads.count] = bucket_sum;
}

// The gradients of keys and values. Grid (tiles, heads): here a tile has keys, and the loop is over queries.
extern "C" __global__ void attention_backward_kv(const StepParams* step, const unsigned* offsets, const unsigned* tiles,
                                                 Qkv qkv, Heads heads, DropoutSite dropout, const float* lse,
                                                 const float* delta, const float* dcontext, float* dkeys,
                                                 float* dvalues, RelativeBias bias) {
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
         biases_of(qkv, 1, hidden));
    load(v, size, qkv.values, qkv.key_stride, tile.first + tile_start, keys - tile_start, TILE, head, size,
         biases_of(qkv, 2, hidden));
    float dk[ROWS_PER_WARP][COLUMNS_PER_LANE] = {}, dv[ROWS_PER_WARP][COLUMNS_PER_LANE] = {};
    const Positions queries = within_windows(heads, tile_start, tile.queries);
    for (unsigned first = queries.first; first < queries.end; first += WARP) {
        const unsigned count = queries.end - first < WARP ? queries.end - first : WARP;
        __syncthreads();
        load(q, pitch, qkv.queries, qkv.query_stride, tile.query_row + first, count, WARP, head, size,
             biases_of(qkv, 0, hidden));
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
            const float score =
                is_valid ? score_of(heads, bias, head, scores[i], first + lane, warp_start + i) : -INFINITY;
            const float p = expf(score - row_lse);
            const float factor = !dropout.threshold ? 1.0f : bits >> ((warp_start + i) % 8) & 1 ? dropout.scale : 0.0f;
            weights[warp][i][lane] = p * factor;
            dscores[warp][i][lane] = p * (dp[i] * factor - row_delta) * heads.scale;
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
