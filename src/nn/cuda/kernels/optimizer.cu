// Clipping and AdamW, over the arenas of weights, gradients and moments: first the rows of the word embedding,
// then all other tensors.

#include "common.cuh"

// Sums of squares of the gradient, one for each block: the dense part, and the word rows of this step.
extern "C" __global__ void squares(const Step* step, const float* gradients, int words, int width,
                                   const unsigned* stamps, long long total, float* sums) {
    __shared__ float scratch[THREADS / 32];
    float sum = 0.0f;
    for (int row = blockIdx.x; row < words; row += gridDim.x) {
        if (stamps[row] != step->stamp) continue;
        const float* g = gradients + static_cast<long long>(row) * width;
        for (int column = threadIdx.x; column < width; column += THREADS) sum += g[column] * g[column];
    }
    const long long dense = static_cast<long long>(words) * width;
    const long long each = static_cast<long long>(gridDim.x) * THREADS;
    for (long long i = dense + blockIdx.x * THREADS + threadIdx.x; i < total; i += each)
        sum += gradients[i] * gradients[i];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// The norm of the gradient, and what it is multiplied by so that it is at most `limit`; 0 is none. One block.
extern "C" __global__ void clip(const float* sums, int count, float limit, Report* report) {
    __shared__ double parts[THREADS];
    double sum = 0.0;
    for (int i = threadIdx.x; i < count; i += THREADS) sum += sums[i];
    parts[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x > 0) return;
    for (int i = 1; i < THREADS; i++) sum += parts[i];
    const double norm = sqrt(sum);
    report->norm = static_cast<float>(norm);
    report->scale = limit > 0.0f ? static_cast<float>(fmin(limit / (norm + 1e-6), 1.0)) : 1.0f;
}

// What AdamW needs beside the numbers of the step.
struct AdamW {
    // 1 - beta1, beta2, 1 - beta2
    float first_gain;
    float second_keep;
    float second_gain;
    float epsilon;
};

__device__ inline float moved(float weight, float g, float* first, float* second, AdamW adamw, const Step& step,
                              float decay) {
    const float m = fmaf(adamw.first_gain, g - *first, *first);
    const float v = fmaf(adamw.second_keep, *second, adamw.second_gain * g * g);
    *first = m;
    *second = v;
    return decay * weight - step.rate * (m / (sqrtf(v) / step.root + adamw.epsilon));
}

// Numbers of the dense part that a block moves.
constexpr int CHUNK = 4 * THREADS;

// m ← m + (1 - beta1)(g - m), v ← beta2 v + (1 - beta2) g², w ← decay w - rate m / (√v / root + epsilon).
// Blocks: one for each row of the word embedding, one for each CHUNK of the rest. A row that never had a
// gradient has no moments and only decays. Weights from `copied` on, up to `copied_end`, are also written as
// operands; those from `plain` on do not decay.
extern "C" __global__ void adamw(const Step* step, const Report* report, AdamW adamw, int words, int width,
                                 const unsigned* stamps, unsigned* seen, long long copied, long long copied_end,
                                 long long plain, long long total, const float* gradients, float* weights, float* first,
                                 float* second, bf16* operands) {
    const float scale = report->scale;
    if (blockIdx.x < words) {
        const int row = blockIdx.x;
        const bool is_touched = stamps[row] == step->stamp, is_seen = is_touched || seen[row];
        __syncthreads();
        if (threadIdx.x == 0 && is_touched) seen[row] = 1;
        if (!is_seen && step->decay == 1.0f) return;
        for (int column = threadIdx.x; column < width; column += THREADS) {
            const long long i = static_cast<long long>(row) * width + column;
            const float g = is_touched ? gradients[i] * scale : 0.0f;
            weights[i] = is_seen ? moved(weights[i], g, first + i, second + i, adamw, *step, step->decay)
                                 : step->decay * weights[i];
        }
        return;
    }
    const long long from = static_cast<long long>(words) * width + static_cast<long long>(blockIdx.x - words) * CHUNK;
#pragma unroll
    for (int part = 0; part < CHUNK / THREADS; part++) {
        const long long i = from + part * THREADS + threadIdx.x;
        if (i >= total) return;
        const float decay = i < plain ? step->decay : 1.0f;
        weights[i] = moved(weights[i], gradients[i] * scale, first + i, second + i, adamw, *step, decay);
        if (operands && i >= copied && i < copied_end) operands[i - copied] = narrow(weights[i]);
    }
}

// Weights as operands, when they were not moved but put there.
extern "C" __global__ void round_weights(const float* weights, long long count, bf16* operands) {
    const long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < count) operands[i] = narrow(weights[i]);
}
