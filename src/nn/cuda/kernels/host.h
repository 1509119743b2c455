// Emulates the CUDA extensions of C++ for an ordinary compiler, so that tests run the kernels without a GPU.
//
// Blocks run one after the other. Each thread of a block is a coroutine with its own stack, which yields where it
// waits for other threads. A barrier that only some threads reach is detected as a deadlock.
#pragma once

#include <math.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <deque>
#include <random>
#include <utility>
#include <vector>

// Tells AddressSanitizer about a change of stacks; see sanitizer/common_interface_defs.h.
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#define START_SWITCH(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define FINISH_SWITCH(save, bottom, size) __sanitizer_finish_switch_fiber(save, bottom, size)
#else
#define START_SWITCH(save, bottom, size)
#define FINISH_SWITCH(save, bottom, size)
#endif

#define __global__
#define __device__
// Shared memory is not cleared between blocks, as on a GPU. AddressSanitizer does not check thread-local variables, so
// with it only one host thread may launch kernels.
#ifdef __SANITIZE_ADDRESS__
#define __shared__ static
#else
#define __shared__ static thread_local
#endif

struct uint3 {
    unsigned x, y, z;
};

static thread_local uint3 threadIdx, blockIdx, blockDim, gridDim;

namespace host {

inline float as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Rounds to nearest, ties to even.
inline unsigned short to_bf16(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x) return static_cast<unsigned short>(bits >> 16 | 0x40);
    return static_cast<unsigned short>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Stack size of a thread in bytes.
#ifdef __SANITIZE_ADDRESS__
constexpr size_t STACK_BYTES = 256 * 1024;
#else
constexpr size_t STACK_BYTES = 64 * 1024;
#endif

// The barrier of a block or a warp. `round` counts how often all members have arrived.
struct Barrier {
    unsigned members = 0, arrived = 0, round = 0;
};

struct Thread {
    ucontext_t start;
    // Where the thread resumes.
    jmp_buf resume_point;
    std::vector<char> stack;
    // The barrier that the thread waits at, and the round in which it arrived.
    Barrier* waiting_at = nullptr;
    unsigned round = 0;
    // Number of exchanges with other lanes.
    unsigned exchanges = 0;
    // AddressSanitizer's data of the stack while the thread waits.
    void* fake_stack = nullptr;
    bool is_started = false, is_finished = false;
};

// The running block.
struct Block {
    // A suspended thread has references to itself, which a deque keeps valid when it grows.
    std::deque<Thread> threads;
    std::vector<Barrier> warps;
    // The barrier of the whole block.
    Barrier all;
    // What lanes exchange. Two buffers alternate, since a lane may be one exchange ahead.
    std::vector<std::array<unsigned, 6>> exchanged[2];
    // Where the scheduler resumes.
    jmp_buf scheduler;
    // The scheduler's stack, for AddressSanitizer.
    void* scheduler_fake_stack = nullptr;
    const void* scheduler_stack = nullptr;
    size_t scheduler_stack_bytes = 0;
    // The running thread.
    unsigned current = 0;
    // The order in which threads run: a permutation, which `shuffle`, unless 0, changes before each round.
    std::vector<unsigned> order;
    unsigned shuffle = 0;
    void (*body)(void*) = nullptr;
    void* arguments = nullptr;
};

inline Block& block() {
    static thread_local Block block;
    return block;
}

// Removes a finished thread from a barrier.
inline void leave(Barrier& barrier) {
    barrier.members--;
    if (barrier.members > 0 && barrier.arrived == barrier.members) {
        barrier.arrived = 0;
        barrier.round++;
    }
}

// Returns to the scheduler until it resumes the thread.
inline void yield(Thread& thread) {
    Block& b = block();
    if (!_setjmp(thread.resume_point)) {
        START_SWITCH(&thread.fake_stack, b.scheduler_stack, b.scheduler_stack_bytes);
        _longjmp(b.scheduler, 1);
    }
    FINISH_SWITCH(thread.fake_stack, &block().scheduler_stack, &block().scheduler_stack_bytes);
}

// Entry point of each thread. It loops, so that the stack is reused by the blocks that follow.
inline void entry() {
    FINISH_SWITCH(nullptr, &block().scheduler_stack, &block().scheduler_stack_bytes);
    for (;;) {
        Block& b = block();
        b.body(b.arguments);
        Thread& thread = b.threads[b.current];
        thread.is_finished = true;
        leave(b.all);
        yield(thread);
    }
}

// Waits until all members of the barrier arrive.
inline void wait(Barrier& barrier) {
    Block& b = block();
    if (++barrier.arrived == barrier.members) {
        barrier.arrived = 0;
        barrier.round++;
        return;
    }
    Thread& thread = b.threads[b.current];
    thread.waiting_at = &barrier;
    thread.round = barrier.round;
    yield(thread);
}

// Passes `value` to the warp and returns the value of lane `source`.
inline unsigned exchange(unsigned value, unsigned source) {
    Block& b = block();
    const unsigned self = b.current, side = b.threads[self].exchanges++ % 2;
    b.exchanged[side][self][0] = value;
    wait(b.warps[self / 32]);
    return b.exchanged[side][self / 32 * 32 + source][0];
}

// The matrix product of mma.cuh; each lane computes its four elements.
inline void mma(float (&out)[4], const unsigned (&left)[4], const unsigned (&right)[2]) {
    Block& b = block();
    const unsigned self = b.current, side = b.threads[self].exchanges++ % 2;
    auto& exchanged = b.exchanged[side];
    exchanged[self] = {left[0], left[1], left[2], left[3], right[0], right[1]};
    wait(b.warps[self / 32]);
    const unsigned first = self / 32 * 32, g = self % 32 / 4, t = self % 4;
    const auto half = [](unsigned two, unsigned i) { return as_float(i % 2 ? two & 0xffff0000u : two << 16); };
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 16; k++) {
            const unsigned pair = k % 8 / 2;
            const float a = half(exchanged[first + 4 * g + pair][i / 2 + 2 * (k / 8)], k);
            const float c = half(exchanged[first + 4 * (2 * t + i % 2) + pair][4 + k / 8], k);
            out[i] += a * c;
        }
}

