//! Hardware usage during training: time per stage, processor, memory and GPUs; as a strip on the Live screen and as the
//! Machine screen.

use super::chart_pane::{ChartTitle, draw_chart_pane};
use super::run_header::{draw_header, draw_no_run};
use crate::event::Stage;
use crate::format;
use crate::machine::{Gauges, Gpu};
use crate::run::axis::Axis;
use crate::run::gauges::{GIB, GaugeHistory, GpuHistory};
use crate::run::history::History;
use crate::run::series::Series;
use crate::text;
use crate::tui::layout::LIVE_STRIP;
use crate::tui::state::App;
use crate::tui::state::run::RunState;
use crate::tui::theme::{CURVES, Role, Symbol, Theme};
use crate::tui::widgets::bars::{fill, sparkline_in, stacked};
use crate::tui::widgets::line_chart::{ChartView, Curve, CurveStyle, Dash, LineChart, Reference};
use crate::tui::widgets::{draw_text, padded_pane, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;

/// Maximum number of GPUs in the strip.
const STRIP_GPUS: usize = 2;
/// Width of a sparkline in cells.
const SPARK: usize = 12;
/// Width of a stage in the table in cells: symbol, name, percentage and time.
const STAGE: u16 = 33;
/// Smaller fractions are left out of short lists.
const MIN_FRACTION: f64 = 0.005;

/// Draws the Machine screen.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(run) = app.shown_run() else {
        draw_no_run(app, area, buffer);
        return;
    };
    let history = run.history();
    let columns = (area.width.saturating_sub(4) / STAGE).clamp(1, Stage::ALL.len() as u16);
    let table = (Stage::ALL.len() as u16).div_ceil(columns);
    let heights = [Constraint::Length(2), Constraint::Length(table + 4), Constraint::Fill(1)];
    let [header, time, charts] = Layout::vertical(heights).areas(area);
    draw_header(app, run, header, buffer);
    draw_time(app, history, columns, time, buffer);
    draw_charts(app, history, charts, buffer);
}

/// Each stage with its number, its fraction of the time and its style.
fn stages(history: &History) -> Vec<(Stage, (usize, f64, Role))> {
    let shares = history.stages();
    let part = |(number, stage): (usize, Stage)| {
        let share = shares.get(&stage).copied().unwrap_or(0.0);
        (stage, (number, share, Role::Curve(number as u8 % CURVES)))
    };
    if shares.is_empty() { Vec::new() } else { Stage::ALL.into_iter().enumerate().map(part).collect() }
}

/// The stages of a training step, as fractions of its time.
fn stages_of_step(history: &History) -> Vec<(Stage, (usize, f64, Role))> {
    let is_outside = |stage| matches!(stage, Stage::Evaluation | Stage::Saving);
    let mut stages = stages(history);
    stages.retain(|(stage, _)| !is_outside(*stage));
    let whole: f64 = stages.iter().map(|(_, (_, share, _))| share).sum();
    for (_, (_, share, _)) in &mut stages {
        *share /= whole;
    }
    stages
}

/// The largest stages as text: `forward 38 %, backward 51 %`; empty without measurements.
pub(super) fn stages_text(history: &History, theme: Theme) -> String {
    let large = stages(history).into_iter().filter(|(_, (_, share, _))| *share >= MIN_FRACTION);
    let words = large.map(|(stage, (_, share, _))| format!("{} {:.0} %", stage.name(), 100.0 * share));
    words.collect::<Vec<_>>().join(theme.symbol(Symbol::Dot))
}

/// Draws a bar of the stages of a step in line `row` of `area`, and below it as many names as fit; returns the number of
/// lines used.
pub(super) fn draw_short_stages(
    app: &App,
    history: &History,
    area: Rect,
    row: u16,
    buffer: &mut Buffer,
) -> u16 {
    let stages = stages_of_step(history);
    if stages.is_empty() || row + 2 > area.height {
        return 0;
    }
    let y = area.y + row;
    let parts: Vec<_> = stages.iter().map(|(_, part)| *part).collect();
    stacked(buffer, Rect { y, height: 1, ..area }, &parts, app.theme);
    let mut x = area.x;
    for (stage, (_, share, role)) in stages.iter().filter(|(_, (_, share, _))| *share >= MIN_FRACTION) {
        // No space before the unit, so that two stages fit into the narrowest pane.
        let text = format!("{} {:>2.0}%", stage.name(), 100.0 * share);
        if x + text::width(&text) as u16 > area.right() {
            break;
        }
        x = draw_text(buffer, x, y + 1, area.width, &text, app.theme.style(*role)) + 1;
    }
    2
}

