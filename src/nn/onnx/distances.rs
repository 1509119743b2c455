//! Positions and distances of positions, for sequences whose length is known when the graph runs.

use super::graph::{GraphBuilder, Value};
use super::inputs::SequenceLength;

/// 0, 1, 2, …: (sequence)
pub(super) fn positions(graph: &mut GraphBuilder, length: &SequenceLength) -> Value {
    let zero = graph.int(0);
    graph.range(&zero, &length.scalar)
}

/// The distance of each pair of positions, key minus query: (sequence, sequence)
pub(super) fn distances(graph: &mut GraphBuilder, length: &SequenceLength) -> Value {
    let positions = positions(graph, length);
    let (keys, queries) = (graph.unsqueeze(&positions, &[0]), graph.unsqueeze(&positions, &[1]));
    graph.sub(&keys, &queries)
}

/// The entry of each distance in a table of the distances from −`longest` to `longest`. Longer ones have those of the ends.
pub(super) fn entries_of_distances(graph: &mut GraphBuilder, distances: &Value, longest: usize) -> Value {
    let distances = graph.clip(distances, longest as i64);
    let longest = graph.int(longest as i64);
    graph.add(&distances, &longest)
}
