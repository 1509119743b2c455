// Pooler, classifier and loss, with one row per example.

#include "activation.cuh"

// The dropout factor of a column of an example, of which there may be more in earlier micro-batches.
__device__ inline float example_factor(const StepParams& step, DropoutSite dropout, int row, int width, int column) {
    return dropout_factor(step, dropout, static_cast<unsigned long long>(step.first_example + row) * width + column);
}

// y (E, H) = dropout(x), or the gradient of x for that of y. `y` may be `x`. One block per row.
extern "C" __global__ void example_dropout(const StepParams* step, DropoutSite dropout, int width, const float* x,
                                           float* y) {
    const int row = blockIdx.x;
    for (int column = threadIdx.x; column < width; column += THREADS) {
        const long long at = static_cast<long long>(row) * width + column;
        y[at] = row < step->examples ? x[at] * example_factor(*step, dropout, row, width, column) : 0.0f;
    }
}

// pooled (E, H) = the mean of x (T, H) over the tokens of each example. One block per example.
extern "C" __global__ void mean_pool(const StepParams* step, const unsigned* offsets, const float* x, int width,
                                     float* pooled) {
    const int example = blockIdx.x;
    const bool is_valid = example < step->examples;
    const unsigned first = is_valid ? offsets[example] : 0, end = is_valid ? offsets[example + 1] : 1;
    const float share = 1.0f / (end - first);
    for (int column = threadIdx.x; column < width; column += THREADS) {
        float sum = 0.0f;
        for (unsigned token = first; token < end; token++) sum += x[static_cast<long long>(token) * width + column];
        pooled[static_cast<long long>(example) * width + column] = is_valid ? sum * share : 0.0f;
    }
}

// The gradient of mean_pool: dx (T, H) from d (E, H). One block per token.
extern "C" __global__ void mean_pool_backward(const StepParams* step, const unsigned* offsets,
                                              const unsigned* example_ids, const float* d, int width, float* dx) {
    const int token = blockIdx.x;
    const bool is_valid = token < step->tokens;
    const unsigned example = is_valid ? example_ids[token] : 0;
    const float share = 1.0f / (offsets[example + 1] - offsets[example]);
    for (int column = threadIdx.x; column < width; column += THREADS)
        dx[static_cast<long long>(token) * width + column] =
            is_valid ? d[static_cast<long long>(example) * width + column] * share : 0.0f;
}

// out (E, H) = dropout(f(pooled + bias)); pooled (E, H) becomes f'(pooled + bias). One block per row.
extern "C" __global__ void pooler(const StepParams* step, int function, const float* bias, DropoutSite dropout,
                                  int width, float* pooled, float* out) {
    const int row = blockIdx.x;
    for (int column = threadIdx.x; column < width; column += THREADS) {
        const long long at = static_cast<long long>(row) * width + column;
        float value = 0.0f, derivative = 0.0f;
        if (row < step->examples) value = activation(function, pooled[at] + bias[column], &derivative);
        pooled[at] = derivative;
        out[at] = value * example_factor(*step, dropout, row, width, column);
    }
}

// The gradient of pooler, in place: d (E, H), of its output, becomes that of its input. One block per row.
extern "C" __global__ void pooler_backward(const StepParams* step, DropoutSite dropout, const float* derivative,
                                           int width, float* d) {
    const int row = blockIdx.x;
    for (int column = threadIdx.x; column < width; column += THREADS) {
        const long long at = static_cast<long long>(row) * width + column;
        const float factor = example_factor(*step, dropout, row, width, column);
        d[at] = row < step->examples ? d[at] * factor * derivative[at] : 0.0f;
    }
}

