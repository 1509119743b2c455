// Attention of each example and head over its real tokens: softmax(q kᵀ / √size) v, with dropout of the
// probabilities. Nothing is kept but the logarithm of each row's sum; the way back makes them again.
//
// A block takes a tile of TILE rows of one head, a warp EACH of them; the other side passes by in shared memory,
// WARP rows at a time, a lane each. Rows beyond an example's end hold zeros.

#include "attention.cuh"

// Rows of a warp.
constexpr int EACH = TILE / WARPS;
// Widest head.
constexpr int WIDEST = 96;
// Numbers of a row that a lane sums up.
constexpr int PARTS = WIDEST / WARP;

// Up to `most` rows of a head into rows of shared memory `pitch` apart; zeros beyond the last.
__device__ inline void load(float* to, int pitch, const float* from, int stride, unsigned row, unsigned rows, int most,
                            int head, int size, const float* bias) {
    for (int i = threadIdx.x; i < most * size; i += blockDim.x) {
        const int r = i / size, d = i % size;
        float x = 0.0f;
        if (r < rows) {
            x = from[static_cast<long long>(row + r) * stride + head * size + d];
            if (bias) x += bias[head * size + d];
        }
        to[r * pitch + d] = x;
    }
}

// For each of a warp's queries, the mask of the WARP keys from `first` on: its factor for the lane's key.
__device__ inline void query_factors(const Step& step, Site site, Heads heads, unsigned token, unsigned queries,
                                     int head, unsigned first, float* factors) {
    const int lane = threadIdx.x % WARP;
    unsigned bits = 0xff;
    // Four queries have sixteen such eights, a lane each.
    const unsigned query = lane / (WARP / 8);
    if (site.threshold && query < EACH && query < queries)
        bits = kept_bits(step, site, heads, token + query, head, first / 8 + lane % (WARP / 8));
    for (int i = 0; i < EACH; i++) {
        const unsigned mine = __shfl_sync(0xffffffffu, bits, i * (WARP / 8) + lane / 8);
        factors[i] = !site.threshold ? 1.0f : mine >> (lane % 8) & 1 ? site.kept : 0.0f;
    }
}

// to[i][part] += sum over `count` rows of weights[i][row] rows[row][WARP part + lane]
__device__ inline void mix(float (*to)[PARTS], const float (*weights)[WARP], const float* rows, int pitch, int size,
                           int count) {
    const int lane = threadIdx.x % WARP;
    for (int row = 0; row < count; row++)
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            const int d = WARP * part + lane;
            if (d >= size) continue;
            const float x = rows[row * pitch + d];
#pragma unroll
            for (int i = 0; i < EACH; i++) to[i][part] = fmaf(weights[i][row], x, to[i][part]);
        }
}

// dots[i] = the product of row i of `few`, `size` apart, with the lane's row
__device__ inline void products(float* dots, const float* few, const float* row, int size) {
    for (int i = 0; i < EACH; i++) dots[i] = 0.0f;
    for (int d = 0; d < size; d++)
#pragma unroll
        for (int i = 0; i < EACH; i++) dots[i] = fmaf(few[i * size + d], row[d], dots[i]);
}

