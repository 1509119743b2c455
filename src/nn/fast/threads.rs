//! How the threads of an engine are divided among shards.

/// Most shards of a batch. Each shard reads all weights, so more shards need more memory bandwidth.
pub(super) const MAX_SHARDS: usize = 4;

/// Number of threads of an engine: all cores if `None` is requested.
pub(crate) fn thread_count(requested: Option<usize>) -> usize {
    requested.unwrap_or_else(rayon::current_num_threads).max(1)
}

/// Number of threads for each of `shards` shards.
pub(super) fn threads_per_shard(threads: usize, shards: usize) -> usize {
    threads.div_ceil(shards.max(1))
}
