//! Disentangled attention, whose scores also have products with projected embeddings of relative positions (He et al. 2020,
//! <https://arxiv.org/abs/2006.03654>), as its keys in `config.json` and the names of its modules.

use serde_json::{Map, Value};

/// Modules of disentangled attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DisentangledModules {
    /// The embedding of relative positions, without prefix.
    pub(crate) embeddings: &'static str,
    /// Its LayerNorm, without prefix.
    pub(crate) norm: &'static str,
    /// The projection that queries are multiplied by, in a layer.
    pub(crate) key: &'static str,
    /// The projection that keys are multiplied by, in a layer.
    pub(crate) query: &'static str,
}

/// Settings of disentangled attention with relative positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disentangled {
    pub(crate) terms: PositionTerms,
    pub(crate) projection: PositionProjection,
    pub(crate) norm: RelativeNorm,
    pub(crate) span: RelativeSpan,
}

/// The products with relative positions that are added to the scores (`pos_att_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PositionTerms {
    /// Content to position: of queries and position keys.
    C2p,
    /// Position to content: of keys and position queries.
    P2c,
    /// Both.
    Both,
}

impl PositionTerms {
    /// Whether queries are multiplied by position keys.
    pub(crate) fn has_c2p(self) -> bool {
        self != PositionTerms::P2c
    }

    /// Whether keys are multiplied by position queries.
    pub(crate) fn has_p2c(self) -> bool {
        self != PositionTerms::C2p
    }

    /// Number of products.
    pub(crate) fn count(self) -> usize {
        if self == PositionTerms::Both { 2 } else { 1 }
    }
}

/// What projects the embeddings of relative positions (`share_att_key`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PositionProjection {
    /// The layer's projections of keys and queries.
    Shared,
    /// Projections of their own.
    Own,
}

/// What normalizes the embeddings of relative positions (`norm_rel_ebd`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelativeNorm {
    None,
    LayerNorm,
}

/// Which row of the embedding a relative position has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RelativeSpan {
    /// Distances from 1 - this to this - 1 have different rows, or rows on a logarithmic scale.
    max_relative_positions: usize,
    /// Number of rows for each direction on a logarithmic scale (`position_buckets`).
    log_buckets: Option<usize>,
}

impl RelativeSpan {
    /// Number of rows of the embedding.
    pub(crate) fn rows(self) -> usize {
        2 * self.half()
    }

    /// The row of the distance 0.
    fn half(self) -> usize {
        self.log_buckets.unwrap_or(self.max_relative_positions)
    }

    /// The rows that texts of up to `length` tokens use, each once, in the order of the distances, key minus query.
    pub(crate) fn used_rows(self, length: usize) -> Vec<u32> {
        let longest = length as i64 - 1;
        let mut rows: Vec<u32> = (-longest..=longest).map(|distance| self.row(-distance) as u32).collect();
        rows.dedup();
        rows
    }

    /// For each distance of two of `length` tokens, key minus query, the index of its row in
    /// [`RelativeSpan::used_rows`]: entry `d + length - 1` is that of distance `d`.
    pub(crate) fn columns(self, length: usize) -> Vec<u32> {
        let longest = length as i64 - 1;
        let (mut column, mut last) = (0, self.row(longest));
        let next = |distance: i64| {
            let row = self.row(-distance);
            column += u32::from(row != last);
            last = row;
            column
        };
        (-longest..=longest).map(next).collect()
    }

    /// The row of a distance, query minus key.
    pub(crate) fn row(self, distance: i64) -> usize {
        let bucket = match self.log_buckets {
            Some(buckets) => log_bucket(distance, buckets, self.max_relative_positions),
            None => distance,
        };
        (bucket + self.half() as i64).clamp(0, self.rows() as i64 - 1) as usize
    }
}

/// Distances below `buckets / 2` are exact, the others logarithmic up to `max_relative_positions - 1`, in f32 as in PyTorch
/// (`make_log_bucket_position`).
fn log_bucket(distance: i64, buckets: usize, max_relative_positions: usize) -> i64 {
    let mid = buckets / 2;
    let absolute = distance.unsigned_abs() as usize;
    if absolute <= mid {
        return distance;
    }
    let ln = |x: f32| f64::from(x).ln() as f32;
    let longest = ((max_relative_positions - 1) as f64 / mid as f64) as f32;
    let share = ln(absolute as f32 / mid as f32) / ln(longest);
    let bucket = (share * (mid - 1) as f32).ceil() as i64 + mid as i64;
    bucket * distance.signum()
}

/// What `config.json` says about attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttentionKeys {
    /// Number of products whose sum is a score, whether or not relative positions are used: it is divided by
    /// √(head size · this).
    pub(crate) score_products: usize,
    pub(crate) relative: Option<Disentangled>,
}

impl AttentionKeys {
    /// What other attention has: scores are products of queries and keys.
    pub(crate) const PRODUCT: AttentionKeys = AttentionKeys { score_products: 1, relative: None };

