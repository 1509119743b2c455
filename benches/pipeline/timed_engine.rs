//! An engine for inference that measures the time of its forward passes.

use glue_tui::batch::Batch;
use glue_tui::error::Result;
use glue_tui::nn::{
    Array, Engine, EngineState, InputGradients, Interpolation, ParamState, StepInput, StepReport, Weights,
};
use std::time::Instant;

/// Wraps an engine and adds up the seconds of its forward passes.
pub(crate) struct TimedEngine<'a> {
    pub(crate) engine: &'a mut dyn Engine,
    pub(crate) seconds: f64,
}

impl Engine for TimedEngine<'_> {
    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        let start = Instant::now();
        let logits = self.engine.logits(batch);
        self.seconds += start.elapsed().as_secs_f64();
        logits
    }

    fn step(&mut self, _input: StepInput<'_>) -> Result<StepReport> {
        unreachable!("evaluation does not train")
    }

    fn gradients(&mut self, _input: StepInput<'_>) -> Result<(f64, Weights)> {
        unreachable!("evaluation needs no gradients")
    }

    fn input_gradients(&mut self, _input: Interpolation<'_>, _class: usize) -> Result<InputGradients> {
        unreachable!("evaluation needs no input gradients")
    }

    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.engine.shapes()
    }

    fn tensor(&self, name: &str, state: ParamState) -> Result<Array> {
        self.engine.tensor(name, state)
    }

    fn updates(&self) -> u64 {
        self.engine.updates()
    }

    fn set_weights(&mut self, _weights: &Weights) -> Result<()> {
        unreachable!("evaluation does not change the model")
    }

    fn restore(&mut self, _state: &EngineState) -> Result<()> {
        unreachable!("evaluation does not change the model")
    }

    fn set_max_tokens(&mut self, max_tokens: usize) {
        self.engine.set_max_tokens(max_tokens);
    }
}
