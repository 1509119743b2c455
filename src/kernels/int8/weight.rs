//! Quantization and packing of weights.

use super::format::{LINE_OUTPUTS, MAX_INPUTS, PANEL, WORD, rounded};

/// A cache line of a panel: a word of several outputs.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [[i8; WORD]; LINE_OUTPUTS]);

/// Cache lines of a word of a panel.
pub(super) const LINES: usize = PANEL / LINE_OUTPUTS;

/// The weight of a linear layer, quantized symmetrically with a scale for each output, and packed.
#[derive(Debug)]
pub struct QuantizedMatrix {
    /// (panels, words, [`LINES`])
    lines: Vec<Line>,
    /// s_w of each output, padded with zeros to whole panels. NaN if the row has a value that is not finite.
    scales: Vec<f32>,
    /// Σ w_q over the inputs of each output, padded with zeros.
    sums: Vec<i32>,
    outputs: usize,
    inputs: usize,
}

/// One panel of a [`QuantizedMatrix`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel<'a> {
    /// (words, [`LINES`])
    pub(super) lines: &'a [Line],
    pub(super) scales: &'a [f32; PANEL],
    pub(super) sums: &'a [i32; PANEL],
}

impl QuantizedMatrix {
    /// Quantizes `weight` (outputs, inputs).
    ///
    /// # Panics
    /// With more than [`MAX_INPUTS`] inputs.
    pub fn new(weight: &[f32], inputs: usize) -> Self {
        let outputs = weight.len() / inputs;
        assert_eq!(weight.len(), outputs * inputs, "a weight with {inputs} inputs");
        assert!(inputs <= MAX_INPUTS, "a weight with {inputs} inputs, more than {MAX_INPUTS}");
        let (panels, words) = (outputs.div_ceil(PANEL), inputs.div_ceil(WORD));
        let mut matrix = QuantizedMatrix {
            lines: vec![Line([[0; WORD]; LINE_OUTPUTS]); panels * words * LINES],
            scales: vec![0.0; panels * PANEL],
            sums: vec![0; panels * PANEL],
            outputs,
            inputs,
        };
        for (output, row) in weight.chunks_exact(inputs).enumerate() {
            matrix.pack(output, row);
        }
        matrix
    }

    /// Number of rows.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Length of a row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The panel with the outputs from `index` · [`PANEL`] on.
    pub(super) fn panel(&self, index: usize) -> Panel<'_> {
        let length = self.inputs.div_ceil(WORD) * LINES;
        Panel {
            lines: &self.lines[index * length..][..length],
            scales: &self.scales.as_chunks().0[index],
            sums: &self.sums.as_chunks().0[index],
        }
    }

    /// Number of panels.
    pub(super) fn panels(&self) -> usize {
        self.scales.len() / PANEL
    }

    /// Quantizes and packs the row of one output.
    fn pack(&mut self, output: usize, row: &[f32]) {
        let (mut largest, mut not_finite) = (0.0f32, 0.0f32);
        for x in row {
            largest = largest.max(x.abs());
            not_finite += 0.0 * x;
        }
        let scale = largest / 127.0;
        // Also zeros where the division by a subnormal scale would overflow.
        let inverse = if scale > f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
        let (panel, column) = (output / PANEL, output % PANEL);
        let words = self.inputs.div_ceil(WORD);
        let first = panel * words * LINES + column / LINE_OUTPUTS;
        let mut sum = 0;
        for (line, row) in self.lines[first..].iter_mut().step_by(LINES).zip(row.chunks(WORD)) {
            for (to, x) in line.0[column % LINE_OUTPUTS].iter_mut().zip(row) {
                // The scale is rounded, so the quotient may be slightly out of range.
                *to = rounded(x * inverse).clamp(-127, 127) as i8;
                sum += i32::from(*to);
            }
        }
        self.scales[output] = if inverse > 0.0 { scale } else { 0.0 } + not_finite;
        self.sums[output] = sum;
    }

    /// The quantized element of an output and an input.
    #[cfg(test)]
    pub(super) fn at(&self, output: usize, input: usize) -> i8 {
        let lines = self.panel(output / PANEL).lines;
        let line = lines[input / WORD * LINES + output % PANEL / LINE_OUTPUTS];
        line.0[output % LINE_OUTPUTS][input % WORD]
    }
}
