// Passes over columns: bias and nonlinearity, sums over rows, and copies of rows. Where there are sums, a
// block takes THREADS columns of every gridDim.x-th row and writes to its row of `partial`; `finish` adds
// these in order, so that the same step gives the same bits.

#include "common.cuh"

enum Activation { GELU = 0, GELU_TANH = 1, RELU = 2 };

// f(x) and its derivative.
__device__ inline float activation(int kind, float x, float* slope) {
    if (kind == RELU) {
        *slope = x > 0.0f ? 1.0f : 0.0f;
        return x > 0.0f ? x : 0.0f;
    }
    if (kind == GELU_TANH) {
        const float square = x * x;
        const float t = tanhf(0.7978846f * x * fmaf(0.044715f, square, 1.0f));
        const float inner = 0.7978846f * fmaf(3.0f * 0.044715f, square, 1.0f);
        *slope = fmaf(0.5f * x * (1.0f - t * t), inner, 0.5f * (1.0f + t));
        return 0.5f * x * (1.0f + t);
    }
    const float phi = 0.5f * (1.0f + erff(x * 0.70710678f));
    *slope = fmaf(x * 0.3989423f, expf(-0.5f * x * x), phi);
    return x * phi;
}

// out = f(x + bias); x becomes the derivative there. Both are (rows, width); blocks (rows, width / THREADS).
extern "C" __global__ void activate(const unsigned* count, int kind, const float* bias, int width, float* x,
                                    float* out, bf16* operand) {
    const int row = blockIdx.x, column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    const long long at = static_cast<long long>(row) * width + column;
    float value = 0.0f, slope = 0.0f;
    if (row < *count) value = activation(kind, x[at] + bias[column], &slope);
    x[at] = slope;
    put(out, operand, at, value);
}

// x (rows, width), times `slopes` where there are some, in place and as an operand; and its column sums.
extern "C" __global__ void columns(const unsigned* count, const float* slopes, int rows, int width, float* x,
                                   bf16* operand, float* partial, int stride, int first) {
    const int column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    float sum = 0.0f;
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        const long long at = static_cast<long long>(row) * width + column;
        float value = row < *count ? x[at] : 0.0f;
        if (slopes) value *= slopes[at];
        put(x, operand, at, value);
        sum += value;
    }
    partial[static_cast<long long>(blockIdx.x) * stride + first + column] = sum;
}

// Column sums over the tokens of segment blockIdx.z.
extern "C" __global__ void segment_columns(const Step* step, const unsigned* types, const float* d, int width,
                                           float* partial, int stride, int first) {
    const int column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    float sum = 0.0f;
    for (int row = blockIdx.x; row < step->tokens; row += gridDim.x)
        if (types[row] == blockIdx.z) sum += d[static_cast<long long>(row) * width + column];
    partial[static_cast<long long>(blockIdx.x) * stride + first + blockIdx.z * width + column] = sum;
}

// gradient (width) = sums of the columns of partial (parts, stride), or added to what is there. A block takes
// 32 columns, a warp every eighth part.
extern "C" __global__ void finish(const float* partial, int parts, int stride, int first, int width, int is_added,
                                  float* gradient) {
    __shared__ float sums[THREADS / 32][32];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = blockIdx.x * 32 + lane;
    float sum = 0.0f;
    if (column < width)
        for (int part = warp; part < parts; part += THREADS / 32)
            sum += partial[static_cast<long long>(part) * stride + first + column];
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || column >= width) return;
    sum = is_added ? gradient[column] : 0.0f;
    for (int part = 0; part < THREADS / 32; part++) sum += sums[part][lane];
    gradient[column] = sum;
}

// picked (examples, H) = the rows of each example's first token; a block for each.
extern "C" __global__ void pick(const Step* step, const unsigned* offsets, const float* x, int width, float* picked,
                                bf16* operand) {
    const int row = blockIdx.x;
    const bool is_real = row < step->examples;
    const long long from = is_real ? static_cast<long long>(offsets[row]) * width : 0;
    for (int column = threadIdx.x; column < width; column += THREADS)
        put(picked, operand, static_cast<long long>(row) * width + column, is_real ? x[from + column] : 0.0f);
}

// The way back: dx (T, H) = the gradient of each first token's row, zeros elsewhere; a block for each token.
extern "C" __global__ void unpick(const Step* step, const unsigned* positions, const unsigned* owners, const float* d,
                                  int width, float* dx) {
    const int row = blockIdx.x;
    const bool is_first = row < step->tokens && positions[row] == 0;
    const long long from = is_first ? static_cast<long long>(owners[row]) * width : 0;
    for (int column = threadIdx.x; column < width; column += THREADS)
        dx[static_cast<long long>(row) * width + column] = is_first ? d[from + column] : 0.0f;
}

// The gradient of each word that is there: the sum over its tokens in their order. A block for each word;
// `order` has the tokens by word, those of word w from starts[w] on. A row of this step is added to.
extern "C" __global__ void scatter_words(const Step* step, const unsigned* words, const unsigned* starts,
                                         const unsigned* order, const float* d, int width, unsigned* stamps,
                                         float* gradient) {
    const int word = blockIdx.x;
    if (word >= step->words) return;
    const unsigned id = words[word];
    const bool is_added = stamps[id] == step->stamp;
    __syncthreads();
    for (int column = threadIdx.x; column < width; column += THREADS) {
        float* to = gradient + static_cast<long long>(id) * width + column;
        float sum = is_added ? *to : 0.0f;
        for (unsigned i = starts[word]; i < starts[word + 1]; i++)
            sum += d[static_cast<long long>(order[i]) * width + column];
        *to = sum;
    }
    if (threadIdx.x == 0) stamps[id] = step->stamp;
}

// The gradient of each position: the sum over the examples that reach it. A block for each position.
extern "C" __global__ void scatter_positions(const Step* step, const unsigned* offsets, const float* d, int width,
                                             int is_added, float* gradient) {
    const unsigned position = blockIdx.x;
    for (int column = threadIdx.x; column < width; column += THREADS) {
        float* to = gradient + static_cast<long long>(position) * width + column;
        float sum = is_added ? *to : 0.0f;
        for (unsigned example = 0; example < step->examples; example++) {
            const unsigned token = offsets[example] + position;
            if (token < offsets[example + 1]) sum += d[static_cast<long long>(token) * width + column];
        }
        *to = sum;
    }
}
