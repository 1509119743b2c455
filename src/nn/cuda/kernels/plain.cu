// Operations of the plain engine for which candle has no kernel, or a slow one.

#include "attention.cuh"

// The step of dropout masks: Philox key and number of the step.
struct DropoutStep {
    unsigned key[2];
    unsigned step;
};

__device__ inline StepParams step_params(DropoutStep dropout_step, unsigned first_token) {
    StepParams step{};
    step.dropout_key[0] = dropout_step.key[0];
    step.dropout_key[1] = dropout_step.key[1];
    step.step = dropout_step.step;
    step.first_token = first_token;
    return step;
}

// mask (count): the dropout factors of the hidden-state numbers from `first` on.
extern "C" __global__ void dropout_mask(DropoutStep dropout_step, DropoutSite dropout, unsigned long long first,
                                        long long count, float* mask) {
    const long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < count) mask[i] = dropout_factor(step_params(dropout_step, 0), dropout, first + i);
}

// mask (examples, heads, longest, longest): the dropout factors of attention, zero in the padding. A thread draws those
// of eight keys.
extern "C" __global__ void attention_mask(DropoutStep dropout_step, DropoutSite dropout, Heads heads,
                                          unsigned first_token, const unsigned* offsets, int longest, long long count,
                                          float* mask) {
    const long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x;
    if (i >= count) return;
    const int blocks = (longest + 7) / 8, n = static_cast<int>(i % blocks);
    const long long row = i / blocks;
    const int query = static_cast<int>(row % longest), head = static_cast<int>(row / longest % heads.count);
    const unsigned example = static_cast<unsigned>(row / longest / heads.count);
    const int length = static_cast<int>(offsets[example + 1] - offsets[example]);
    unsigned bits = 0;
    if (query < length)
        bits = keep_bits(step_params(dropout_step, first_token), dropout, heads, offsets[example] + query, head, n);
    for (int key = 8 * n; key < 8 * n + 8 && key < longest; key++)
        mask[row * longest + key] = key < length && bits >> (key - 8 * n) & 1 ? dropout.scale : 0.0f;
}

// The rows of an embedding's gradient that occur in the input, each the sum of `d` (tokens, width) over the tokens of
// it. `rows` are distinct; the tokens of row i are tokens_by_row[starts[i] .. starts[i + 1]]. Grid: (rows, columns).
extern "C" __global__ void embedding_gradient(const unsigned* rows, const unsigned* starts,
                                              const unsigned* tokens_by_row, const float* d, int width,
                                              float* gradient) {
    const int column = blockIdx.y * THREADS + threadIdx.x;
    if (column >= width) return;
    float sum = 0.0f;
    for (unsigned i = starts[blockIdx.x]; i < starts[blockIdx.x + 1]; i++)
        sum += d[static_cast<long long>(tokens_by_row[i]) * width + column];
    gradient[static_cast<long long>(rows[blockIdx.x]) * width + column] = sum;
}

// The values of an AdamW update of one tensor.
struct TensorUpdate {
    float one_minus_beta1;
    float beta2;
    float one_minus_beta2;
    float epsilon;
    // 1 - learning rate * weight decay, or 1.
    float decay;
    // learning rate / (1 - beta1^n)
    float step_size;
    // sqrt(1 - beta2^n)
    float bias_correction2_sqrt;
};

// AdamW of one tensor, as in optimizer.cu. The gradient is multiplied by *scale, unless that is null.
extern "C" __global__ void tensor_adamw(TensorUpdate update, const float* scale, long long count,
                                        const float* gradient, float* weights, float* first_moments,
                                        float* second_moments) {
    const long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x;
    if (i >= count) return;
    const float g = scale ? gradient[i] * *scale : gradient[i];
    const float m = first_moments[i] + update.one_minus_beta1 * (g - first_moments[i]);
    const float v = update.beta2 * second_moments[i] + update.one_minus_beta2 * g * g;
    first_moments[i] = m;
    second_moments[i] = v;
    weights[i] = update.decay * weights[i] -
                 update.step_size * (m / (sqrtf(v) / update.bias_correction2_sqrt + update.epsilon));
}