/// Draws the time per stage as a bar and a table, and the efficiency of the arithmetic.
fn draw_time(app: &App, history: &History, columns: u16, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = padded_pane(theme, "Where the time goes", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let mut stages = stages(history);
    // Engines that report forward and backward passes separately have almost no other time.
    stages.retain(|(stage, (_, share, _))| *stage != Stage::Other || *share >= MIN_FRACTION);
    if stages.is_empty() {
        let is_old = history.step.is_some() && history.is_over();
        let text =
            if is_old { "not recorded in this run" } else { "available one second after the first step" };
        draw_text(buffer, inner.x, inner.y, inner.width, text, theme.style(Role::Muted));
        return;
    }
    let parts: Vec<_> = stages.iter().map(|(_, part)| *part).collect();
    stacked(buffer, Rect { height: 1.min(inner.height), ..inner }, &parts, theme);
    let rows = (stages.len() as u16).div_ceil(columns);
    for (index, (stage, (number, share, role))) in stages.into_iter().enumerate() {
        let (column, row) = (index as u16 / rows, index as u16 % rows);
        let (x, y) = (inner.x + column * STAGE, inner.y + 1 + row);
        if y >= inner.bottom() {
            continue;
        }
        let seconds = history.usage.seconds.get(&stage).copied().unwrap_or(0.0);
        let x = draw_text(buffer, x, y, 2, fill(number, theme), theme.style(role)) + 1;
        let text = format!("{:<10} {:>5.1} % {:>8}", stage.name(), 100.0 * share, format::duration(seconds));
        draw_text(buffer, x, y, inner.right().saturating_sub(x), &text, theme.style(Role::Text));
    }
    let y = inner.y + 1 + rows;
    if y < inner.bottom() {
        let text = truncate(theme, &arithmetic(history), inner.width as usize);
        draw_text(buffer, inner.x, y, inner.width, &text, theme.style(Role::Text));
    }
}

/// The speed of the arithmetic, also relative to plain matrix products, and the fraction of padding.
fn arithmetic(history: &History) -> String {
    let mut words = Vec::new();
    if let Some((rate, share)) = history.arithmetic() {
        words.push(format!("{:.0} GFLOP/s", rate / 1e9));
        words.extend(share.map(|share| format!("about {:>2.0} % of plain matrix products", 100.0 * share)));
    }
    words.extend(history.padding().map(|padding| format!("padding {:>2.0} %", 100.0 * padding)));
    words.join("   ")
}

/// Height of the strip on the Live screen; 0 if the screen is too small or there are no measurements.
pub(super) fn strip_height(run: &RunState, area: Rect) -> u16 {
    let is_known = run.is_live() || run.history().gauges.newest.is_some();
    if area.width < LIVE_STRIP.0 || area.height < LIVE_STRIP.1 || !is_known {
        return 0;
    }
    let gpus = run.history().gauges.newest.as_ref().map_or(0, |gauges| gauges.gpus.len());
    3 + gpus.min(STRIP_GPUS) as u16
}

/// Draws the strip, if there is room for it.
pub(super) fn draw_strip(app: &App, history: &History, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = app.theme;
    let block = padded_pane(theme, "Machine", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let gauges = &history.gauges;
    let Some(newest) = &gauges.newest else {
        let text = "Waiting for the first measurement";
        draw_text(buffer, inner.x, inner.y, inner.width, text, theme.style(Role::Muted));
        return;
    };
    let share = |series: &Series| recent_sparkline(series, 1.0, theme);
    let mut line = StripLine { buffer, theme, x: inner.x, y: inner.y, right: inner.right() };
    line.push("cpu", &percent(newest.cpu), &share(&gauges.cpu));
    line.push("this run", &percent(newest.process_cpu), &share(&gauges.process_cpu));
    let memory = format!("{:>6.2} GiB", newest.process_memory as f64 / GIB);
    line.push("memory", &memory, "");
    line.push("", &memory_text(history, newest), "");
    for (number, (gpu, history)) in newest.gpus.iter().zip(&gauges.gpus).take(STRIP_GPUS).enumerate() {
        line.x = inner.x;
        line.y += 1;
        line.push(&format!("GPU {number}"), &percent(gpu.busy), &share(&history.busy));
        line.push("memory", &gpu_memory(gpu), "");
        line.push("", &gpu_state(gpu, theme), "");
        line.push("", &gpu.name, "");
    }
}

/// Appends names, numbers and sparklines to a line.
struct StripLine<'a> {
    buffer: &'a mut Buffer,
    theme: Theme,
    x: u16,
    y: u16,
    right: u16,
}

impl StripLine<'_> {
    fn push(&mut self, name: &str, value: &str, bars: &str) {
        for (text, role) in [(name, Role::Muted), (value, Role::Text), (bars, Role::Train)] {
            if !text.is_empty() && self.x < self.right {
                let style = self.theme.style(role);
                self.x = draw_text(self.buffer, self.x, self.y, self.right - self.x, text, style) + 1;
            }
        }
        self.x += 2;
    }
}

