//! What the machine did while a run was trained, as curves over time.

use super::axis::StepAxis;
use super::series::Series;
use crate::machine::Gauges;

/// The longest time between two gauges, in seconds, that counts as it is: what nobody measured, as while a run was
/// stopped, takes no more room than that.
const LONGEST: f64 = 20.0;
/// Bytes of a GiB.
pub const GIB: f64 = (1_u64 << 30) as f64;

/// The gauges of a run. The steps of its curves are seconds that were measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GaugeHistory {
    /// The newest.
    pub newest: Option<Gauges>,
    /// Share of all cores that was busy.
    pub cpu: Series,
    /// Share of its cores that the process kept busy.
    pub process_cpu: Series,
    /// GiB that the process has resident.
    pub process_memory: Series,
    /// GiB that a program could still have.
    pub available_memory: Series,
    /// Each GPU.
    pub gpus: Vec<GpuHistory>,
    /// Its steps in seconds.
    pub course: StepAxis,
    seconds: f64,
}

/// The gauges of a GPU.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GpuHistory {
    /// Share of the time in which it was busy.
    pub busy: Series,
    /// GiB that are taken.
    pub memory: Series,
    /// What it draws, in watts.
    pub watts: Series,
    /// How warm it is, in degrees Celsius.
    pub celsius: Series,
}

impl GaugeHistory {
    /// Takes newer gauges.
    pub(super) fn fold(&mut self, gauges: &Gauges) {
        let before = self.newest.as_ref().map_or(gauges.time - 1.0, |newest| newest.time);
        let passed = (gauges.time - before).clamp(1.0, LONGEST);
        self.seconds += passed;
        let second = self.seconds.round() as u64;
        self.course.wait(second, passed);
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
    use super::*;
    use crate::run::axis::Axis;

    #[test]
    fn what_nobody_measured_takes_no_room() {
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
        assert_eq!(history.course.mapper(Axis::Time).at(24.0), 24.0);
        assert!(history.gpus.is_empty() && history.newest.is_some());
    }
}
