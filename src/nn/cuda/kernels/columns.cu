// Bias and activation function, column sums, gradients of the embeddings, gather and scatter of rows.
//
// For column sums, a block sums THREADS columns of every gridDim.x-th row and writes its row of `partial`.
// reduce_partial_sums adds these rows in a fixed order, so that results are deterministic.

#include "activation.cuh"

// out = f(x + bias); x becomes f'(x + bias). All are (rows, width). Grid (rows, width / THREADS).
extern "C" __global__ void bias_activation(const unsigned* count, int function, const float* bias, int width, float* x,
                                           float* out, bf16* out_bf16) {
    const int row = blockIdx.x, column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    const long long at = static_cast<long long>(row) * width + column;
    float value = 0.0f, derivative = 0.0f;
    if (row < *count) value = activation(function, x[at] + bias[column], &derivative);
    x[at] = derivative;
    store(out, out_bf16, at, value);
}

// out (rows, width) = dropout(f(a) ⊙ g) for the halves a and g of x + bias, (rows, 2 width); x becomes the derivatives of
// out with respect to both. Grid (rows, width / THREADS).
extern "C" __global__ void gated_activation(const StepParams* step, const unsigned* count, const unsigned* tokens,
                                            int function, const float* bias, DropoutSite dropout, int width, float* x,
                                            float* out, bf16* out_bf16) {
    const int row = blockIdx.x, column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    const long long at = static_cast<long long>(row) * width + column, first = at + static_cast<long long>(row) * width;
    float value = 0.0f, derivative = 0.0f, gate = 0.0f, factor = 0.0f;
    if (row < *count) {
        value = activation(function, x[first] + bias[column], &derivative);
        gate = x[first + width] + bias[width + column];
        factor = dropout_factor(*step, dropout, dropout_row(*step, tokens, row) * width + column);
    }
    x[first] = derivative * gate * factor;
    x[first + width] = value * factor;
    store(out, out_bf16, at, value * gate * factor);
}

// The gradient of gated_activation: dx (rows, 2 width) from d (rows, width) and the derivatives. Grid (rows, width /
// THREADS).
extern "C" __global__ void gated_activation_backward(const float* derivatives, int width, const float* d, float* dx) {
    const int row = blockIdx.x, column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    const long long at = static_cast<long long>(row) * width + column, first = at + static_cast<long long>(row) * width;
    dx[first] = d[at] * derivatives[first];
    dx[first + width] = d[at] * derivatives[first + width];
}

// Rotates the first `rotated` of the columns of x (rows, width), the heads of queries and keys: the halves of a head
// against each other, by the angles of the row's position. `cosines` and `sines` are (positions, size / 2). With a
// `direction` of -1 it is the inverse, and so the gradient. `bias` (width), unless null, is added first. One block per row.
extern "C" __global__ void rotate(const unsigned* count, const unsigned* positions, const float* cosines,
                                  const float* sines, const float* bias, int size, int rotated, int width,
                                  float direction, float* x) {
    const int row = blockIdx.x, half = size / 2;
    if (row >= *count) return;
    float* columns = x + static_cast<long long>(row) * width;
    const long long angles = static_cast<long long>(positions[row]) * half;
    for (int i = threadIdx.x; i < rotated / 2; i += THREADS) {
        const int angle = i % half, column = i / half * size + angle;
        float a = columns[column], b = columns[column + half];
        if (bias) a += bias[column], b += bias[column + half];
        const float cosine = cosines[angles + angle], sine = direction * sines[angles + angle];
        columns[column] = a * cosine - b * sine;
        columns[column + half] = fmaf(b, cosine, a * sine);
    }
    if (!bias) return;
    for (int column = rotated + threadIdx.x; column < width; column += THREADS) columns[column] += bias[column];
}

// x (rows, width) is multiplied in place by act_grad, unless null, and copied to out_bf16; its column sums go to
// `partial`. Grid (partial rows, width / THREADS).
extern "C" __global__ void column_sums(const unsigned* count, const float* act_grad, int rows, int width, float* x,
                                       bf16* out_bf16, float* partial, int stride, int first) {
    const int column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    float sum = 0.0f;
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        const long long at = static_cast<long long>(row) * width + column;
        float value = row < *count ? x[at] : 0.0f;
        if (act_grad) value *= act_grad[at];
        store(x, out_bf16, at, value);
        sum += value;
    }
    partial[static_cast<long long>(blockIdx.x) * stride + first + column] = sum;
}

