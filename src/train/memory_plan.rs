//! Plans the memory of a training before it starts, and splits batches into micro-batches that fit.

use crate::batch::{Batch, Encoded};
use crate::error::{Error, Result};
use crate::format::{bytes, count};
use crate::machine::MemoryInfo;
use crate::nn::{DeviceKind, Engine, MemoryPlan};
use crate::spec::RunSpec;

/// Fraction of the available memory that a plan may use.
const USABLE_FRACTION: f64 = 0.9;

/// Plans for the batch of the longest examples of `train`. Unless the specification has
/// `max_tokens_per_batch`, a batch that does not fit is split into micro-batches. Returns a note for the log and
/// the total in bytes; `None` if the engine cannot compute it.
///
/// # Errors
/// [`Error::Device`] if not even a single example fits into the memory of the machine.
pub(super) fn plan(
    spec: &RunSpec,
    (engine, device): (&mut dyn Engine, DeviceKind),
    train: &[Encoded],
) -> Result<Option<(String, u64)>> {
    // While the mean of checkpoints is evaluated, it is in the engine and a copy of the last weights in host memory. Before,
    // the mean and the weights of a checkpoint are there.
    let copies = if spec.average_checkpoints.is_some() && device == DeviceKind::Cpu { 2 } else { 0 };
    let with_copies = |plan: MemoryPlan| MemoryPlan { average: plan.average + copies * plan.weights, ..plan };
    let batch = longest(train, spec.per_device_train_batch_size * spec.gradient_accumulation_steps);
    let given = spec.max_tokens_per_batch;
    let whole = engine.memory_plan(&batch, given.unwrap_or(usize::MAX)).map(with_copies);
    let Some(whole) = whole else { return Ok(None) };
    let Some(memory) = engine.available_memory() else { return Ok(Some((describe(&whole), whole.total()))) };
    let Some((max_tokens, fitting)) =
        fit(&batch, memory, |tokens| engine.memory_plan(&batch, tokens).map(with_copies))
    else {
        return Err(Error::Device(format!(
            "this model needs {} for a single example, but the machine has only {}; use a smaller model, \
             or lower max_seq_length or threads",
            bytes(engine.memory_plan(&batch, 1).map_or(whole, with_copies).total()),
            bytes(memory.total)
        )));
    };
    if given.is_some() || fitting == whole {
        return Ok(Some((describe(&whole), whole.total())));
    }
    engine.set_max_tokens(max_tokens);
    let note = format!(
        "{}; batches of more than {} tokens are split into micro-batches: the longest one needs {}, and {} is available",
        describe(&fitting),
        count(max_tokens as u64),
        bytes(whole.total()),
        bytes(memory.available)
    );
    Ok(Some((note, fitting.total())))
}

/// The number of tokens of a micro-batch, halved until the plan fits the available memory. A single example may
/// use the total memory, since other programs may free theirs.
fn fit(
    batch: &Batch,
    memory: MemoryInfo,
    planned: impl Fn(usize) -> Option<MemoryPlan>,
) -> Option<(usize, MemoryPlan)> {
    let mut tokens = batch.tokens();
    loop {
        let plan = planned(tokens)?;
        let is_single_example = tokens <= batch.longest();
        let limit =
            if is_single_example { memory.total } else { (memory.available as f64 * USABLE_FRACTION) as u64 };
        if plan.total() <= limit {
            return Some((tokens, plan));
        }
        if is_single_example {
            return None;
        }
        tokens = (tokens / 2).max(batch.longest());
    }
}

fn describe(plan: &MemoryPlan) -> String {
    let MemoryPlan { weights, moments, average, gradients, activations } = *plan;
    let average = if average > 0 { format!("average {}, ", bytes(average)) } else { String::new() };
    format!(
        "memory: at most {}: weights {}, moments {}, {average}gradients {}, activations {}",
        bytes(plan.total()),
        bytes(weights),
        bytes(moments),
        bytes(gradients),
        bytes(activations)
    )
}

/// The batch of the `size` longest examples.
fn longest(train: &[Encoded], size: usize) -> Batch {
    let mut rows: Vec<&Encoded> = train.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.ids.len()));
    Batch::new(rows.into_iter().take(size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;

    fn plan_of(tokens: usize) -> MemoryPlan {
        MemoryPlan { weights: 100, moments: 200, average: 0, gradients: 100, activations: 10 * tokens as u64 }
    }

    #[test]
    fn micro_batches_shrink_until_they_fit_down_to_one_example() {
        let rows = [40, 10, 30, 20].map(|n| Encoded {
            ids: vec![0; n],
            type_ids: vec![0; n],
            label: Some(Label::Class(0)),
        });
        let batch = longest(&rows, 3);
        assert_eq!((batch.len(), batch.tokens(), batch.longest()), (3, 90, 40));
        let fitting = |total, available| {
            fit(&batch, MemoryInfo { total, available }, |tokens| Some(plan_of(tokens)))
                .map(|(tokens, plan)| (tokens, plan.total()))
        };
        assert_eq!(fitting(10_000, 10_000), Some((90, 1300)));
        assert_eq!(fitting(10_000, 1000), Some((45, 850)));
        assert_eq!(fitting(10_000, 100), Some((40, 800)), "other programs may free their memory");
        assert_eq!(fitting(700, 700), None);
    }
}
