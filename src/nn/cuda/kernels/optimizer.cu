// Gradient clipping and AdamW over the arenas of weights, gradients and moments. These begin with the embeddings of words
// and positions, (rows, width), whose gradient is sparse; all other parameters are dense.

#include "common.cuh"

// sums[block] = a part of the sum of squares of the gradient: of all dense parameters, and of the embeddings' rows
// with a gradient in this step.
extern "C" __global__ void gradient_square_sums(const StepParams* step, const float* gradients, int rows, int width,
                                                const unsigned* stamps, long long total, float* sums) {
    __shared__ float scratch[THREADS / 32];
    float sum = 0.0f;
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        if (stamps[row] != step->stamp) continue;
        const float* g = gradients + static_cast<long long>(row) * width;
        for (int column = threadIdx.x; column < width; column += THREADS) sum += g[column] * g[column];
    }
    const long long dense = static_cast<long long>(rows) * width;
    const long long grid_size = static_cast<long long>(gridDim.x) * THREADS;
    for (long long i = dense + blockIdx.x * THREADS + threadIdx.x; i < total; i += grid_size)
        sum += gradients[i] * gradients[i];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// The norm of the gradient, and the factor that limits it to max_grad_norm, where 0 means no limit. One block.
extern "C" __global__ void clip_grad_norm(const float* sums, int count, float max_grad_norm, Report* report) {
    __shared__ double parts[THREADS];
    double sum = 0.0;
    for (int i = threadIdx.x; i < count; i += THREADS) sum += sums[i];
    parts[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x > 0) return;
    for (int i = 1; i < THREADS; i++) sum += parts[i];
    const double norm = sqrt(sum);
    report->norm = static_cast<float>(norm);
    report->scale = max_grad_norm > 0.0f ? static_cast<float>(fmin(max_grad_norm / (norm + 1e-6), 1.0)) : 1.0f;
}

// Hyperparameters of AdamW that are the same in all steps.
struct AdamW {
    float one_minus_beta1;
    float beta2;
    float one_minus_beta2;
    float epsilon;
};

// Updates the moments and returns the new weight.
__device__ inline float adamw_update(float weight, float g, float* first_moments, float* second_moments, AdamW adamw,
                                     const StepParams& step, float decay) {
    const float m = fmaf(adamw.one_minus_beta1, g - *first_moments, *first_moments);
    const float v = fmaf(adamw.beta2, *second_moments, adamw.one_minus_beta2 * g * g);
    *first_moments = m;
    *second_moments = v;
    return decay * weight - step.step_size * (m / (sqrtf(v) / step.bias_correction2_sqrt + adamw.epsilon));
}

// Dense parameters that a block updates.
constexpr int CHUNK = 4 * THREADS;

// AdamW, with decay, step_size and bias_correction2_sqrt from StepParams:
//     m ← m + (1 - beta1)(g - m)
//     v ← beta2 v + (1 - beta2) g²
//     w ← decay w - step_size m / (√v / bias_correction2_sqrt + epsilon)
// Grid: one block per row of the embeddings, then one per CHUNK dense parameters. A row that never had a gradient has
// zero moments and only decays. Weights in bf16_start..bf16_end are also written to
// bf16_weights; those from no_decay on do not decay.
extern "C" __global__ void adamw(const StepParams* step, const Report* report, AdamW adamw, int rows, int width,
                                 const unsigned* stamps, unsigned* has_moments, long long bf16_start,
                                 long long bf16_end, long long no_decay, long long total, const float* gradients,
                                 float* weights, float* first_moments, float* second_moments, bf16* bf16_weights) {
    const float scale = report->scale;
    if (blockIdx.x < rows) {
        const int row = blockIdx.x;
        const bool has_gradient = stamps[row] == step->stamp, row_has_moments = has_gradient || has_moments[row];
        __syncthreads();
        if (threadIdx.x == 0 && has_gradient) has_moments[row] = 1;
        if (!row_has_moments && step->decay == 1.0f) return;
        for (int column = threadIdx.x; column < width; column += THREADS) {
            const long long i = static_cast<long long>(row) * width + column;
            const float g = has_gradient ? gradients[i] * scale : 0.0f;
            weights[i] = row_has_moments ? adamw_update(weights[i], g, first_moments + i, second_moments + i, adamw,
                                                        *step, step->decay)
                                         : step->decay * weights[i];
        }
        return;
    }
    const long long from = static_cast<long long>(rows) * width + static_cast<long long>(blockIdx.x - rows) * CHUNK;
#pragma unroll
    for (int chunk = 0; chunk < CHUNK / THREADS; chunk++) {
        const long long i = from + chunk * THREADS + threadIdx.x;
        if (i >= total) return;
        const float decay = i < no_decay ? step->decay : 1.0f;
        weights[i] =
            adamw_update(weights[i], gradients[i] * scale, first_moments + i, second_moments + i, adamw, *step, decay);
        if (bf16_weights && i >= bf16_start && i < bf16_end) bf16_weights[i - bf16_start] = to_bf16(weights[i]);
    }
}

// The exponential moving average of the weights: average ← average + one_minus_decay (weights - average).
extern "C" __global__ void update_average(const float* weights, long long count, float one_minus_decay,
                                          float* average) {
    const long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < count) average[i] = fmaf(one_minus_decay, weights[i] - average[i], average[i]);
}

// Exchanges a and b.
extern "C" __global__ void exchange(float* a, float* b, long long count) {
    const long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x;
    if (i >= count) return;
    const float value = a[i];
    a[i] = b[i];
    b[i] = value;
}

// bf16_weights = weights, rounded.
extern "C" __global__ void weights_to_bf16(const float* weights, long long count, bf16* bf16_weights) {
    const long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < count) bf16_weights[i] = to_bf16(weights[i]);
}
