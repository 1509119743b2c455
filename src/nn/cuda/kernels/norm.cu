// Embedding, dropout, residual and LayerNorm: a block takes a row, and a thread every THREADS-th column.

#include "common.cuh"

// One row that the threads hold in z: it becomes normed, y what is made of it.
__device__ inline void normalize(float* z, int row, int width, float eps, const float* weight, const float* bias,
                                 float* normed, float* deviations, const Step& step, Site site,
                                 unsigned long long number, float* y, bf16* operand, float* scratch) {
    float sum = 0.0f;
#pragma unroll
    for (int c = 0; c < COLUMNS; c++)
        if (c * THREADS + threadIdx.x < width) sum += z[c];
    const float mean = block_sum(sum, scratch) / width;
    sum = 0.0f;
#pragma unroll
    for (int c = 0; c < COLUMNS; c++)
        if (c * THREADS + threadIdx.x < width) sum += (z[c] - mean) * (z[c] - mean);
    const float deviation = 1.0f / sqrtf(block_sum(sum, scratch) / width + eps);
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
        const int column = c * THREADS + threadIdx.x;
        if (column >= width) continue;
        const long long at = static_cast<long long>(row) * width + column;
        const float x = (z[c] - mean) * deviation;
        normed[at] = x;
        const float factor = state_factor(step, site, number * width + column);
        put(y, operand, at, fmaf(x, weight[column], bias[column]) * factor);
    }
    if (threadIdx.x == 0) deviations[row] = deviation;
}

// Zeros in a row that is no real one.
__device__ inline void clear(int row, int width, float* normed, float* y, bf16* operand) {
    for (int column = threadIdx.x; column < width; column += THREADS) {
        const long long at = static_cast<long long>(row) * width + column;
        normed[at] = 0.0f;
        put(y, operand, at, 0.0f);
    }
}

// y (T, H) = dropout(LayerNorm(word + position + segment)); a block for each token. `segments` may be none.
extern "C" __global__ void embed(const Step* step, const unsigned* ids, const unsigned* positions,
                                 const unsigned* types, const float* words, const float* places,
                                 const float* segments, const float* weight, const float* bias, float eps, int width,
                                 Site site, float* normed, float* deviations, float* y, bf16* operand) {
    __shared__ float scratch[THREADS / 32];
    const int row = blockIdx.x;
    if (row >= step->tokens) return clear(row, width, normed, y, operand);
    const float* word = words + static_cast<long long>(ids[row]) * width;
    const float* place = places + static_cast<long long>(positions[row]) * width;
    const float* segment = segments ? segments + static_cast<long long>(types[row]) * width : nullptr;
    float z[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
        const int column = c * THREADS + threadIdx.x;
        if (column >= width) continue;
        z[c] = word[column];
        if (segment) z[c] += segment[column];
        z[c] += place[column];
    }
    normalize(z, row, width, eps, weight, bias, normed, deviations, *step, site, row_number(*step, nullptr, row), y,
              operand, scratch);
}

// y (R, H) = LayerNorm(dropout(product + product_bias) + residual); a block for each row. The product becomes
// x̂.
extern "C" __global__ void add_norm(const Step* step, const unsigned* count, const unsigned* tokens,
                                    const float* product_bias, Site site, const float* residual, const float* weight,
                                    const float* bias, float eps, int width, float* product, float* deviations,
                                    float* y, bf16* operand) {
    __shared__ float scratch[THREADS / 32];
    const int row = blockIdx.x;
    if (row >= *count) return clear(row, width, product, y, operand);
    const unsigned long long number = row_number(*step, tokens, row);
    float z[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
        const int column = c * THREADS + threadIdx.x;
        if (column >= width) continue;
        const long long at = static_cast<long long>(row) * width + column;
        const float factor = state_factor(*step, site, number * width + column);
        z[c] = fmaf(product[at] + product_bias[column], factor, residual[at]);
    }
    normalize(z, row, width, eps, weight, bias, product, deviations, *step, Site{0, 0, 1.0f}, number, y, operand,
              scratch);
}

// The way back through both: d (rows, H), the gradient of y, becomes that of the sum,
//   dz = (dx̂ - mean(dx̂) - x̂ mean(dx̂ x̂)) / σ with dx̂ = before ⊙ d ⊙ γ,
// and where there is a place for it, that of the product: dh = after ⊙ dz. A block takes every gridDim.x-th
// row; its sums over rows go to its row of `partial`: first those of γ and β, (2 H) from column `at_norm`, and
// from column `at_product` that of the product's bias, (H).
extern "C" __global__ void norm_backward(const Step* step, const unsigned* count, const unsigned* tokens, Site before,
                                         Site after, const float* normed, const float* deviations, const float* weight,
                                         int rows, int width, float* d, float* dh, bf16* operand, float* partial,
                                         int stride, int at_norm, int at_product) {
    __shared__ float scratch[THREADS / 32];
    float dweight[COLUMNS] = {}, dbias[COLUMNS] = {}, dproduct[COLUMNS] = {};
    const bool has_product = dh || operand;
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        if (row >= *count) {
            for (int column = threadIdx.x; column < width; column += THREADS) {
                const long long at = static_cast<long long>(row) * width + column;
                d[at] = 0.0f;
                put(dh, operand, at, 0.0f);
            }
            continue;
        }
        const unsigned long long number = row_number(*step, tokens, row);
        float dx[COLUMNS], x[COLUMNS];
        float sum = 0.0f, along = 0.0f;
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const int column = c * THREADS + threadIdx.x;
            if (column >= width) continue;
            const long long at = static_cast<long long>(row) * width + column;
            const float dy = d[at] * state_factor(*step, before, number * width + column);
            x[c] = normed[at];
            dweight[c] = fmaf(dy, x[c], dweight[c]);
            dbias[c] += dy;
            dx[c] = dy * weight[column];
            sum += dx[c];
            along += dx[c] * x[c];
        }
        const float mean = block_sum(sum, scratch) / width;
        along = block_sum(along, scratch) / width;
        const float deviation = deviations[row];
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const int column = c * THREADS + threadIdx.x;
            if (column >= width) continue;
            const long long at = static_cast<long long>(row) * width + column;
            const float dz = (dx[c] - fmaf(x[c], along, mean)) * deviation;
            d[at] = dz;
            if (!has_product) continue;
            const float dropped = dz * state_factor(*step, after, number * width + column);
            put(dh, operand, at, dropped);
            dproduct[c] += dropped;
        }
    }
    float* sums = partial + static_cast<long long>(blockIdx.x) * stride;
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
        const int column = c * THREADS + threadIdx.x;
        if (column >= width) continue;
        sums[at_norm + column] = dweight[c];
        sums[at_norm + width + column] = dbias[c];
        if (has_product) sums[at_product + column] = dproduct[c];
    }
}