    /// Reads the keys of disentangled attention.
    ///
    /// # Errors
    /// A sentence that names a key whose value is invalid or not supported.
    pub(crate) fn parse(keys: &Map<String, Value>, max_positions: usize) -> Result<Self, String> {
        if whole(keys, "conv_kernel_size", 0)? > 0 {
            return Err(
                "conv_kernel_size is not 0; a convolution after the first layer is not supported".into()
            );
        }
        let terms = position_terms(keys)?;
        let score_products = 1 + terms.map_or(0, PositionTerms::count);
        let norm = relative_norm(keys)?;
        if !flag(keys, "relative_attention")? {
            if norm == RelativeNorm::LayerNorm {
                return Err(
                    "norm_rel_ebd is \"layer_norm\", but relative_attention is not true; set one of them"
                        .into(),
                );
            }
            return Ok(AttentionKeys { score_products, relative: None });
        }
        let terms = terms.ok_or(
            "relative_attention is true, but pos_att_type has neither \"c2p\" nor \"p2c\", so the embedding of relative \
             positions would have no effect; set relative_attention to false",
        )?;
        let is_shared = flag(keys, "share_att_key")?;
        let projection = if is_shared { PositionProjection::Shared } else { PositionProjection::Own };
        let span = relative_span(keys, max_positions)?;
        Ok(AttentionKeys { score_products, relative: Some(Disentangled { terms, projection, norm, span }) })
    }
}

/// Most rows for each direction, so that the number of elements of the embedding has at most 64 bits.
const MAX_SPAN: usize = i32::MAX as usize;

/// The value of a key that is present and not null.
fn find<'k>(keys: &'k Map<String, Value>, name: &str) -> Option<&'k Value> {
    keys.get(name).filter(|value| !value.is_null())
}

fn flag(keys: &Map<String, Value>, name: &str) -> Result<bool, String> {
    match find(keys, name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(value) => Err(format!("{name} is {value}; expected true or false")),
    }
}

fn whole(keys: &Map<String, Value>, name: &str, default: i64) -> Result<i64, String> {
    let Some(value) = find(keys, name) else { return Ok(default) };
    let number = value.as_i64().filter(|number| *number <= MAX_SPAN as i64);
    number.ok_or_else(|| format!("{name} is {value}; expected a whole number of at most {MAX_SPAN}"))
}

/// `pos_att_type`, a list or names that are separated by `|`.
fn position_terms(keys: &Map<String, Value>) -> Result<Option<PositionTerms>, String> {
    const KEY: &str = "pos_att_type";
    let names: Vec<String> = match find(keys, KEY) {
        None => Vec::new(),
        Some(Value::String(names)) => {
            names.to_lowercase().split('|').map(|name| name.trim().to_owned()).collect()
        }
        Some(Value::Array(names)) => {
            let name = |value: &Value| value.as_str().map(str::to_owned);
            names
                .iter()
                .map(name)
                .collect::<Option<_>>()
                .ok_or(format!("{KEY} has a value that is not a name"))?
        }
        Some(value) => return Err(format!("{KEY} is {value}; expected a list of \"c2p\" and \"p2c\"")),
    };
    let is_known = |name: &&String| ["c2p", "p2c", "", "none"].contains(&name.as_str());
    if let Some(name) = names.iter().find(|name| !is_known(name)) {
        return Err(format!("{KEY} has \"{name}\"; supported are \"c2p\" and \"p2c\""));
    }
    let has = |term: &str| names.iter().any(|name| name == term);
    Ok(match (has("c2p"), has("p2c")) {
        (true, true) => Some(PositionTerms::Both),
        (true, false) => Some(PositionTerms::C2p),
        (false, true) => Some(PositionTerms::P2c),
        (false, false) => None,
    })
}

/// `norm_rel_ebd`, names that are separated by `|`.
fn relative_norm(keys: &Map<String, Value>) -> Result<RelativeNorm, String> {
    let Some(value) = find(keys, "norm_rel_ebd") else { return Ok(RelativeNorm::None) };
    let names = value.as_str().map(str::to_lowercase);
    let mut norm = RelativeNorm::None;
    for name in names.as_deref().unwrap_or("?").split('|') {
        match name.trim() {
            "layer_norm" => norm = RelativeNorm::LayerNorm,
            "none" => {}
            _ => return Err(format!("norm_rel_ebd is {value}; supported are \"layer_norm\" and \"none\"")),
        }
    }
    Ok(norm)
}

