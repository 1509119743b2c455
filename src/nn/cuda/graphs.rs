//! [`Graphs`]: the passes that are captured as graphs.

use super::device::Device;
use super::input::Bucket;
use super::ops::LossFunction;
use crate::error::Result;
use std::collections::BTreeMap;

/// Upper bound of the captured graphs. Passes with further keys are launched kernel by kernel.
const MAX_GRAPHS: usize = 128;

/// A kind of pass: two passes with the same key launch the same kernels with the same arguments. What differs is in
/// the [`super::input::Input`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GraphKey {
    /// Logits of a micro-batch.
    Inference(Bucket),
    /// Loss and gradients of a micro-batch. `accumulate`: gradients are added to those of the micro-batches before.
    /// `update`: the optimizer step follows.
    Training { bucket: Bucket, loss: LossFunction, accumulate: bool, update: bool },
}

impl GraphKey {
    pub(super) fn bucket(self) -> Bucket {
        match self {
            GraphKey::Inference(bucket) | GraphKey::Training { bucket, .. } => bucket,
        }
    }

    pub(super) fn is_training(self) -> bool {
        matches!(self, GraphKey::Training { .. })
    }
}

/// What is known about a pass that ran at least once.
enum State<G> {
    /// It ran kernel by kernel.
    Ran,
    Captured(G),
    /// It could not be captured, so it always runs kernel by kernel.
    CaptureFailed,
}

/// The graphs of an engine.
pub(super) struct Graphs<G> {
    states: BTreeMap<GraphKey, State<G>>,
    is_enabled: bool,
    /// Warnings that nobody has taken yet.
    notes: Vec<String>,
    has_warned: bool,
}

impl<G> Graphs<G> {
    /// Without `is_enabled`, every pass runs kernel by kernel.
    pub(super) fn new(is_enabled: bool) -> Self {
        Graphs { states: BTreeMap::new(), is_enabled, notes: Vec::new(), has_warned: false }
    }

    /// Runs a pass: `enqueue` launches its kernels. The first pass with a key launches them one by one, because
    /// libraries and modules are initialized then, which cannot be captured. The second captures them as a graph, which
    /// all later passes launch. If the capture fails, the key stays without a graph.
    pub(super) fn run<D: Device<Graph = G>>(
        &mut self,
        key: GraphKey,
        device: &mut D,
        enqueue: &mut dyn FnMut(&mut D) -> Result<()>,
    ) -> Result<()> {
        match self.states.get(&key) {
            Some(State::Captured(graph)) => device.launch_graph(graph),
            Some(State::Ran) if self.is_enabled => match device.capture(enqueue) {
                Ok(graph) => {
                    device.launch_graph(&graph)?;
                    self.states.insert(key, State::Captured(graph));
                    Ok(())
                }
                Err(error) => {
                    self.states.insert(key, State::CaptureFailed);
                    if !std::mem::replace(&mut self.has_warned, true) {
                        self.notes.push(format!(
                            "{error}; batches of this size run kernel by kernel, with the same results but more slowly"
                        ));
                    }
                    enqueue(device)
                }
            },
            Some(_) => enqueue(device),
            None => {
                enqueue(device)?;
                if self.states.len() < MAX_GRAPHS {
                    self.states.insert(key, State::Ran);
                }
                Ok(())
            }
        }
    }

    /// Drops the graphs of the training or inference passes: they contain the addresses of their workspace.
    pub(super) fn remove(&mut self, is_training: bool) {
        self.states.retain(|key, _| key.is_training() != is_training);
    }

    /// The warnings since the last call.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Number of captured graphs.
    #[cfg(test)]
    pub(super) fn captured(&self) -> usize {
        self.states.values().filter(|state| matches!(state, State::Captured(_))).count()
    }
}
