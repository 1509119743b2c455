// Embeddings and LayerNorm, fused with dropout and residual connection. A block computes whole rows, a thread every
// THREADS-th column.

#include "common.cuh"

// LayerNorm of one row, which the threads hold in z: x̂ = (z - mean) / σ, y = dropout(x̂ ⊙ weight + bias).
__device__ inline void normalize(float* z, int row, int width, float eps, const float* weight, const float* bias,
                                 float* x_hat, float* rstd, const StepParams& step, DropoutSite dropout,
                                 unsigned long long dropout_index, float* y, bf16* y_bf16, float* scratch) {
    float sum = 0.0f;
#pragma unroll
    for (int c = 0; c < COLUMNS; c++)
        if (c * THREADS + threadIdx.x < width) sum += z[c];
    const float mean = block_sum(sum, scratch) / width;
    sum = 0.0f;
#pragma unroll
    for (int c = 0; c < COLUMNS; c++)
        if (c * THREADS + threadIdx.x < width) sum += (z[c] - mean) * (z[c] - mean);
    const float row_rstd = 1.0f / sqrtf(block_sum(sum, scratch) / width + eps);
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
        const int column = c * THREADS + threadIdx.x;
        if (column >= width) continue;
        const long long at = static_cast<long long>(row) * width + column;
        const float x = (z[c] - mean) * row_rstd;
        x_hat[at] = x;
        const float factor = dropout_factor(step, dropout, dropout_index * width + column);
        store(y, y_bf16, at, fmaf(x, weight[column], bias[column]) * factor);
    }
    if (threadIdx.x == 0) rstd[row] = row_rstd;
}

// Zeros in a padding row.
__device__ inline void write_zeros(int row, int width, float* x_hat, float* y, bf16* y_bf16) {
    for (int column = threadIdx.x; column < width; column += THREADS) {
        const long long at = static_cast<long long>(row) * width + column;
        x_hat[at] = 0.0f;
        store(y, y_bf16, at, 0.0f);
    }
}

// y (T, H) = dropout(LayerNorm(word + position + segment)). One block per token. `position_table` and `segments` may be
// null.
extern "C" __global__ void embeddings_forward(const StepParams* step, const unsigned* ids, const unsigned* positions,
                                              const unsigned* types, const float* words, const float* position_table,
                                              const float* segments, const float* weight, const float* bias, float eps,
                                              int width, DropoutSite dropout, float* x_hat, float* rstd, float* y,
                                              bf16* y_bf16) {
    __shared__ float scratch[THREADS / 32];
    const int row = blockIdx.x;
    if (row >= step->tokens) return write_zeros(row, width, x_hat, y, y_bf16);
    const float* word = words + static_cast<long long>(ids[row]) * width;
    const float* position = position_table ? position_table + static_cast<long long>(positions[row]) * width : nullptr;
    const float* segment = segments ? segments + static_cast<long long>(types[row]) * width : nullptr;
    float z[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
        const int column = c * THREADS + threadIdx.x;
        if (column >= width) continue;
        z[c] = word[column];
        if (segment) z[c] += segment[column];
        if (position) z[c] += position[column];
    }
    normalize(z, row, width, eps, weight, bias, x_hat, rstd, *step, dropout, dropout_row(*step, nullptr, row), y,
              y_bf16, scratch);
}

// y (R, H) = LayerNorm(dropout(linear + linear_bias) + residual); `linear` becomes x̂. One block per row.
extern "C" __global__ void add_layer_norm(const StepParams* step, const unsigned* count, const unsigned* tokens,
                                          const float* linear_bias, DropoutSite dropout, const float* residual,
                                          const float* weight, const float* bias, float eps, int width, float* linear,
                                          float* rstd, float* y, bf16* y_bf16) {
    __shared__ float scratch[THREADS / 32];
    const int row = blockIdx.x;
    if (row >= *count) return write_zeros(row, width, linear, y, y_bf16);
    const unsigned long long dropout_index = dropout_row(*step, tokens, row);
    float z[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
        const int column = c * THREADS + threadIdx.x;
        if (column >= width) continue;
        const long long at = static_cast<long long>(row) * width + column;
        const float factor = dropout_factor(*step, dropout, dropout_index * width + column);
        z[c] = fmaf(linear[at] + linear_bias[column], factor, residual[at]);
    }
    normalize(z, row, width, eps, weight, bias, linear, rstd, *step, DropoutSite{0, 0, 1.0f}, dropout_index, y, y_bf16,
              scratch);
}

// y (R, H) = LayerNorm(x). One block per row.
extern "C" __global__ void layer_norm(const StepParams* step, const unsigned* count, const float* x, const float* weight,
                                      const float* bias, float eps, int width, float* x_hat, float* rstd, float* y,
                                      bf16* y_bf16) {
    __shared__ float scratch[THREADS / 32];
    const int row = blockIdx.x;
    if (row >= *count) return write_zeros(row, width, x_hat, y, y_bf16);
    float z[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
        const int column = c * THREADS + threadIdx.x;
        if (column < width) z[c] = x[static_cast<long long>(row) * width + column];
    }
    normalize(z, row, width, eps, weight, bias, x_hat, rstd, *step, DropoutSite{0, 0, 1.0f}, 0, y, y_bf16, scratch);
}