/// `max_relative_positions` and `position_buckets`; numbers below 1 stand for the number of positions, and for a row for
/// each distance.
fn relative_span(keys: &Map<String, Value>, max_positions: usize) -> Result<RelativeSpan, String> {
    let or = |number: i64, default: usize| if number < 1 { default } else { number as usize };
    let max_relative_positions = or(whole(keys, "max_relative_positions", -1)?, max_positions);
    let buckets = or(whole(keys, "position_buckets", -1)?, 0);
    if max_relative_positions > MAX_SPAN {
        return Err(format!(
            "max_position_embeddings is {max_positions}, more than {MAX_SPAN} relative positions"
        ));
    }
    let log_buckets = (buckets > 0).then_some(buckets);
    let mid = buckets / 2;
    if buckets == 1 {
        return Err("position_buckets is 1; expected at least 2, or -1 for a row for each distance".into());
    }
    if log_buckets.is_some() && max_positions > mid + 1 && max_relative_positions <= mid + 1 {
        return Err(format!(
            "max_relative_positions is {max_relative_positions}; with position_buckets {buckets} it must be more than {}",
            mid + 1
        ));
    }
    Ok(RelativeSpan { max_relative_positions, log_buckets })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(keys: &Value) -> Result<AttentionKeys, String> {
        AttentionKeys::parse(keys.as_object().expect("an object"), 512)
    }

    /// `make_log_bucket_position(torch.tensor([...]), 256, 512)` in Transformers.
    #[test]
    fn rows_equal_those_of_transformers() {
        let found =
            parse(&json!({"relative_attention": true, "position_buckets": 256, "pos_att_type": "p2c|c2p"}));
        let span = found.expect("valid keys").relative.expect("relative positions").span;
        assert_eq!(span.rows(), 512);
        let distances =
            [-511, -510, -300, -200, -130, -129, -128, -127, -1, 0, 1, 128, 129, 130, 250, 400, 510, 511];
        let buckets =
            [-255, -255, -207, -169, -130, -129, -128, -127, -1, 0, 1, 128, 129, 130, 190, 233, 255, 255];
        assert_eq!(distances.map(|distance| span.row(distance) as i64 - 256), buckets);
        let columns = span.columns(400);
        let rows = span.used_rows(400);
        for (distance, column) in (-399..400).zip(&columns) {
            assert_eq!(rows[*column as usize], span.row(-distance) as u32, "distance {distance}");
        }
        assert!(columns.is_sorted() && columns[798] as usize == rows.len() - 1);
        let exact = json!({"relative_attention": true, "max_relative_positions": 3, "pos_att_type": ["c2p"]});
        let span = parse(&exact).expect("valid keys").relative.expect("relative positions").span;
        assert_eq!([-4, -3, -2, 0, 2, 3].map(|distance| span.row(distance)), [0, 0, 1, 3, 5, 5]);
    }

    #[test]
    fn keys_are_read_or_rejected_by_name() {
        let v3 = json!({"relative_attention": true, "position_buckets": 256, "norm_rel_ebd": "layer_norm",
            "share_att_key": true, "pos_att_type": "p2c|c2p", "max_relative_positions": -1});
        let found = parse(&v3).expect("valid keys");
        let relative = found.relative.expect("relative positions");
        assert_eq!((found.score_products, relative.terms), (3, PositionTerms::Both));
        assert_eq!(
            (relative.projection, relative.norm),
            (PositionProjection::Shared, RelativeNorm::LayerNorm)
        );
        // The number of products counts without relative positions too.
        let scaled = parse(&json!({"pos_att_type": ["p2c"]})).expect("valid keys");
        assert_eq!(scaled, AttentionKeys { score_products: 2, relative: None });
        assert_eq!(parse(&json!({})), Ok(AttentionKeys::PRODUCT));
        let on = |key: &str, value: Value| {
            let mut keys = json!({"relative_attention": true, "pos_att_type": "c2p"});
            keys[key] = value;
            parse(&keys).expect_err("an invalid key")
        };
        for (key, value) in [
            ("conv_kernel_size", json!(3)),
            ("pos_att_type", json!("c2p|p2p")),
            ("pos_att_type", json!([1])),
            ("pos_att_type", json!(7)),
            ("pos_att_type", json!([])),
            ("relative_attention", json!("yes")),
            ("share_att_key", json!(1)),
            ("norm_rel_ebd", json!("rms_norm")),
            ("norm_rel_ebd", json!(1)),
            ("position_buckets", json!(1)),
            ("position_buckets", json!(2.5)),
            ("max_relative_positions", json!(1e30)),
        ] {
            let problem = on(key, value.clone());
            assert!(problem.contains(key), "{key} = {value}: {problem}");
        }
        let without = parse(&json!({"norm_rel_ebd": "layer_norm"})).expect_err("a norm of nothing");
        assert!(without.contains("norm_rel_ebd") && without.contains("relative_attention"), "{without}");
        let short = json!({"relative_attention": true, "pos_att_type": "c2p", "position_buckets": 64,
            "max_relative_positions": 33});
        let short = parse(&short).expect_err("a scale of one number");
        assert!(short.contains("max_relative_positions is 33") && short.contains("more than 33"), "{short}");
    }
}
