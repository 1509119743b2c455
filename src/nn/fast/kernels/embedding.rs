//! Sums of embedding rows, and the gradients of those rows.

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

fn add(out: &mut [f32], row: &[f32]) {
    for (out, x) in out.iter_mut().zip(row) {
        *out += x;
    }
}