// context (rows, heads size), and for each row and head the logarithm of the sum of exponentials. Blocks (tiles,
// heads) of WARPS warps.
extern "C" __global__ void attend(const Step* step, const unsigned* offsets, const unsigned* tiles, Projected projected,
                                  Heads heads, Site site, float* context, bf16* operand, float* logs) {
    __shared__ float q[TILE * WIDEST], k[WARP * (WIDEST + 1)], v[WARP * (WIDEST + 1)];
    __shared__ float shared[WARPS][EACH][WARP];
    if (blockIdx.x >= (heads.is_first_only ? step->examples : step->tiles)) return;
    const int head = blockIdx.y, size = heads.size, hidden = heads.count * size, pitch = size | 1;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    // A tile is its example in the high half and its number there.
    const unsigned code = heads.is_first_only ? blockIdx.x << 16 : tiles[blockIdx.x];
    const Tile tile = example_tile(offsets, code >> 16, heads);
    const unsigned skipped = (code & 0xffff) * TILE, mine = skipped + warp * EACH;
    const unsigned left = tile.queries - skipped;
    load(q, size, projected.queries, projected.query_stride, tile.query_row + skipped, left, TILE, head, size,
         projected.biases);
    const float scale = 1.0f / sqrtf(static_cast<float>(size));
    float largest[EACH], sums[EACH] = {}, out[EACH][PARTS] = {};
    for (int i = 0; i < EACH; i++) largest[i] = -INFINITY;
    for (unsigned first = tile.first; first < tile.end; first += WARP) {
        const unsigned count = tile.end - first < WARP ? tile.end - first : WARP;
        __syncthreads();
        load(k, pitch, projected.keys, projected.key_stride, first, count, WARP, head, size, projected.biases + hidden);
        load(v, pitch, projected.values, projected.key_stride, first, count, WARP, head, size,
             projected.biases + 2 * hidden);
        __syncthreads();
        float scores[EACH], factors[EACH];
        products(scores, q + warp * EACH * size, k + lane * pitch, size);
        const unsigned queries = mine < tile.queries ? tile.queries - mine : 0;
        query_factors(*step, site, heads, tile.query_token + mine, queries, head, first - tile.first, factors);
        for (int i = 0; i < EACH; i++) {
            const float score = lane < count ? scores[i] * scale : -INFINITY;
            const float top = fmaxf(largest[i], warp_max(score));
            const float p = expf(score - top), shrunk = expf(largest[i] - top);
            sums[i] = sums[i] * shrunk + warp_sum(p);
            for (int part = 0; part < PARTS; part++) out[i][part] *= shrunk;
            largest[i] = top;
            shared[warp][i][lane] = p * factors[i];
        }
        __syncwarp();
        mix(out, shared[warp], v, pitch, size, count);
    }
    for (int i = 0; i < EACH; i++) {
        if (mine + i >= tile.queries) break;
        const long long row = tile.query_row + mine + i;
        for (int part = 0; part < PARTS; part++) {
            const int d = WARP * part + lane;
            if (d < size) put(context, operand, row * hidden + head * size + d, out[i][part] / sums[i]);
        }
        if (lane == 0) logs[row * heads.count + head] = largest[i] + logf(sums[i]);
    }
}

// The gradient of the queries, (rows, H) some numbers apart; and `alongs` (rows, heads): of each row, the sum
// over keys of probabilities and their gradients, which is context · dcontext. Blocks as those of attend.
extern "C" __global__ void attend_backward_queries(const Step* step, const unsigned* offsets, const unsigned* tiles,
                                                   Projected projected, Heads heads, Site site, const float* logs,
                                                   const float* context, const float* dcontext, float* dqueries,
                                                   float* alongs) {
    __shared__ float q[TILE * WIDEST], d[TILE * WIDEST], k[WARP * (WIDEST + 1)], v[WARP * (WIDEST + 1)];
    __shared__ float shared[WARPS][EACH][WARP];
    if (blockIdx.x >= (heads.is_first_only ? step->examples : step->tiles)) return;
    const int head = blockIdx.y, size = heads.size, hidden = heads.count * size, pitch = size | 1;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const unsigned code = heads.is_first_only ? blockIdx.x << 16 : tiles[blockIdx.x];
    const Tile tile = example_tile(offsets, code >> 16, heads);
    const unsigned skipped = (code & 0xffff) * TILE, mine = skipped + warp * EACH;
    const unsigned left = tile.queries - skipped;
    load(q, size, projected.queries, projected.query_stride, tile.query_row + skipped, left, TILE, head, size,
         projected.biases);
    load(d, size, dcontext, hidden, tile.query_row + skipped, left, TILE, head, size, nullptr);
    __syncthreads();
    const float scale = 1.0f / sqrtf(static_cast<float>(size));
    float along[EACH] = {}, log[EACH] = {}, out[EACH][PARTS] = {};
    for (int i = 0; i < EACH; i++) {
        if (mine + i >= tile.queries) break;
        const long long row = tile.query_row + mine + i;
        for (int at = lane; at < size; at += WARP)
            along[i] = fmaf(d[(warp * EACH + i) * size + at], context[row * hidden + head * size + at], along[i]);
        along[i] = warp_sum(along[i]);
        log[i] = logs[row * heads.count + head];
        if (lane == 0) alongs[row * heads.count + head] = along[i];
    }
    for (unsigned first = tile.first; first < tile.end; first += WARP) {
        const unsigned count = tile.end - first < WARP ? tile.end - first : WARP;
        __syncthreads();
        load(k, pitch, projected.keys, projected.key_stride, first, count, WARP, head, size, projected.biases + hidden);
        load(v, pitch, projected.values, projected.key_stride, first, count, WARP, head, size,
             projected.biases + 2 * hidden);
        __syncthreads();
        float scores[EACH], dp[EACH], factors[EACH];
        products(scores, q + warp * EACH * size, k + lane * pitch, size);
        products(dp, d + warp * EACH * size, v + lane * pitch, size);
        const unsigned queries = mine < tile.queries ? tile.queries - mine : 0;
        query_factors(*step, site, heads, tile.query_token + mine, queries, head, first - tile.first, factors);
        for (int i = 0; i < EACH; i++) {
            const float p = lane < count ? expf(scores[i] * scale - log[i]) : 0.0f;
            shared[warp][i][lane] = p * (dp[i] * factors[i] - along[i]) * scale;
        }
        __syncwarp();
        mix(out, shared[warp], k, pitch, size, count);
    }
    for (int i = 0; i < EACH; i++) {
        if (mine + i >= tile.queries) break;
        const long long row = tile.query_row + mine + i;
        for (int part = 0; part < PARTS; part++) {
            const int at = WARP * part + lane;
            if (at < size) dqueries[row * projected.query_stride + head * size + at] = out[i][part];
        }
    }
}

