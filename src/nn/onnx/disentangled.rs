//! The products with relative positions that disentangled attention adds to its scores (He et al. 2020,
//! <https://arxiv.org/abs/2006.03654>), as nodes.

use super::distances::entries_of_distances;
use super::graph::{GraphBuilder, Value};
use super::inputs::SequenceLength;
use super::modules::{Bias, Modules};
use crate::nn::architecture::{BiasSite, LayerNames, Names, PositionTerms, RelativeSpan};

/// What the layers of a model need to add products with relative positions.
pub(super) struct RelativeScores {
    terms: PositionTerms,
    /// The embeddings of relative positions: (rows, hidden)
    embeddings: Value,
    /// The row of each distance from 1 − sequence to sequence, the second minus the first of two positions, of which the
    /// first is that of a query or of a key: (2 sequence)
    rows_of_queries: Value,
    rows_of_keys: Value,
    /// The length of a sequence as a list.
    length: Value,
}

/// What embeddings of relative positions become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Projected {
    Queries,
    Keys,
}

impl RelativeScores {
    /// `None` for a model without disentangled attention.
    pub(super) fn new(modules: &mut Modules<'_>, names: &Names, length: &SequenceLength) -> Option<Self> {
        let (module, settings) = (names.relative_embeddings.as_deref()?, modules.config.disentangled?);
        let mut embeddings = modules.table(module);
        if let Some(norm) = &names.relative_norm {
            embeddings = modules.norm(norm, &embeddings);
        }
        let (longest, rows) = rows_by_distance(settings.span, modules.config.max_tokens());
        let graph = &mut modules.graph;
        let table = graph.int_table("relative_position_rows", &rows);
        let (one, zero) = (graph.int(1), graph.int(0));
        let first = graph.sub(&one, &length.scalar);
        let end = graph.add(&length.scalar, &one);
        let distances = graph.range(&first, &end);
        let negative = graph.sub(&zero, &distances);
        let [rows_of_keys, rows_of_queries] = [&distances, &negative].map(|distances| {
            let entries = entries_of_distances(graph, distances, longest);
            graph.gather(&table, &entries, 0)
        });
        Some(RelativeScores {
            terms: settings.terms,
            embeddings,
            rows_of_queries,
            rows_of_keys,
            length: length.list.clone(),
        })
    }

    /// The sum of the products of a layer: (batch, heads, sequence, sequence). `query` and `key` are (batch, heads,
    /// sequence, head size).
    pub(super) fn scores(
        &self,
        modules: &mut Modules<'_>,
        layer: &LayerNames,
        [query, key]: [&Value; 2],
    ) -> Value {
        match self.terms {
            PositionTerms::C2p => self.content_to_position(modules, layer, query),
            PositionTerms::P2c => self.position_to_content(modules, layer, key),
            PositionTerms::Both => {
                let c2p = self.content_to_position(modules, layer, query);
                let p2c = self.position_to_content(modules, layer, key);
                modules.graph.add(&c2p, &p2c)
            }
        }
    }

    /// Entry (i, j) = `query`ᵢ · the position key of the distance of i and j: (batch, heads, sequence, sequence)
    fn content_to_position(&self, modules: &mut Modules<'_>, layer: &LayerNames, query: &Value) -> Value {
        let keys = self.projected(modules, layer, Projected::Keys);
        self.distance_products(modules, query, &keys, &self.rows_of_queries)
    }

    /// Entry (i, j) = `key`ⱼ · the position query of the distance of i and j: (batch, heads, sequence, sequence)
    fn position_to_content(&self, modules: &mut Modules<'_>, layer: &LayerNames, key: &Value) -> Value {
        let queries = self.projected(modules, layer, Projected::Queries);
        let products = self.distance_products(modules, key, &queries, &self.rows_of_keys);
        modules.graph.transpose(&products, &[0, 1, 3, 2])
    }

    /// The projected embeddings of relative positions: (rows, hidden)
    fn projected(&self, modules: &mut Modules<'_>, layer: &LayerNames, projected: Projected) -> Value {
        let (own, shared) = match projected {
            Projected::Queries => (&layer.position_query, &layer.query),
            Projected::Keys => (&layer.position_key, &layer.key),
        };
        if let Some(own) = own {
            return modules.layer_linear(own, &self.embeddings, Bias::Present);
        }
        if layer.query == layer.key {
            let [queries, keys, _] = modules.queries_keys_values(layer, &self.embeddings);
            return if projected == Projected::Queries { queries } else { keys };
        }
        let bias = modules.bias(BiasSite::Attention);
        modules.layer_linear(shared, &self.embeddings, bias)
    }

    /// Entry (a, b) = xₐ · the row of the distance b − a of `positions`: (batch, heads, sequence, sequence)
    fn distance_products(
        &self,
        modules: &mut Modules<'_>,
        x: &Value,
        positions: &Value,
        rows: &Value,
    ) -> Value {
        let (heads, head_size) = (modules.config.heads as i64, modules.config.head_size() as i64);
        let graph = &mut modules.graph;
        let positions = graph.gather(positions, rows, 0); // (2 sequence, hidden)
        let positions = graph.reshape(&positions, &[-1, heads, head_size]);
        let positions = graph.transpose(&positions, &[1, 2, 0]); // (heads, head size, 2 sequence)
        let products = graph.matmul(x, &positions); // (batch, heads, sequence, 2 sequence)
        shifted(graph, &products, &self.length)
    }
}

/// Brings column b − a + sequence − 1 of row a to column b: (batch, heads, sequence, 2 sequence) → (batch, heads,
/// sequence, sequence). In rows that are shorter by one it is there.
fn shifted(graph: &mut GraphBuilder, products: &Value, length: &Value) -> Value {
    let flat = graph.reshape(products, &[0, 0, -1]);
    let (one, minus_one, zero) = (graph.ints(&[1]), graph.ints(&[-1]), graph.ints(&[0]));
    let first = graph.sub(length, &one);
    let flat = graph.slice(&flat, 2, &first, &minus_one);
    let kept = graph.ints(&[0, 0]);
    let sizes = graph.concat(&[&kept, length, &minus_one], 0);
    let rows = graph.node("Reshape", &[&flat, &sizes], Vec::new());
    graph.slice(&rows, 3, &zero, length)
}

/// The row of each distance, query minus key, from −`longest` to `longest`, from which on rows are the same or texts of
/// `max_tokens` have none: (2 `longest` + 1)
fn rows_by_distance(span: RelativeSpan, max_tokens: usize) -> (usize, Vec<i64>) {
    let is_last = |distance: &usize| {
        let distance = *distance as i64;
        span.row(distance) == span.rows() - 1 && span.row(-distance) == 0
    };
    let longest = (1..max_tokens).find(is_last).unwrap_or(max_tokens.max(1));
    let all = -(longest as i64)..=longest as i64;
    (longest, all.map(|distance| span.row(distance) as i64).collect())
}
