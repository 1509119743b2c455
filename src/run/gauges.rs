//! The machine's gauges during a run, as curves over time.

use super::axis::StepAxis;
use super::series::Series;
use crate::machine::Gauges;

/// The longest interval between two readings, in seconds. Longer ones, as while a run was stopped, are shortened to
/// it on the time axis.
const MAX_INTERVAL: f64 = 20.0;
/// Bytes of one GiB.
pub const GIB: f64 = (1_u64 << 30) as f64;

/// The gauges of a run. The steps of its curves are seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GaugeHistory {
    /// The newest reading.
    pub newest: Option<Gauges>,
    /// Utilization of all cores, 0..=1.
    pub cpu: Series,
    /// Utilization of the process's cores by the process, 0..=1.
    pub process_cpu: Series,
    /// Resident memory of the process in GiB.
    pub process_memory: Series,
    /// Available memory in GiB.
    pub available_memory: Series,
    /// The GPUs.
    pub gpus: Vec<GpuHistory>,
    /// The time axis of its curves.
    pub time_axis: StepAxis,
    seconds: f64,
}

/// The gauges of a GPU.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GpuHistory {
    /// Utilization, 0..=1.
    pub busy: Series,
    /// Used memory in GiB.
    pub memory: Series,
    /// Power in watts.
    pub watts: Series,
    /// Temperature in degrees Celsius.
    pub celsius: Series,
}

impl GaugeHistory {
    /// Adds a reading.
    pub(super) fn fold(&mut self, gauges: &Gauges) {
        let before = self.newest.as_ref().map_or(gauges.time - 1.0, |newest| newest.time);
        let interval = (gauges.time - before).clamp(1.0, MAX_INTERVAL);
        self.seconds += interval;
        let second = self.seconds.round() as u64;
        self.time_axis.wait(second, interval);
        self.cpu.push(second, gauges.cpu);
        self.process_cpu.push(second, gauges.process_cpu);
        self.process_memory.push(second, gauges.process_memory as f64 / GIB);
        self.available_memory.push(second, gauges.available_memory as f64 / GIB);
        if self.gpus.len() < gauges.gpus.len() {
            self.gpus.resize_with(gauges.gpus.len(), GpuHistory::default);
        }
        for (history, gpu) in self.gpus.iter_mut().zip(&gauges.gpus) {
            history.busy.push(second, gpu.busy);
            history.memory.push(second, gpu.memory as f64 / GIB);
            gpu.watts.into_iter().for_each(|watts| history.watts.push(second, watts));
            gpu.celsius.into_iter().for_each(|degrees| history.celsius.push(second, degrees));
        }
        self.newest = Some(gauges.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::axis::Axis;
    use super::*;

    #[test]
    fn interval_without_readings_is_shortened() {
        let mut history = GaugeHistory::default();
        for time in [100.0, 101.0, 102.0, 5000.0, 5001.0] {
            history.fold(&Gauges {
                time,
                cpu: 0.5,
                process_cpu: 0.25,
                process_memory: 3 << 29,
                available_memory: 4 << 30,
                total_memory: 8 << 30,
                gpus: Vec::new(),
            });
        }
        assert_eq!(history.cpu.last(), Some((24, 0.5)));
        assert_eq!(history.process_memory.last(), Some((24, 1.5)));
        assert_eq!(history.time_axis.mapper(Axis::Time).at(24.0), 24.0);
        assert!(history.gpus.is_empty() && history.newest.is_some());
    }
}
