//! [`Workspaces`]: the memory of passes, which grows with their inputs.

use super::device::Device;
use super::workspace::{Workspace, WorkspaceSize};
use crate::error::{Error, Result};
use crate::format::bytes;
use crate::nn::config::ModelConfig;

/// The workspaces of training and of inference. They are separate, since an evaluation has larger micro-batches than a
/// step of training but no tape.
pub(super) struct Workspaces<B> {
    training: Option<Reserved<B>>,
    inference: Option<Reserved<B>>,
}

/// A workspace and its memory.
struct Reserved<B> {
    size: WorkspaceSize,
    workspace: Workspace,
    bytes: usize,
    _buffer: B,
}

impl<B> Workspaces<B> {
    /// Without memory.
    pub(super) fn new() -> Self {
        Workspaces { training: None, inference: None }
    }

    /// Makes the workspace of training or inference at least as large as `size`, for a model with that many classes whose
    /// GEMMs read bf16 or f32. Returns whether it was replaced: captured graphs contain the addresses of the one before.
    ///
    /// # Errors
    /// The device has too little memory.
    pub(super) fn reserve<D: Device<Buffer = B>>(
        &mut self,
        (config, classes, is_bf16): (&ModelConfig, usize, bool),
        size: WorkspaceSize,
        device: &mut D,
    ) -> Result<bool> {
        let reserved = if size.is_training { &mut self.training } else { &mut self.inference };
        let current = reserved.as_ref().map(|reserved| reserved.size.bucket);
        if current.is_some_and(|current| current.contains(size.bucket)) {
            return Ok(false);
        }
        *reserved = None;
        let bucket = current.map_or(size.bucket, |current| current.union(size.bucket));
        let size = WorkspaceSize { bucket, ..size };
        let (_, bytes) = Workspace::new(config, classes, is_bf16, size, 0);
        let buffer = device.allocate(bytes).map_err(|error| out_of_memory(device, bytes, &error))?;
        let (workspace, _) = Workspace::new(config, classes, is_bf16, size, D::address(&buffer));
        *reserved = Some(Reserved { size, workspace, bytes, _buffer: buffer });
        Ok(true)
    }

    /// The workspace of training or inference.
    ///
    /// # Panics
    /// If it was not reserved.
    pub(super) fn get(&self, is_training: bool) -> &Workspace {
        let reserved = if is_training { &self.training } else { &self.inference };
        &reserved.as_ref().expect("the workspace was reserved").workspace
    }

    /// Their memory.
    pub(super) fn bytes(&self) -> usize {
        [&self.training, &self.inference].into_iter().flatten().map(|reserved| reserved.bytes).sum()
    }
}

/// The error of a failed allocation of `needed` bytes.
pub(super) fn out_of_memory<D: Device>(device: &D, needed: usize, error: &Error) -> Error {
    let free = device
        .available_memory()
        .map_or(String::new(), |memory| format!(", and {} is free", bytes(memory.available)));
    Error::Device(format!(
        "{} needs {} more memory{free} ({error}); set max_tokens_per_batch to a smaller number, or use a smaller model",
        device.name(),
        bytes(needed as u64)
    ))
}
