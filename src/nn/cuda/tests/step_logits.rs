//! Tests of the logits of the steps since the last report.

use super::super::step_logits::StepLogits;
use super::*;

/// Logits keep their order where they fill the buffer, exceed what is left of it, or are more than it holds.
fn logits_keep_their_order<D: Device>(open: impl Fn() -> D) {
    let mut fixture = Fixture::new(open());
    let mut logits = StepLogits::new(fixture.allocate(4));
    for lengths in [[3, 1, 3].as_slice(), &[2, 9, 1], &[4, 4], &[]] {
        let mut expected: Vec<f32> = Vec::new();
        for length in lengths {
            let step: Vec<f32> = (0..*length).map(|index| (expected.len() + index) as f32).collect();
            // The next pass overwrites the memory.
            let slice = fixture.f32s(&step);
            logits.push(&mut fixture.device, slice).expect("a copy");
            fixture
                .device
                .write(DeviceSlice::new(slice.address(), slice.len()), &vec![0; *length])
                .expect("a copy");
            expected.extend(step);
        }
        assert_eq!(logits.take(&fixture.device).expect("logits"), expected, "{lengths:?}");
    }
}

on_devices!(logits_keep_their_order);