// x (rows, width) += bias, and zeros from *count on; x is copied to out_bf16. Grid (rows, width / THREADS).
extern "C" __global__ void add_bias(const unsigned* count, const float* bias, int width, float* x, bf16* out_bf16) {
    const int row = blockIdx.x, column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    const long long at = static_cast<long long>(row) * width + column;
    store(x, out_bf16, at, row < *count ? x[at] + bias[column] : 0.0f);
}

// Column sums over the tokens of segment blockIdx.z. Grid (partial rows, width / THREADS, segments).
extern "C" __global__ void segment_sums(const StepParams* step, const unsigned* types, const float* d, int width,
                                        float* partial, int stride, int first) {
    const int column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    float sum = 0.0f;
    for (int row = blockIdx.x; row < step->tokens; row += gridDim.x)
        if (types[row] == blockIdx.z) sum += d[static_cast<long long>(row) * width + column];
    partial[static_cast<long long>(blockIdx.x) * stride + first + blockIdx.z * width + column] = sum;
}

// gradient (width) = the column sums of partial (parts, stride) from column `first` on; += if `accumulate` is set. A
// block sums 32 columns, each of its warps every eighth row.
extern "C" __global__ void reduce_partial_sums(const float* partial, int parts, int stride, int first, int width,
                                               int accumulate, float* gradient) {
    __shared__ float sums[THREADS / 32][32];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = blockIdx.x * 32 + lane;
    float sum = 0.0f;
    if (column < width)
        for (int part = warp; part < parts; part += THREADS / 32)
            sum += partial[static_cast<long long>(part) * stride + first + column];
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || column >= width) return;
    sum = accumulate ? gradient[column] : 0.0f;
    for (int part = 0; part < THREADS / 32; part++) sum += sums[part][lane];
    gradient[column] = sum;
}

// out (E, H) = the rows of each example's first token. One block per example.
extern "C" __global__ void gather_first_rows(const StepParams* step, const unsigned* offsets, const float* x, int width,
                                             float* out, bf16* out_bf16) {
    const int row = blockIdx.x;
    const bool is_valid = row < step->examples;
    const long long from = is_valid ? static_cast<long long>(offsets[row]) * width : 0;
    for (int column = threadIdx.x; column < width; column += THREADS)
        store(out, out_bf16, static_cast<long long>(row) * width + column, is_valid ? x[from + column] : 0.0f);
}

// The rows of sum (T, H) of each row's token += x (rows, H). `tokens` is null if row i is token i. One block per row.
extern "C" __global__ void add_rows(const unsigned* count, const unsigned* tokens, const float* x, int width,
                                    float* sum) {
    const int row = blockIdx.x;
    if (row >= *count) return;
    const long long to = static_cast<long long>(tokens ? tokens[row] : row) * width;
    for (int column = threadIdx.x; column < width; column += THREADS)
        sum[to + column] += x[static_cast<long long>(row) * width + column];
}

// The gradient of gather_first_rows: dx (T, H) has the rows of d (E, H) at first tokens, and zeros elsewhere. One
// block per token.
extern "C" __global__ void scatter_first_rows(const StepParams* step, const unsigned* offsets,
                                              const unsigned* example_ids, const float* d, int width, float* dx) {
    const int row = blockIdx.x;
    const bool is_first = row < step->tokens && offsets[example_ids[row]] == row;
    const long long from = is_first ? static_cast<long long>(example_ids[row]) * width : 0;
    for (int column = threadIdx.x; column < width; column += THREADS)
        dx[static_cast<long long>(row) * width + column] = is_first ? d[from + column] : 0.0f;
}

// The rows of the gradient of words and positions that the input uses: sums over the tokens of a row in their order. One
// block per row; the tokens of row i are tokens_by_row[row_starts[i]] and following. A row that this step has already
// written, according to `stamps`, is added to.
extern "C" __global__ void embedding_rows_backward(const StepParams* step, const unsigned* rows,
                                                   const unsigned* row_starts, const unsigned* tokens_by_row,
                                                   const float* d, int width, unsigned* stamps, float* gradient) {
    const int index = blockIdx.x;
    if (index >= step->embedding_rows) return;
    const unsigned row = rows[index];
    const bool accumulate = stamps[row] == step->stamp;
    __syncthreads();
    for (int column = threadIdx.x; column < width; column += THREADS) {
        float* to = gradient + static_cast<long long>(row) * width + column;
        float sum = accumulate ? *to : 0.0f;
        for (unsigned i = row_starts[index]; i < row_starts[index + 1]; i++)
            sum += d[static_cast<long long>(tokens_by_row[i]) * width + column];
        *to = sum;
    }
    if (threadIdx.x == 0) stamps[row] = step->stamp;
}