/// A sparkline of the newest values, scaled from 0 to `max`.
fn recent_sparkline(series: &Series, max: f64, theme: Theme) -> String {
    sparkline_in((0.0, max), series.recent().map(|(_, value)| value), SPARK, theme)
}

fn percent(share: f64) -> String {
    format!("{:>3.0} %", 100.0 * share)
}

/// Planned memory of the run, and free memory of the machine.
fn memory_text(history: &History, newest: &Gauges) -> String {
    let planned = history.started.as_ref().and_then(|started| started.planned_memory);
    let planned = planned.map_or(String::new(), |bytes| format!("planned {:.2}, ", bytes as f64 / GIB));
    let [free, total] = [newest.available_memory, newest.total_memory].map(|bytes| bytes as f64 / GIB);
    format!("{planned}free {free:.1} of {total:.1} GiB")
}

fn gpu_memory(gpu: &Gpu) -> String {
    format!("{:>6.2} of {:.2} GiB", gpu.memory as f64 / GIB, gpu.total_memory as f64 / GIB)
}

/// Power and temperature, if known.
fn gpu_state(gpu: &Gpu, theme: Theme) -> String {
    let watts = gpu.watts.map(|watts| format!("{watts:>4.0} W"));
    let celsius = gpu.celsius.map(|degrees| format!("{degrees:>3.0} {}", theme.symbol(Symbol::Celsius)));
    watts.into_iter().chain(celsius).collect::<Vec<_>>().join("  ")
}

/// Name, style and pattern of the line, role and values of a curve.
type PanelCurve<'a> = (&'static str, (CurveStyle, Dash), Role, &'a Series);

/// A chart of the Machine screen.
struct Panel<'a> {
    title: ChartTitle,
    curves: Vec<PanelCurve<'a>>,
    is_share: bool,
    planned: Option<f64>,
}

/// Draws the charts in two or three columns.
fn draw_charts(app: &App, history: &History, area: Rect, buffer: &mut Buffer) {
    let panels = panels(history, app.theme);
    let columns = if area.width >= 150 && panels.len() > 2 { 3 } else { 2 };
    // Charts below five lines are unreadable.
    let rows = panels.len().div_ceil(columns).min((area.height / 5).max(1) as usize);
    let lines = Layout::vertical(vec![Constraint::Fill(1); rows]).split(area);
    for (row, panels) in panels.chunks(columns).take(rows).enumerate() {
        let areas = Layout::horizontal(vec![Constraint::Fill(1); columns]).split(lines[row]);
        for (panel, area) in panels.iter().zip(areas.iter()) {
            draw_panel(app, &history.gauges, panel, *area, buffer);
        }
    }
}