// The gradients of keys and values. Blocks (tiles, heads): here the tile's rows are keys, and queries pass by.
extern "C" __global__ void attend_backward_keys(const Step* step, const unsigned* offsets, const unsigned* tiles,
                                                Projected projected, Heads heads, Site site, const float* logs,
                                                const float* alongs, const float* dcontext, float* dkeys,
                                                float* dvalues) {
    __shared__ float k[TILE * WIDEST], v[TILE * WIDEST], q[WARP * (WIDEST + 1)], d[WARP * (WIDEST + 1)];
    __shared__ float weights[WARPS][EACH][WARP], slopes[WARPS][EACH][WARP];
    if (blockIdx.x >= step->tiles) return;
    const int head = blockIdx.y, size = heads.size, hidden = heads.count * size, pitch = size | 1;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const unsigned code = tiles[blockIdx.x];
    const Tile tile = example_tile(offsets, code >> 16, heads);
    // Numbers of keys within the example.
    const unsigned skipped = (code & 0xffff) * TILE, mine = skipped + warp * EACH, keys = tile.end - tile.first;
    load(k, size, projected.keys, projected.key_stride, tile.first + skipped, keys - skipped, TILE, head, size,
         projected.biases + hidden);
    load(v, size, projected.values, projected.key_stride, tile.first + skipped, keys - skipped, TILE, head, size,
         projected.biases + 2 * hidden);
    const float scale = 1.0f / sqrtf(static_cast<float>(size));
    float dk[EACH][PARTS] = {}, dv[EACH][PARTS] = {};
    for (unsigned first = 0; first < tile.queries; first += WARP) {
        const unsigned count = tile.queries - first < WARP ? tile.queries - first : WARP;
        __syncthreads();
        load(q, pitch, projected.queries, projected.query_stride, tile.query_row + first, count, WARP, head, size,
             projected.biases);
        load(d, pitch, dcontext, hidden, tile.query_row + first, count, WARP, head, size, nullptr);
        __syncthreads();
        float scores[EACH], dp[EACH], log = 0.0f, along = 0.0f;
        products(scores, k + warp * EACH * size, q + lane * pitch, size);
        products(dp, v + warp * EACH * size, d + lane * pitch, size);
        unsigned bits = 0xff;
        if (lane < count) {
            const long long row = tile.query_row + first + lane;
            log = logs[row * heads.count + head];
            along = alongs[row * heads.count + head];
            if (site.threshold)
                bits = kept_bits(*step, site, heads, tile.query_token + first + lane, head, mine / 8);
        }
        for (int i = 0; i < EACH; i++) {
            const bool is_there = lane < count && mine + i < keys;
            const float p = is_there ? expf(scores[i] * scale - log) : 0.0f;
            const float factor = !site.threshold ? 1.0f : bits >> ((mine + i) % 8) & 1 ? site.kept : 0.0f;
            weights[warp][i][lane] = p * factor;
            slopes[warp][i][lane] = p * (dp[i] * factor - along) * scale;
        }
        __syncwarp();
        mix(dv, weights[warp], d, pitch, size, count);
        mix(dk, slopes[warp], q, pitch, size, count);
    }
    for (int i = 0; i < EACH; i++) {
        if (mine + i >= keys) break;
        const long long row = tile.first + mine + i;
        for (int part = 0; part < PARTS; part++) {
            const int at = WARP * part + lane;
            if (at >= size) continue;
            dkeys[row * projected.key_stride + head * size + at] = dk[i][part];
            dvalues[row * projected.key_stride + head * size + at] = dv[i][part];
        }
    }
}
