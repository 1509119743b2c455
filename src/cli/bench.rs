//! `bench`: measures the speed of training and inference on this machine.

use super::args::{BenchArgs, GlobalArgs};
use super::output;
use crate::bench::{Lengths, Options, Phase, Report, Speed, measure};
use crate::catalog::shape;
use crate::error::{Error, Result};
use crate::format;
use crate::nn::{self, KernelRate};
use crate::spec;

pub(super) fn bench(global: &GlobalArgs, args: &BenchArgs) -> Result<()> {
    let device = global.device.iter().map(|device| ("device".to_owned(), device.to_string()));
    let batch = ("per_device_train_batch_size".to_owned(), args.batch.to_string());
    let max_length = ("max_seq_length".to_owned(), "8192".to_owned());
    let sets: Vec<_> =
        [batch, max_length].into_iter().chain(args.set.iter().cloned()).chain(device).collect();
    let mut spec = spec::built_in("bench").with(&sets)?;
    if let Some(precision) = args.precision {
        // Training does not support all of them.
        spec.precision = precision;
    }
    let shape = shape(&args.shape).ok_or_else(|| Error::Usage(format!("unknown shape {}", args.shape)))?;
    let options = Options {
        shape,
        lengths: Lengths::parse(&args.lengths)?,
        seconds: args.seconds,
        has_kernels: args.kernels,
    };
    let report = measure(&spec, &options)?;
    if report.product_gflops.is_some() && nn::cached_matmul_rate(&report.precision, spec.threads).is_none() {
        // Later runs on this machine report their speed relative to this rate.
        nn::measure_matmul_rate(&report.precision, spec.threads)?;
    }
    if global.json { output::json(&report) } else { output::stdout_line(report_text(&report)) }
}

fn report_text(report: &Report) -> String {
    let parameters = format::short(report.parameters as f64);
    let mut head = vec![
        row("device", &report.device),
        row(
            "model",
            &format!("{}, {parameters} parameters, random weights, {}", report.shape, report.precision),
        ),
        row("inputs", &format!("{} tokens: {:.1} per example", report.lengths, report.tokens_per_example)),
    ];
    head.extend(report.training.map(|training| {
        let step = format!("step of {}", report.batch);
        row("training", &speed(training, &step))
    }));
    head.push(row("inference", &speed(report.inference, "batch")));
    head.push(row("one input", &format!("{:.2} ms (median)", report.one_input.median_ms)));
    if let (Some(whole), Some(alone), Some(share)) =
        (report.gflops, report.product_gflops, report.share_of_products)
    {
        let text = format!(
            "{whole:.0} GFLOP/s over the whole step, {:.0} % of the {alone:.0} GFLOP/s of its matrix products alone",
            share * 100.0
        );
        head.push(row("arithmetic", &text));
    }
    head.extend(report.notes.iter().map(|note| row("note", note)));
    if let Some(peak) = report.peak_memory {
        head.push(row("memory", &format!("{} peak", format::bytes(peak))));
    }
    if !report.passes.is_empty() {
        let pass = |pass: &Phase| format!("{} {:.0} %", pass.name, 100.0 * pass.share);
        head.push(row("per step", &report.passes.iter().map(pass).collect::<Vec<_>>().join("   ")));
    }
    if report.phases.is_empty() {
        return head.join("\n");
    }
    let mut table = vec![["PHASE", "MS/STEP", "SHARE", "GFLOP/S"].map(str::to_owned).to_vec()];
    table.extend(report.phases.iter().map(|phase| {
        let gflops = phase.gflops.map_or(String::new(), |gflops| format!("{gflops:>7.0}"));
        vec![
            phase.name.to_owned(),
            format!("{:>9.2}", phase.ms),
            format!("{:>4.1} %", phase.share * 100.0),
            gflops,
        ]
    }));
    let mut sections = vec![head.join("\n"), output::table(&table)];
    if !report.kernels.is_empty() {
        sections.push(output::table(&kernel_table(&report.kernels)));
    }
    sections.join("\n\n")
}

fn kernel_table(rates: &[KernelRate]) -> Vec<Vec<String>> {
    let mut table = vec![["KERNEL, ONE THREAD", "MS/CALL", "GB/S", "GFLOP/S"].map(str::to_owned).to_vec()];
    table.extend(rates.iter().map(|rate| {
        let gflops = rate.gflops.map_or(String::new(), |gflops| format!("{gflops:>7.0}"));
        vec![rate.name.to_owned(), format!("{:>9.3}", rate.ms), format!("{:>5.1}", rate.gbytes), gflops]
    }));
    table
}

fn row(name: &str, text: &str) -> String {
    format!("{name:<12}{text}")
}

fn speed(speed: Speed, round: &str) -> String {
    let Speed { median_ms, examples_per_second, tokens_per_second, .. } = speed;
    format!(
        "{} examples/s   {} tokens/s   {median_ms:.1} ms per {round} (median)",
        format::short(examples_per_second),
        format::short(tokens_per_second)
    )
}