fn draw_panel<'a>(
    app: &App,
    gauges: &'a GaugeHistory,
    panel: &'a Panel<'a>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let curve = |(name, (style, dash), role, series): &'a PanelCurve<'a>| Curve {
        name,
        role: *role,
        style: *style,
        dash: *dash,
        series: vec![*series],
        step_axis: &gauges.time_axis,
        is_smoothed: false,
        is_faint: false,
    };
    let curves: Vec<Curve<'_>> = panel.curves.iter().map(curve).collect();
    let mut view: ChartView = app.gauges;
    view.axis = Axis::Time;
    // In a narrow chart the curve would overlap the name, which is also in the title.
    let name = if area.width >= 72 { "planned" } else { "" };
    let planned = panel.planned.map(|value| Reference { name, value, spread: 0.0 });
    let chart = LineChart {
        curves: &curves,
        view,
        steps: 0,
        percent: panel.is_share,
        references: planned.as_slice(),
        changes: &[],
        span: Some((0.0, if panel.is_share { 1.0 } else { 0.0 })),
        empty: "no measurements yet",
        theme: app.theme,
    };
    draw_chart_pane(&chart, &panel.title, false, area, buffer);
}

fn panels(history: &History, theme: Theme) -> Vec<Panel<'_>> {
    let gauges = &history.gauges;
    let newest = gauges.newest.as_ref();
    let now = |text: &dyn Fn(&Gauges) -> String| {
        newest.map_or(String::new(), |newest| format!(" {}", text(newest)))
    };
    let curve = |name, dash, role, series| (name, (CurveStyle::Line, dash), role, series);
    let cpu = now(&|newest| format!("{}, this run {}", percent(newest.cpu), percent(newest.process_cpu)));
    let memory =
        now(&|newest| format!("{:.2}, {}", newest.process_memory as f64 / GIB, memory_text(history, newest)));
    let planned = history.started.as_ref().and_then(|started| started.planned_memory);
    let mut panels = vec![
        Panel {
            title: ChartTitle { name: "Processor".into(), details: cpu },
            curves: vec![
                curve("all", Dash::Dotted, Role::Muted, &gauges.cpu),
                curve("this run", Dash::Solid, Role::Train, &gauges.process_cpu),
            ],
            is_share: true,
            planned: None,
        },
        Panel {
            title: ChartTitle { name: "Memory, GiB".into(), details: memory },
            curves: vec![curve("", Dash::Solid, Role::Train, &gauges.process_memory)],
            is_share: false,
            planned: planned.map(|bytes| bytes as f64 / GIB),
        },
    ];
    if !gauges.gpus.is_empty() {
        panels.extend(gpu_panels(gauges, theme));
    }
    panels
}

/// Use, memory, power and temperature of the GPUs; with a single GPU, the titles show its state.
fn gpu_panels(gauges: &GaugeHistory, theme: Theme) -> Vec<Panel<'_>> {
    let newest = gauges.newest.as_ref().map_or(&[][..], |newest| &newest.gpus);
    let state = |text: &dyn Fn(&Gpu) -> String| match newest {
        [gpu] => format!(" {}", text(gpu)),
        _ => String::new(),
    };
    let panel = |name: &str, details: String, is_share: bool, series: fn(&GpuHistory) -> &Series| {
        // There are ten digits.
        let style = |number: usize| match (gauges.gpus.len(), number) {
            (1, _) | (_, 10..) => CurveStyle::Line,
            (_, digit) => CurveStyle::Marked(Symbol::Digit(digit as u8)),
        };
        let title = ChartTitle { name: name.into(), details };
        let curve = |(number, gpu)| {
            ("", (style(number), Dash::of(number)), Role::Curve(number as u8 % CURVES), series(gpu))
        };
        Panel { title, curves: gauges.gpus.iter().enumerate().map(curve).collect(), is_share, planned: None }
    };
    let degrees = theme.symbol(Symbol::Celsius);
    let busy = state(&|gpu| format!("{}, {}", percent(gpu.busy), gpu.name));
    let watts = state(&|gpu| gpu.watts.map_or(String::new(), |watts| format!("{watts:>4.0} W")));
    let celsius = state(&|gpu| gpu.celsius.map_or(String::new(), |value| format!("{value:>3.0} {degrees}")));
    vec![
        panel("GPU", busy, true, |gpu| &gpu.busy),
        panel("GPU memory, GiB", state(&gpu_memory), false, |gpu| &gpu.memory),
        panel("GPU power, W", watts, false, |gpu| &gpu.watts),
        panel(&format!("GPU temperature, {degrees}"), celsius, false, |gpu| &gpu.celsius),
    ]
}
