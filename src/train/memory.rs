//! How much memory a training will take, told before it begins, and how to make do with what is there.

use crate::batch::{Batch, Encoded};
use crate::error::{Error, Result};
use crate::format::{bytes, count};
use crate::machine::MemoryInfo;
use crate::nn::{Engine, MemoryPlan};
use crate::spec::RunSpec;

/// Share of the available memory that is planned with.
const SHARE: f64 = 0.9;

/// Plans with the longest batch that can be drawn from `train`. Without `max_tokens_per_batch` in the
/// specification, a batch that would not fit is done in parts. Returns what to say of it, and the bytes in all.
///
/// # Errors
/// A model that does not fit the machine even one example at a time.
pub(super) fn plan(
    spec: &RunSpec,
    engine: &mut dyn Engine,
    train: &[Encoded],
) -> Result<Option<(String, u64)>> {
    let batch = longest(train, spec.per_device_train_batch_size * spec.gradient_accumulation_steps);
    let given = spec.max_tokens_per_batch;
    let Some(whole) = engine.memory(&batch, given.unwrap_or(usize::MAX)) else { return Ok(None) };
    let Some(memory) = engine.available_memory() else { return Ok(Some((told(&whole), whole.total()))) };
    let Some((max_tokens, fitting)) = fit(&batch, memory, |tokens| engine.memory(&batch, tokens)) else {
        return Err(Error::Device(format!(
            "this model needs {} for one example at a time, and there is {} in all; take a smaller model, \
             or lower max_seq_length or threads",
            bytes(engine.memory(&batch, 1).unwrap_or(whole).total()),
            bytes(memory.total)
        )));
    };
    if given.is_some() || fitting == whole {
        return Ok(Some((told(&whole), whole.total())));
    }
    engine.set_max_tokens(max_tokens);
    let note = format!(
        "{}; batches of more than {} tokens are done in parts, as the longest would need {} and {} is available",
        told(&fitting),
        count(max_tokens as u64),
        bytes(whole.total()),
        bytes(memory.available)
    );
    Ok(Some((note, fitting.total())))
}

/// The largest number of tokens of a pass, halved as often as is needed, that fits what is available; one
/// example at a time may take all that the machine has.
fn fit(
    batch: &Batch,
    memory: MemoryInfo,
    planned: impl Fn(usize) -> Option<MemoryPlan>,
) -> Option<(usize, MemoryPlan)> {
    let mut tokens = batch.tokens();
    loop {
        let plan = planned(tokens)?;
        let is_least = tokens <= batch.longest();
        let room = if is_least { memory.total } else { (memory.available as f64 * SHARE) as u64 };
        if plan.total() <= room {
            return Some((tokens, plan));
        }
        if is_least {
            return None;
        }
        tokens = (tokens / 2).max(batch.longest());
    }
}

fn told(plan: &MemoryPlan) -> String {
    let MemoryPlan { weights, moments, gradients, activations } = *plan;
    format!(
        "memory: at most {}, of which weights {}, moments {}, gradients {}, activations {}",
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
        MemoryPlan { weights: 100, moments: 200, gradients: 100, activations: 10 * tokens as u64 }
    }

    #[test]
    fn a_pass_shrinks_until_it_fits_and_one_example_is_the_least() {
        let rows = [40, 10, 30, 20].map(|n| Encoded {
            ids: vec![0; n],
            type_ids: vec![0; n],
            label: Some(Label::Class(0)),
        });
        let batch = longest(&rows, 3);
        assert_eq!((batch.len(), batch.tokens(), batch.longest()), (3, 90, 40));
        let fitted = |total, available| {
            fit(&batch, MemoryInfo { total, available }, |tokens| Some(plan_of(tokens)))
                .map(|(tokens, plan)| (tokens, plan.total()))
        };
        assert_eq!(fitted(10_000, 10_000), Some((90, 1300)));
        assert_eq!(fitted(10_000, 1000), Some((45, 850)));
        assert_eq!(fitted(10_000, 100), Some((40, 800)), "what other programs hold may yet be given up");
        assert_eq!(fitted(700, 700), None);
    }
}
