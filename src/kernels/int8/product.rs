//! Products of quantized rows and weights.

use super::activations::QuantizedRows;
use super::epilogue::{Columns, Epilogue};
use super::format::{PANEL, TILE_ROWS, WORD};
use super::kernel::Int8Kernel;
use super::portable;
use super::tile::{Sums, Tile};
use super::weight::QuantizedMatrix;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
#[cfg(target_arch = "x86_64")]
use crate::Fused;
use crate::{Cpu, Fma, dispatch};
use rayon::prelude::*;
use std::ops::Range;

/// `y` (rows, outputs) = `epilogue`(x Wᵀ). Threads divide the outputs.
pub fn product(
    kernel: Int8Kernel,
    y: &mut [f32],
    x: &QuantizedRows,
    weight: &QuantizedMatrix,
    (epilogue, threads): (Epilogue<'_>, usize),
) {
    assert_eq!((x.inputs(), y.len()), (weight.inputs(), x.len() * weight.outputs()), "shapes of a product");
    if let Epilogue::Activate { bias, .. } = epilogue {
        assert_eq!(bias.len(), weight.outputs(), "a bias for each output");
    }
    if y.is_empty() {
        return;
    }
    let out = Output { data: y.as_mut_ptr(), stride: weight.outputs() };
    let compute = |panels: Range<usize>| {
        let block = Block { out, x, weight, panels, epilogue };
        match kernel {
            #[expect(unsafe_code, reason = "target features")]
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Int8Kernel::available` has found the instruction set.
            Int8Kernel::Avx512Vnni => unsafe { avx512_block(&block) },
            #[expect(unsafe_code, reason = "target features")]
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Int8Kernel::AvxVnni => unsafe { avx_vnni_block(&block) },
            #[expect(unsafe_code, reason = "target features")]
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Int8Kernel::Avx2 => unsafe { avx2_block(&block) },
            _ => portable_block(Cpu::detect(), &block),
        }
    };
    let step = weight.panels().div_ceil(threads.max(1));
    let parts: Vec<Range<usize>> =
        (0..weight.panels()).step_by(step).map(|from| from..weight.panels().min(from + step)).collect();
    match parts.as_slice() {
        [part] => compute(part.clone()),
        _ => parts.into_par_iter().for_each(compute),
    }
}

/// The output, of which each thread writes other columns.
#[derive(Clone, Copy)]
struct Output {
    data: *mut f32,
    /// Elements from a row to the next.
    stride: usize,
}

#[expect(unsafe_code, reason = "threads write to one matrix")]
// SAFETY: each thread writes only the columns of its panels.
unsafe impl Send for Output {}
#[expect(unsafe_code, reason = "threads write to one matrix")]
// SAFETY: as above.
unsafe impl Sync for Output {}

/// The columns that a thread computes.
struct Block<'a> {
    out: Output,
    x: &'a QuantizedRows,
    weight: &'a QuantizedMatrix,
    panels: Range<usize>,
    epilogue: Epilogue<'a>,
}

impl Block<'_> {
    /// Computes the block with a function for the sums of a tile.
    #[inline(always)]
    fn compute<F: Fma>(&self, sum: impl Fn(Tile<'_>, &mut Sums)) {
        let Block { out, x, weight, epilogue, .. } = self;
        let (rows, words) = (x.len(), weight.inputs().div_ceil(WORD));
        // Tiles of equal height.
        let height = rows.div_ceil(rows.div_ceil(TILE_ROWS));
        let mut sums = [[0; PANEL]; TILE_ROWS];
        for index in self.panels.clone() {
            let (panel, column) = (weight.panel(index), index * PANEL);
            let width = PANEL.min(weight.outputs() - column);
            let columns = Columns::new(panel, *epilogue, (column, width));
            for row in (0..rows).step_by(height) {
                let height = height.min(rows - row);
                sum(Tile { rows: x.words(row), height, lines: panel.lines, words }, &mut sums);
                let out_rows = (row..row + height).map(|row| {
                    #[expect(unsafe_code, reason = "a matrix that threads share")]
                    // SAFETY: `product` has checked the shapes, so the columns of this panel are inside the row; no other thread
                    // accesses them, and no other row has them.
                    unsafe {
                        std::slice::from_raw_parts_mut(out.data.add(row * out.stride + column), width)
                    }
                });
                columns.finish::<F>((&sums, &x.scales()[row..]), out_rows);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
fn avx512_block(block: &Block<'_>) {
    block.compute::<Fused>(|tile, sums| avx512::sum(tile, sums));
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avxvnni")]
fn avx_vnni_block(block: &Block<'_>) {
    block.compute::<Fused>(|tile, sums| avx2::avx_vnni::sum(tile, sums));
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2_block(block: &Block<'_>) {
    block.compute::<Fused>(|tile, sums| avx2::plain::sum(tile, sums));
}

fn portable_block(cpu: Cpu, block: &Block<'_>) {
    dispatch!(cpu, portable_kernel(block));
}

#[inline(always)]
fn portable_kernel<F: Fma>(block: &Block<'_>) {
    block.compute::<F>(
        #[inline(always)]
        |tile, sums| portable::sum::<F>(tile, sums),
    );
}
