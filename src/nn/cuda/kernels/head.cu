// Pooler, classifier and loss, of the few rows that a batch has examples.

#include "common.cuh"

// x (rows, width) += bias; a block for each row.
extern "C" __global__ void add_bias(const float* bias, int width, float* x) {
    for (int column = threadIdx.x; column < width; column += THREADS)
        x[static_cast<long long>(blockIdx.x) * width + column] += bias[column];
}

// pooled (examples, H) = tanh(pooled + bias), or ReLU; dropped is that after dropout. A block for each row.
extern "C" __global__ void pool(const Step* step, int is_tanh, const float* bias, Site site, int width, float* pooled,
                                float* dropped) {
    const int row = blockIdx.x;
    for (int column = threadIdx.x; column < width; column += THREADS) {
        const long long at = static_cast<long long>(row) * width + column;
        const unsigned long long number = static_cast<unsigned long long>(step->first_example + row) * width + column;
        const float x = pooled[at] + bias[column];
        const float value = row >= step->examples ? 0.0f : is_tanh ? tanhf(x) : fmaxf(x, 0.0f);
        pooled[at] = value;
        dropped[at] = value * state_factor(*step, site, number);
    }
}

// The way back through it, in place: d (examples, H), of dropped, becomes that of the pooler's product.
extern "C" __global__ void pool_backward(const Step* step, int is_tanh, Site site, const float* pooled, int width,
                                         float* d) {
    const int row = blockIdx.x;
    for (int column = threadIdx.x; column < width; column += THREADS) {
        const long long at = static_cast<long long>(row) * width + column;
        const unsigned long long number = static_cast<unsigned long long>(step->first_example + row) * width + column;
        const float y = pooled[at];
        const float slope = is_tanh ? 1.0f - y * y : y > 0.0f ? 1.0f : 0.0f;
        d[at] = row < step->examples ? d[at] * state_factor(*step, site, number) * slope : 0.0f;
    }
}

// Adds the cross-entropy of logits (examples, classes) to the report; d becomes their gradient. One block.
extern "C" __global__ void cross_entropy(const Step* step, const unsigned* labels, float smoothing, const float* logits,
                                         int rows, int classes, float* d, Report* report) {
    __shared__ float scratch[THREADS / 32];
    float loss = 0.0f;
    for (int row = threadIdx.x; row < rows; row += THREADS) {
        const float* x = logits + static_cast<long long>(row) * classes;
        float* dx = d + static_cast<long long>(row) * classes;
        const bool is_real = row < step->examples;
        float largest = x[0], sum = 0.0f;
        for (int class_ = 1; class_ < classes; class_++) largest = fmaxf(largest, x[class_]);
        for (int class_ = 0; class_ < classes; class_++) sum += expf(x[class_] - largest);
        for (int class_ = 0; class_ < classes; class_++) {
            const float log = x[class_] - largest - logf(sum);
            const float wanted = (is_real && labels[row] == class_ ? 1.0f - smoothing : 0.0f) + smoothing / classes;
            if (is_real) loss -= wanted * log * step->share;
            dx[class_] = is_real ? (expf(log) - wanted) * step->share : 0.0f;
        }
    }
    loss = block_sum(loss, scratch);
    if (threadIdx.x == 0) report->loss += loss;
}

// Adds the squared errors of logits (examples) to the report; d becomes their gradient. The labels are numbers. One block.
extern "C" __global__ void squared_error(const Step* step, const float* labels, const float* logits, int rows, float* d,
                                         Report* report) {
    __shared__ float scratch[THREADS / 32];
    float loss = 0.0f;
    for (int row = threadIdx.x; row < rows; row += THREADS) {
        const float error = row < step->examples ? logits[row] - labels[row] : 0.0f;
        loss += error * error * step->share;
        d[row] = 2.0f * error * step->share;
    }
    loss = block_sum(loss, scratch);
    if (threadIdx.x == 0) report->loss += loss;
}
