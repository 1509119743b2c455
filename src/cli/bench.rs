//! `bench`: how fast this machine trains and judges.

use super::args::{Bench, Global};
use super::output;
use crate::bench::{Lengths, Options, Phase, Report, Speed, measure};
use crate::catalog::shape;
use crate::error::{Error, Result};
use crate::format;
use crate::nn::{self, KernelRate};
use crate::spec;

pub(super) fn bench(global: &Global, args: &Bench) -> Result<()> {
    let device = global.device.iter().map(|device| ("device".to_owned(), device.to_string()));
    let batch = ("per_device_train_batch_size".to_owned(), args.batch.to_string());
    let longest = ("max_seq_length".to_owned(), "512".to_owned());
    let sets: Vec<_> = [batch, longest].into_iter().chain(args.set.iter().cloned()).chain(device).collect();
    let spec = spec::built_in("bench").with(&sets)?;
    let shape =
        shape(&args.shape).ok_or_else(|| Error::Usage(format!("there is no shape {}", args.shape)))?;
    let options = Options {
        shape,
        lengths: Lengths::parse(&args.lengths)?,
        seconds: args.seconds,
        has_kernels: args.kernels,
    };
    let report = measure(&spec, &options)?;
    if report.product_gflops.is_some() && nn::cached_matmul_rate(&report.precision, spec.threads).is_none() {
        // What later trainings on this machine are held against.
        nn::measure_matmul_rate(&report.precision, spec.threads)?;
    }
    if global.json { output::json(&report) } else { output::line(lines(&report)) }
}

fn lines(report: &Report) -> String {
    let parameters = format::short(report.parameters as f64);
    let mut head = vec![
        row("device", &report.device),
        row(
            "model",
            &format!("{}, {parameters} parameters, random weights, {}", report.shape, report.precision),
        ),
        row("inputs", &format!("{} tokens: {:.1} an example", report.lengths, report.tokens_per_example)),
        row("training", &speed(report.training, &format!("step of {}", report.batch))),
        row("inference", &speed(report.inference, "batch")),
        row("one input", &format!("{:.2} ms (median)", report.one_input.median_ms)),
    ];
    if let (Some(whole), Some(alone), Some(share)) =
        (report.gflops, report.product_gflops, report.share_of_products)
    {
        let text = format!(
            "{whole:.0} GFLOP/s over the whole step, {:.0} % of the {alone:.0} that its products reach alone",
            share * 100.0
        );
        head.push(row("arithmetic", &text));
    }
    head.extend(report.notes.iter().map(|note| row("note", note)));
    if let Some(peak) = report.peak_memory {
        head.push(row("memory", &format!("{} at most", format::bytes(peak))));
    }
    if !report.passes.is_empty() {
        let pass = |pass: &Phase| format!("{} {:.0} %", pass.name, 100.0 * pass.share);
        head.push(row("a step", &report.passes.iter().map(pass).collect::<Vec<_>>().join("   ")));
    }
    if report.phases.is_empty() {
        return head.join("\n");
    }
    let mut table = vec![["PHASE", "MS A STEP", "SHARE", "GFLOP/S"].map(str::to_owned).to_vec()];
    table.extend(report.phases.iter().map(|phase| {
        let rate = phase.gflops.map_or(String::new(), |rate| format!("{rate:>7.0}"));
        vec![
            phase.name.to_owned(),
            format!("{:>9.2}", phase.ms),
            format!("{:>4.1} %", phase.share * 100.0),
            rate,
        ]
    }));
    let mut parts = vec![head.join("\n"), output::table(&table)];
    if !report.kernels.is_empty() {
        parts.push(output::table(&kernels(&report.kernels)));
    }
    parts.join("\n\n")
}

fn kernels(rates: &[KernelRate]) -> Vec<Vec<String>> {
    let mut table = vec![["KERNEL, ONE THREAD", "MS A CALL", "GB/S", "GFLOP/S"].map(str::to_owned).to_vec()];
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
        "{} examples/s   {} tokens/s   {median_ms:.1} ms a {round} (median)",
        format::short(examples_per_second),
        format::short(tokens_per_second)
    )
}
