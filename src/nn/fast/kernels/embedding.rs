//! Sums and mixes of embedding rows, and the gradients of those rows.

/// `out` row = sum of the rows of all tables that the token names. Tables are (rows, width) with, for
/// each token, the number of its row.
pub(crate) fn gather(tables: &[(&[f32], &[u32])], width: usize, out: &mut [f32]) {
    for (token, out) in out.chunks_exact_mut(width).enumerate() {
        for (place, (table, rows)) in tables.iter().enumerate() {
            let first = rows[token] as usize * width;
            let row = &table[first..first + width];
            if place == 0 {
                out.copy_from_slice(row);
            } else {
                add(out, row);
            }
        }
    }
}

/// Adds each row of `d` (tokens, width) to the row of `table` that its token names.
pub(crate) fn scatter(d: &[f32], rows: &[u32], width: usize, table: &mut [f32]) {
    for (row, d) in rows.iter().zip(d.chunks_exact(width)) {
        let first = *row as usize * width;
        add(&mut table[first..first + width], d);
    }
}

/// Mixes the rows of `table` that are in `out` (tokens, width) with those of other ids: of each token, the share
/// of its own row that `shares` has stays.
pub(crate) fn mix(
    table: &[f32],
    ids: &[u32],
    (others, shares): (&[u32], &[f32]),
    width: usize,
    out: &mut [f32],
) {
    for (((own, other), share), out) in ids.iter().zip(others).zip(shares).zip(out.chunks_exact_mut(width)) {
        let (own, other) = (row(table, *own, width), row(table, *other, width));
        for ((out, own), other) in out.iter_mut().zip(own).zip(other) {
            *out += (share - 1.0) * (own - other);
        }
    }
}

/// For each row of `d` (tokens, width), its product with own row − other row of `table`.
pub(crate) fn slopes(
    d: &[f32],
    table: &[f32],
    ids: &[u32],
    others: &[u32],
    width: usize,
    out: &mut Vec<f32>,
) {
    out.clear();
    out.extend(d.chunks_exact(width).zip(ids.iter().zip(others)).map(|(d, (own, other))| {
        let pairs = row(table, *own, width).iter().zip(row(table, *other, width));
        d.iter().zip(pairs).map(|(d, (own, other))| f64::from(*d) * f64::from(own - other)).sum::<f64>()
            as f32
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