// Runs a thread until it waits or finishes.
inline void resume(unsigned index) {
    Block& b = block();
    b.current = index;
    threadIdx = uint3{index, 0, 0};
    Thread& thread = b.threads[index];
    if (_setjmp(b.scheduler)) {
        FINISH_SWITCH(block().scheduler_fake_stack, nullptr, nullptr);
        return;
    }
    thread.stack.resize(STACK_BYTES);
    START_SWITCH(&b.scheduler_fake_stack, thread.stack.data(), thread.stack.size());
    if (thread.is_started) _longjmp(thread.resume_point, 1);
    thread.is_started = true;
    getcontext(&thread.start);
    thread.start.uc_stack.ss_sp = thread.stack.data();
    thread.start.uc_stack.ss_size = thread.stack.size();
    thread.start.uc_link = nullptr;
    makecontext(&thread.start, reinterpret_cast<void (*)()>(entry), 0);
    setcontext(&thread.start);
}

// Runs all threads of a block; returns whether they finished.
inline bool run_block(unsigned threads) {
    Block& b = block();
    if (b.threads.size() < threads) b.threads.resize(threads);
    b.warps.assign(threads / 32, Barrier{32, 0, 0});
    b.all = Barrier{threads, 0, 0};
    for (auto& exchanged : b.exchanged) exchanged.resize(threads);
    for (unsigned index = 0; index < threads; index++) {
        Thread& thread = b.threads[index];
        // A thread of an earlier kernel that deadlocked starts again.
        if (!thread.is_finished) thread.is_started = false;
        thread.is_finished = false;
        thread.waiting_at = nullptr;
        thread.exchanges = 0;
    }
    b.order.resize(threads);
    for (unsigned index = 0; index < threads; index++) b.order[index] = index;
    std::minstd_rand random(b.shuffle + blockIdx.x + blockIdx.y);
    for (bool has_progress = true; has_progress;) {
        has_progress = false;
        if (b.shuffle) std::shuffle(b.order.begin(), b.order.end(), random);
        for (const unsigned index : b.order) {
            Thread& thread = b.threads[index];
            if (thread.is_finished || (thread.waiting_at && thread.waiting_at->round == thread.round)) continue;
            thread.waiting_at = nullptr;
            resume(index);
            has_progress = true;
        }
    }
    return std::all_of(b.threads.begin(), b.threads.begin() + threads,
                       [](const Thread& thread) { return thread.is_finished; });
}

template <typename... A, size_t... I>
void call(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<A*>(arguments[I])...);
}

// Calls a kernel with an array of pointers to its arguments, as in the CUDA driver.
template <auto kernel>
struct Caller;

template <typename... A, void (*kernel)(A...)>
struct Caller<kernel> {
    static void body(void* arguments) { call(kernel, static_cast<void**>(arguments), std::index_sequence_for<A...>{}); }
};

// A kernel by name.
struct Entry {
    const char* name;
    void (*body)(void*);
};

}  // namespace host

inline void __syncthreads() { host::wait(host::block().all); }

inline void __syncwarp() { host::wait(host::block().warps[host::block().current / 32]); }

inline float __shfl_xor_sync(unsigned, float x, int other) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return host::as_float(host::exchange(bits, host::block().current % 32 ^ other));
}

inline unsigned __shfl_sync(unsigned, unsigned x, int source) { return host::exchange(x, source); }