// Adds the mean cross-entropy of logits (E, classes) with label smoothing to the report; d (E, classes) becomes the
// gradient of the logits. weights (classes) is null if all are 1. One block.
extern "C" __global__ void cross_entropy(const StepParams* step, const unsigned* labels, float label_smoothing,
                                         const float* weights, const float* logits, int rows, int classes, float* d,
                                         Report* report) {
    __shared__ float scratch[THREADS / 32];
    float loss = 0.0f;
    for (int row = threadIdx.x; row < rows; row += THREADS) {
        const float* x = logits + static_cast<long long>(row) * classes;
        float* dx = d + static_cast<long long>(row) * classes;
        const bool is_valid = row < step->examples;
        float max = x[0], sum = 0.0f, total = 0.0f;
        for (int class_ = 1; class_ < classes; class_++) max = fmaxf(max, x[class_]);
        for (int class_ = 0; class_ < classes; class_++) sum += expf(x[class_] - max);
        // The sum of the weighted targets; without weights it is 1.
        for (int class_ = 0; weights != nullptr && class_ < classes; class_++)
            total += weights[class_] * ((is_valid && labels[row] == class_ ? 1.0f - label_smoothing : 0.0f) +
                                        label_smoothing / classes);
        for (int class_ = 0; class_ < classes; class_++) {
            const float log_prob = x[class_] - max - logf(sum);
            float target =
                (is_valid && labels[row] == class_ ? 1.0f - label_smoothing : 0.0f) + label_smoothing / classes;
            float softmax = expf(log_prob);
            if (weights != nullptr) {
                target *= weights[class_];
                softmax *= total;
            }
            if (is_valid) loss -= target * log_prob * step->loss_scale;
            dx[class_] = is_valid ? (softmax - target) * step->loss_scale : 0.0f;
        }
    }
    loss = block_sum(loss, scratch);
    if (threadIdx.x == 0) report->loss += loss;
}

// Adds the mean binary cross-entropy of logits (E, outputs) to the report; d (E, outputs) becomes the gradient of the
// logits. labels (E, label_words) has a bit for each output. weights (outputs), the factors of the outputs that apply,
// is null if all are 1. One block.
extern "C" __global__ void binary_cross_entropy(const StepParams* step, const unsigned* labels, int label_words,
                                                const float* weights, const float* logits, int rows, int outputs,
                                                float* d, Report* report) {
    __shared__ float scratch[THREADS / 32];
    float loss = 0.0f;
    for (int row = threadIdx.x; row < rows; row += THREADS) {
        const bool is_valid = row < step->examples;
        for (int output = 0; output < outputs; output++) {
            const long long at = static_cast<long long>(row) * outputs + output;
            const unsigned word = labels[static_cast<long long>(row) * label_words + output / 32];
            const bool applies = (word >> output % 32 & 1) != 0;
            const float weight = (applies && weights != nullptr ? weights[output] : 1.0f) * step->loss_scale;
            const float sign = applies ? -1.0f : 1.0f;
            // -log sigmoid(-x) = max(x, 0) + log(1 + exp(-|x|)), with derivative sigmoid(x).
            const float x = sign * logits[at];
            const float e = expf(-fabsf(x));
            const float sigmoid = (x >= 0.0f ? 1.0f : e) / (1.0f + e);
            if (is_valid) loss += (fmaxf(x, 0.0f) + log1pf(e)) * weight;
            d[at] = is_valid ? sign * sigmoid * weight : 0.0f;
        }
    }
    loss = block_sum(loss, scratch);
    if (threadIdx.x == 0) report->loss += loss;
}

// Adds the mean squared error of logits (E) to the report; d (E) becomes the gradient of the logits. One block.
extern "C" __global__ void squared_error(const StepParams* step, const float* labels, const float* logits, int rows,
                                         float* d, Report* report) {
    __shared__ float scratch[THREADS / 32];
    float loss = 0.0f;
    for (int row = threadIdx.x; row < rows; row += THREADS) {
        const float error = row < step->examples ? logits[row] - labels[row] : 0.0f;
        loss += error * error * step->loss_scale;
        d[row] = 2.0f * error * step->loss_scale;
    }
    loss = block_sum(loss, scratch);
    if (threadIdx.x == 0) report->loss += loss;
}
