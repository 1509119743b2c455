// All kernels in one shared library for the tests.

#include "attention.cu"
#include "attention_bf16.cu"
#include "columns.cu"
#include "head.cu"
#include "norm.cu"
#include "optimizer.cu"
#include "plain.cu"

#define ENTRY(kernel) {#kernel, host::Caller<kernel>::body}
#define BF16_ENTRIES(width)                                                                \
    ENTRY(attention_forward_bf16_##width), ENTRY(attention_backward_q_bf16_##width),       \
        ENTRY(attention_backward_kv_bf16_##width)

static const host::Entry KERNELS[] = {
    ENTRY(embeddings_forward),
    ENTRY(add_layer_norm),
    ENTRY(layer_norm),
    ENTRY(add_residual),
    ENTRY(residual_backward),
    ENTRY(layer_norm_backward),
    ENTRY(gated_activation),
    ENTRY(gated_activation_backward),
    ENTRY(rotate),
    ENTRY(add_rows),
    ENTRY(mean_pool),
    ENTRY(mean_pool_backward),
    ENTRY(bias_activation),
    ENTRY(column_sums),
    ENTRY(segment_sums),
    ENTRY(reduce_partial_sums),
    ENTRY(gather_first_rows),
    ENTRY(scatter_first_rows),
    ENTRY(embedding_rows_backward),
    ENTRY(attention_forward),
    ENTRY(attention_backward_q),
    ENTRY(attention_backward_kv),
    ENTRY(add_bias),
    ENTRY(example_dropout),
    ENTRY(pooler),
    ENTRY(pooler_backward),
    ENTRY(cross_entropy),
    ENTRY(binary_cross_entropy),
    ENTRY(gradient_square_sums),
    ENTRY(clip_grad_norm),
    ENTRY(adamw),
    ENTRY(update_average),
    ENTRY(exchange),
    ENTRY(weights_to_bf16),
    ENTRY(squared_error),
    ENTRY(dropout_mask),
    ENTRY(attention_mask),
    ENTRY(embedding_gradient),
    ENTRY(tensor_adamw),
    BF16_ENTRIES(32),
    BF16_ENTRIES(64),
    BF16_ENTRIES(96),
};

// Runs a kernel. `thread_order` is the seed of the order in which the threads of a block run, or 0 for the order of
// their numbers. Returns 0, 1 if there is no kernel of that name, or 2 if its threads deadlock.
extern "C" int launch(const char* name, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned threads,
                      unsigned thread_order, void** arguments) {
    for (const host::Entry& entry : KERNELS) {
        if (strcmp(entry.name, name)) continue;
        host::block().body = entry.body;
        host::block().arguments = arguments;
        host::block().shuffle = thread_order;
        gridDim = uint3{grid_x, grid_y, grid_z};
        blockDim = uint3{threads, 1, 1};
        for (unsigned z = 0; z < grid_z; z++)
            for (unsigned y = 0; y < grid_y; y++)
                for (unsigned x = 0; x < grid_x; x++) {
                    blockIdx = uint3{x, y, z};
                    if (!host::run_block(threads)) return 2;
                }
        return 0;
    }
    return 1;
}