// y (R, H) = dropout(x + bias) + residual, which `y` may be. Grid (rows, width / THREADS).
extern "C" __global__ void add_residual(const StepParams* step, const unsigned* count, const unsigned* tokens,
                                        const float* bias, DropoutSite dropout, const float* residual, int width,
                                        const float* x, float* y, bf16* y_bf16) {
    const int row = blockIdx.x, column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    const long long at = static_cast<long long>(row) * width + column;
    if (row >= *count) return store(y, y_bf16, at, 0.0f);
    const float factor = dropout_factor(*step, dropout, dropout_row(*step, tokens, row) * width + column);
    store(y, y_bf16, at, fmaf(x[at] + bias[column], factor, residual[at]));
}

// The gradient of add_residual: dh (R, H) = dropout(d), with its column sums in `partial` from `first` on. Grid (partial
// rows, width / THREADS).
extern "C" __global__ void residual_backward(const StepParams* step, const unsigned* count, const unsigned* tokens,
                                             DropoutSite dropout, int rows, int width, const float* d, float* dh,
                                             bf16* dh_bf16, float* partial, int stride, int first) {
    const int column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    float sum = 0.0f;
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        const long long at = static_cast<long long>(row) * width + column;
        float value = 0.0f;
        if (row < *count)
            value = d[at] * dropout_factor(*step, dropout, dropout_row(*step, tokens, row) * width + column);
        store(dh, dh_bf16, at, value);
        sum += value;
    }
    partial[static_cast<long long>(blockIdx.x) * stride + first + column] = sum;
}

// The gradient of the norms above. d (R, H), the gradient of y, becomes that of the norm's input,
//     dz = (dx̂ - mean(dx̂) - x̂ ⊙ mean(dx̂ ⊙ x̂)) / σ with dx̂ = after_norm ⊙ d ⊙ weight,
// and dh (R, H), unless null, becomes that of the linear layer's output: dh = before_norm ⊙ dz. after_norm and
// before_norm are dropout masks. A block computes every gridDim.x-th row and writes its sums over rows to its row of
// `partial`: those of the norm's weight, the norm's bias and the linear layer's bias, (H) each from weight_column,
// bias_column and linear_column on.
extern "C" __global__ void layer_norm_backward(const StepParams* step, const unsigned* count, const unsigned* tokens,
                                               DropoutSite after_norm, DropoutSite before_norm, const float* x_hat,
                                               const float* rstd, const float* weight, int rows, int width, float* d,
                                               float* dh, bf16* y_bf16, float* partial, int stride, int weight_column,
                                               int bias_column, int linear_column) {
    __shared__ float scratch[THREADS / 32];
    float dweight[COLUMNS] = {}, dbias[COLUMNS] = {}, dlinear_bias[COLUMNS] = {};
    const bool has_linear = dh || y_bf16;
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        if (row >= *count) {
            for (int column = threadIdx.x; column < width; column += THREADS) {
                const long long at = static_cast<long long>(row) * width + column;
                d[at] = 0.0f;
                store(dh, y_bf16, at, 0.0f);
            }
            continue;
        }
        const unsigned long long dropout_index = dropout_row(*step, tokens, row);
        float dx[COLUMNS], x[COLUMNS];
        float sum = 0.0f, dot = 0.0f;
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const int column = c * THREADS + threadIdx.x;
            if (column >= width) continue;
            const long long at = static_cast<long long>(row) * width + column;
            const float dy = d[at] * dropout_factor(*step, after_norm, dropout_index * width + column);
            x[c] = x_hat[at];
            dweight[c] = fmaf(dy, x[c], dweight[c]);
            dbias[c] += dy;
            dx[c] = dy * weight[column];
            sum += dx[c];
            dot += dx[c] * x[c];
        }
        const float mean = block_sum(sum, scratch) / width;
        dot = block_sum(dot, scratch) / width;
        const float row_rstd = rstd[row];
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const int column = c * THREADS + threadIdx.x;
            if (column >= width) continue;
            const long long at = static_cast<long long>(row) * width + column;
            const float dz = (dx[c] - fmaf(x[c], dot, mean)) * row_rstd;
            d[at] = dz;
            if (!has_linear) continue;
            const float dropped = dz * dropout_factor(*step, before_norm, dropout_index * width + column);
            store(dh, y_bf16, at, dropped);
            dlinear_bias[c] += dropped;
        }
    }
    float* sums = partial + static_cast<long long>(blockIdx.x) * stride;
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
        const int column = c * THREADS + threadIdx.x;
        if (column >= width) continue;
        sums[weight_column + column] = dweight[c];
        sums[bias_column + column] = dbias[c];
        if (has_linear) sums[linear_column + column] = dlinear_bias[c];
    }
}
