//! Lookup and interpolation of embeddings, and their gradients.

/// `out` (tokens, width): for each token, the sum of its rows of all `tables`. A table is (rows, width) with the row
/// index of each token.
pub fn gather(tables: &[(&[f32], &[u32])], width: usize, out: &mut [f32]) {
    for (token, out) in out.chunks_exact_mut(width).enumerate() {
        for (index, (table, rows)) in tables.iter().enumerate() {
            let row = row(table, rows[token], width);
            if index == 0 {
                out.copy_from_slice(row);
            } else {
                add(out, row);
            }
        }
    }
}

/// The backward pass of [`gather`]: adds each row of `d` (tokens, width) to the row of `table` with the token's index.
pub fn scatter_add(d: &[f32], rows: &[u32], width: usize, table: &mut [f32]) {
    for (row, d) in rows.iter().zip(d.chunks_exact(width)) {
        let start = *row as usize * width;
        add(&mut table[start..start + width], d);
    }
}

/// Replaces the embedding `word` of each token in the sum `out` (tokens, width) by
/// `baseline + α (word − baseline)`: out += (α − 1) (word − baseline).
pub fn interpolate(
    table: &[f32],
    ids: &[u32],
    (baseline_ids, alphas): (&[u32], &[f32]),
    width: usize,
    out: &mut [f32],
) {
    let tokens = ids.iter().zip(baseline_ids).zip(alphas).zip(out.chunks_exact_mut(width));
    for (((id, baseline_id), alpha), out) in tokens {
        let (word, baseline) = (row(table, *id, width), row(table, *baseline_id, width));
        for ((out, word), baseline) in out.iter_mut().zip(word).zip(baseline) {
            *out += (alpha - 1.0) * (word - baseline);
        }
    }
}

/// The gradient with respect to the alphas of [`interpolate`]: for each row of `d` (tokens, width), its dot product
/// with word − baseline.
pub fn alpha_grads(
    d: &[f32],
    table: &[f32],
    ids: &[u32],
    baseline_ids: &[u32],
    width: usize,
    out: &mut Vec<f32>,
) {
    out.clear();
    out.extend(d.chunks_exact(width).zip(ids.iter().zip(baseline_ids)).map(|(d, (id, baseline_id))| {
        let pairs = row(table, *id, width).iter().zip(row(table, *baseline_id, width));
        let terms =
            d.iter().zip(pairs).map(|(d, (word, baseline))| f64::from(*d) * f64::from(word - baseline));
        terms.sum::<f64>() as f32
    }));
}

fn row(table: &[f32], id: u32, width: usize) -> &[f32] {
    &table[id as usize * width..][..width]
}

fn add(out: &mut [f32], row: &[f32]) {
    for (out, x) in out.iter_mut().zip(row) {
        *out += x;
    }
}
