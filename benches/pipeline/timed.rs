//! An engine that only judges, and looks at the clock when it does.

use glue_tui::batch::Batch;
use glue_tui::error::Result;
use glue_tui::nn::{
    Array, Engine, EngineState, InputGradients, Interpolation, Part, StepInput, StepReport, Weights,
};
use std::time::Instant;

/// The passes of another engine, and the seconds that they took.
pub(crate) struct Timed<'a> {
    pub(crate) engine: &'a mut dyn Engine,
    pub(crate) seconds: f64,
}

impl Engine for Timed<'_> {
    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        let begun = Instant::now();
        let logits = self.engine.logits(batch);
        self.seconds += begun.elapsed().as_secs_f64();
        logits
    }

    fn step(&mut self, _input: StepInput<'_>) -> Result<StepReport> {
        unreachable!("scoring takes no step")
    }

    fn gradients(&mut self, _input: StepInput<'_>) -> Result<(f64, Weights)> {
        unreachable!("scoring needs no gradient")
    }

    fn slopes(&mut self, _mix: Interpolation<'_>, _class: usize) -> Result<InputGradients> {
        unreachable!("scoring asks for no reasons")
    }

    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.engine.shapes()
    }

    fn tensor(&self, name: &str, part: Part) -> Result<Array> {
        self.engine.tensor(name, part)
    }

    fn updates(&self) -> u64 {
        self.engine.updates()
    }

    fn set_weights(&mut self, _weights: &Weights) -> Result<()> {
        unreachable!("scoring changes nothing")
    }

    fn restore(&mut self, _state: &EngineState) -> Result<()> {
        unreachable!("scoring changes nothing")
    }

    fn set_max_tokens(&mut self, max_tokens: usize) {
        self.engine.set_max_tokens(max_tokens);
    }
}
