//! A chart as SVG 1.1: axes, grid, curves, marks of changes, title and legend.

use super::ticks::ValueAxis;
use super::{Chart, ChartCurve, LinePattern, Marker};
use crate::run::axis::ticks::{distance, tick_text};
use std::fmt::Write;

/// Width and height of the picture.
const SIZE: (f64, f64) = (900.0, 480.0);
/// Distances of the plot from the edges: left, top, right, bottom.
const MARGINS: (f64, f64, f64, f64) = (64.0, 62.0, 24.0, 52.0);
/// Width of a character of the legend, about.
const CHARACTER: f64 = 7.2;
/// Points of a curve up to which each has a marker.
const MAX_MARKERS: usize = 60;
const FONT: &str = "system-ui,-apple-system,'Segoe UI','DejaVu Sans','Liberation Sans',Arial,sans-serif";

/// The area of the curves.
struct Plot<'a> {
    ends: (f64, f64),
    values: &'a ValueAxis,
}

impl Plot<'_> {
    const LEFT: f64 = MARGINS.0;
    const RIGHT: f64 = SIZE.0 - MARGINS.2;
    const TOP: f64 = MARGINS.1;
    const BOTTOM: f64 = SIZE.1 - MARGINS.3;

    fn x(&self, position: f64) -> f64 {
        let (from, to) = self.ends;
        Self::LEFT + (position - from) / (to - from) * (Self::RIGHT - Self::LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        Self::BOTTOM - self.values.fraction(value) * (Self::BOTTOM - Self::TOP)
    }
}

/// The chart as an SVG document.
pub fn svg(chart: &Chart<'_>) -> String {
    let colors = &chart.colors;
    let (width, height) = SIZE;
    let title = escaped(&chart.title);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" font-family=\"{FONT}\" font-size=\"13\">\n\
         <title>{title}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n\
         <text x=\"{}\" y=\"24\" font-size=\"16\" font-weight=\"bold\" fill=\"{}\">{title}</text>\n",
        colors.background,
        Plot::LEFT,
        colors.text,
    );
    let ends = chart.ends();
    let pieces: Vec<Vec<Vec<(f64, f64)>>> =
        chart.curves.iter().map(|curve| chart.points(curve, ends)).collect();
    let values = pieces.iter().flatten().flatten().map(|(_, value)| *value);
    let bounds = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if bounds.0.is_finite() {
        let values = ValueAxis::of(bounds, chart.range.is_log, chart.is_percent);
        let plot = Plot { ends, values: &values };
        draw_axes(&mut out, chart, &plot);
        draw_changes(&mut out, chart, &plot);
        for (curve, pieces) in chart.curves.iter().zip(&pieces) {
            draw_curve(&mut out, curve, pieces, &plot, &colors.background);
        }
        draw_legend(&mut out, chart);
    } else {
        let (x, y) = (width / 2.0, height / 2.0);
        push(
            &mut out,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" fill=\"{}\">no values in this range</text>\n",
                colors.muted
            ),
        );
    }
    out + "</svg>\n"
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    out.write_fmt(text).ok();
}

fn draw_axes(out: &mut String, chart: &Chart<'_>, plot: &Plot<'_>) {
    let colors = &chart.colors;
    let (left, right, bottom) = (Plot::LEFT, Plot::RIGHT, Plot::BOTTOM);
    for (value, label) in &plot.values.ticks {
        let y = number(plot.y(*value));
        push(
            out,
            format_args!(
                "<path d=\"M{left} {y}H{right}\" stroke=\"{}\" stroke-opacity=\"0.35\"/>\n",
                colors.frame
            ),
        );
        let x = left - 8.0;
        push(
            out,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" dy=\"4\" text-anchor=\"end\" fill=\"{}\">{label}</text>\n",
                colors.muted
            ),
        );
    }
    let (from, to) = plot.ends;
    let every = distance(chart.range.axis, to - from, 10.0);
    let first = (from / every - 1e-9).ceil();
    let count = (((to - from) / every).floor() as usize).min(100);
    for tick in
        (0..=count).map(|index| (first + index as f64) * every).filter(|tick| *tick <= to * (1.0 + 1e-9))
    {
        let x = number(plot.x(tick));
        push(out, format_args!("<path d=\"M{x} {bottom}v5\" stroke=\"{}\"/>\n", colors.frame));
        let (y, label) = (bottom + 20.0, tick_text(chart.range.axis, tick, every, to));
        push(
            out,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" fill=\"{}\">{label}</text>\n",
                colors.muted
            ),
        );
    }
    push(
        out,
        format_args!(
            "<path d=\"M{left} {}V{bottom}H{right}\" fill=\"none\" stroke=\"{}\"/>\n",
            Plot::TOP,
            colors.frame
        ),
    );
    let (x, y) = (f64::midpoint(left, right), bottom + 42.0);
    let unit = if chart.is_percent { ", values in %" } else { "" };
    push(
        out,
        format_args!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" fill=\"{}\">{}{unit}</text>\n",
            colors.muted,
            chart.range.axis.name()
        ),
    );
}

fn draw_changes(out: &mut String, chart: &Chart<'_>, plot: &Plot<'_>) {
    let (from, to) = plot.ends;
    for change in &chart.changes {
        let at = change.step_axis.mapper(chart.range.axis).at(change.step as f64);
        if !(from..=to).contains(&at) {
            continue;
        }
        let (x, bottom, color) = (number(plot.x(at)), Plot::BOTTOM, &chart.colors.change);
        push(
            out,
            format_args!(
                "<g><title>step {}: {}</title><path d=\"M{x} {}V{bottom}\" stroke=\"{color}\" stroke-opacity=\"0.5\" \
             stroke-dasharray=\"2 4\"/><path d=\"M{x} {}l5 9h-10z\" fill=\"{color}\"/></g>\n",
                change.step,
                escaped(&change.text),
                Plot::TOP,
                bottom - 9.0,
            ),
        );
    }
}

fn draw_curve(
    out: &mut String,
    curve: &ChartCurve<'_>,
    pieces: &[Vec<(f64, f64)>],
    plot: &Plot<'_>,
    background: &str,
) {
    for piece in pieces {
        let mut path = String::new();
        for (index, (position, value)) in piece.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            push(
                &mut path,
                format_args!("{command}{} {}", number(plot.x(*position)), number(plot.y(*value))),
            );
        }
        let dashes =
            dashes(curve.pattern).map_or(String::new(), |dashes| format!(" stroke-dasharray=\"{dashes}\""));
        push(
            out,
            format_args!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\" stroke-linejoin=\"round\"{dashes}/>\n",
                curve.color,
            ),
        );
    }
    if pieces.iter().map(Vec::len).sum::<usize>() <= MAX_MARKERS {
        for (position, value) in pieces.iter().flatten() {
            out.push_str(&marker(curve, plot.x(*position), plot.y(*value), background));
        }
    }
}

/// One entry for each name, from left to right.
fn draw_legend(out: &mut String, chart: &Chart<'_>) {
    let mut entries: Vec<&ChartCurve<'_>> = Vec::new();
    for curve in &chart.curves {
        if !curve.series.is_empty() && entries.iter().all(|known| known.name != curve.name) {
            entries.push(curve);
        }
    }
    let y = 44.0;
    let mut x = Plot::LEFT;
    for (index, curve) in entries.iter().enumerate() {
        let width = 44.0 + CHARACTER * curve.name.chars().count() as f64;
        if x + width > Plot::RIGHT {
            let more = entries.len() - index;
            push(
                out,
                format_args!(
                    "<text x=\"{x}\" y=\"{y}\" dy=\"4\" fill=\"{}\">and {more} more</text>\n",
                    chart.colors.muted
                ),
            );
            return;
        }
        let dashes =
            dashes(curve.pattern).map_or(String::new(), |dashes| format!(" stroke-dasharray=\"{dashes}\""));
        push(
            out,
            format_args!("<path d=\"M{x} {y}h24\" stroke=\"{}\" stroke-width=\"1.8\"{dashes}/>", curve.color),
        );
        out.push_str(&marker(curve, x + 12.0, y, &chart.colors.background));
        push(
            out,
            format_args!(
                "<text x=\"{}\" y=\"{y}\" dy=\"4\" fill=\"{}\">{}</text>\n",
                x + 30.0,
                chart.colors.text,
                escaped(&curve.name)
            ),
        );
        x += width;
    }
}

/// The dashes of a pattern, in pixels.
fn dashes(pattern: LinePattern) -> Option<&'static str> {
    match pattern {
        LinePattern::Solid => None,
        LinePattern::Dashed => Some("7 4"),
        LinePattern::Dotted => Some("2 3"),
        LinePattern::DashDotted => Some("7 3 2 3"),
    }
}

fn marker(curve: &ChartCurve<'_>, x: f64, y: f64, background: &str) -> String {
    let (x, y, color) = (number(x), number(y), &curve.color);
    match curve.marker {
        Marker::None => String::new(),
        Marker::Disc => format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"3.6\" fill=\"{color}\"/>\n"),
        Marker::Ring => {
            format!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"3.2\" fill=\"{background}\" stroke=\"{color}\" stroke-width=\"1.4\"/>\n"
            )
        }
        Marker::Diamond => {
            format!("<path d=\"M{x} {y}m0 -4.4l4.4 4.4l-4.4 4.4l-4.4 -4.4z\" fill=\"{color}\"/>\n")
        }
    }
}

/// With at most two decimals.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Text of a document: without characters that XML reserves or forbids.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\u{9}' => out.push(' '),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
