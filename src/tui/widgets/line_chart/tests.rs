use super::*;
use crate::event::Step;
use crate::run::axis::StepAxis;
use crate::run::series::Series;
use crate::tui::theme::{Charset, ColorDepth, Theme};

const UNICODE: Theme = Theme::new(ColorDepth::None, Charset::Unicode);
const ASCII: Theme = Theme::new(ColorDepth::None, Charset::AsciiSymbols);

fn series(points: impl IntoIterator<Item = (u64, f64)>) -> Series {
    let mut series = Series::default();
    points.into_iter().for_each(|(step, value)| series.push(step, value));
    series
}

/// The steps of a run: two epochs, 32 examples and half a second per step.
fn step_axis(steps: u64) -> StepAxis {
    let mut step_axis = StepAxis::default();
    step_axis.steps_per_epoch = steps / 2;
    for step in 1..=steps {
        step_axis.step(&Step {
            step,
            epoch: 0.0,
            loss: 0.0,
            learning_rate: 0.0,
            grad_norm: 0.0,
            examples: 32,
            tokens: 640,
            seconds: 0.5,
            usage: None,
        });
    }
    step_axis
}

fn chart<'a>(curves: &'a [Curve<'a>], steps: u64, theme: Theme) -> LineChart<'a> {
    let view = ChartView::default();
    LineChart {
        curves,
        view,
        steps,
        percent: false,
        references: &[],
        changes: &[],
        span: None,
        empty: "-",
        theme,
    }
}

fn curve<'a>(name: &'a str, style: CurveStyle, series: &'a Series, step_axis: &'a StepAxis) -> Curve<'a> {
    Curve {
        name,
        role: Role::Train,
        style,
        dash: Dash::Solid,
        series: vec![series],
        step_axis,
        is_smoothed: false,
        is_faint: false,
    }
}

fn with_keys(keys: &[ChartKey]) -> ChartView {
    let mut view = ChartView::default();
    for key in keys {
        view.apply(*key);
    }
    view
}

fn drawn(chart: &LineChart<'_>, width: u16, height: u16) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    chart.draw(area, &mut buffer);
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol().to_string()).collect::<String>();
    (0..height).map(|y| row(y).trim_end().to_string()).collect()
}

#[test]
fn draws_line_and_points() {
    let loss = series((1..=100).map(|step| (step, 1.0 - step as f64 / 110.0)));
    let validation = series([(0, 0.9), (50, 0.6), (100, 0.5)]);
    let step_axis = step_axis(100);
    let curves = [
        curve("train", CurveStyle::Line, &loss, &step_axis),
        curve("validation", CurveStyle::Points(Symbol::Disc), &validation, &step_axis),
    ];
    let expected = [
        "  1.0┤●⣀⠲⠤⣄⡀",
        "     │ ⠈⠉⠙⠒⠲⠤⠤⣄⣀⡀⡀",
        "     │          ⠉⠉⠙⠒⠲⠤⢤●⣀⣀⣀",
        "  0.5┤                ⠉⠙⠓⠦⠈⠉⠉⠉⠉⠉⠓⠒⠒⠒⠒⠒⠦⠤● validation",
        "     │                      ⠉⠙⠒⠦⣄⣀        0.500",
        "     │                           ⠈⠉⠓⠲⢤⣄⣀  train",
        "  0.0┤                                 ⠉⠙ 0.091",
        "     └┬────────────────┬────────────────┬",
        "      0             epoch 1             2",
    ];
    let got = drawn(&chart(&curves, 100, UNICODE), 52, 9).join("\n");
    assert_eq!(got, expected.join("\n"), "\n{got}");
    let plain = drawn(&chart(&curves, 100, ASCII), 52, 9).join("\n");
    assert!(plain.is_ascii() && plain.contains('*') && plain.contains('o'), "{plain}");
}

#[test]
fn spike_in_a_million_steps_is_marked() {
    let loss = series((1..=1_000_000).map(|step| (step, if step == 500_000 { 80.0 } else { 0.5 })));
    let step_axis = step_axis(1000);
    let curves = [curve("train", CurveStyle::Line, &loss, &step_axis)];
    let rows = drawn(&chart(&curves, 1_000_000, UNICODE), 60, 12);
    assert_eq!(rows[0].matches('▲').count(), 1, "{}", rows.join("\n"));
    assert!(rows[1].contains("▲ up to 80.00"), "{}", rows.join("\n"));
}

#[test]
fn non_finite_values_are_gaps() {
    let loss = series((0..=40).map(|step| (step, if (10..30).contains(&step) { f64::NAN } else { 1.0 })));
    let step_axis = step_axis(40);
    let curves = [curve("", CurveStyle::Line, &loss, &step_axis)];
    let rows = drawn(&chart(&curves, 40, UNICODE), 47, 8);
    let line = rows
        .iter()
        .find(|row| row.contains('\u{2812}') || row.contains('⠤') || row.contains('⣀') || row.contains('⠉'));
    let line = line.unwrap_or_else(|| panic!("no line in\n{}", rows.join("\n")));
    let plot: Vec<char> = line.chars().skip(6).collect();
    assert!(plot[15..25].iter().all(|c| *c == ' '), "{}", rows.join("\n"));
    assert!(plot[2] != ' ' && plot[38] != ' ', "{}", rows.join("\n"));
}

#[test]
fn any_size_and_missing_data_do_not_panic() {
    let some = series([(1, 1.0)]);
    let none = Series::default();
    let bad = series([(1, f64::NAN)]);
    let step_axis = StepAxis::default();
    let log = with_keys(&[ChartKey::Log, ChartKey::NextAxis, ChartKey::NextAxis, ChartKey::CursorLeft]);
    for width in 0..40 {
        for height in 0..12 {
            for one in [&some, &none, &bad] {
                let curves = [curve("train", CurveStyle::Line, one, &step_axis)];
                drawn(&chart(&curves, 1, UNICODE), width, height);
                drawn(&chart(&curves, 0, ASCII), width, height);
                drawn(&LineChart { view: log, ..chart(&curves, 0, UNICODE) }, width, height);
            }
        }
    }
}

#[test]
fn cursor_reads_all_curves() {
    let line = series((0..=100).map(|step| (step, step as f64)));
    let points = series([(0, 10.0), (100, 30.0)]);
    let broken = series((0..=100).map(|step| (step, if step < 80 { 1.0 } else { f64::NAN })));
    let short = series((0..=20).map(|step| (step, 5.0)));
    let step_axis = step_axis(100);
    let curves: Vec<Curve<'_>> = [&line, &points, &broken, &short]
        .map(|series| curve("", CurveStyle::Line, series, &step_axis))
        .into();
    let area = Rect::new(0, 0, 107, 20);
    let read = |view| {
        let mut buffer = Buffer::empty(area);
        LineChart { view, ..chart(&curves, 100, UNICODE) }.draw(area, &mut buffer)
    };
    let read = |view| read(view).into_iter().map(|reading| Some(reading?.value)).collect::<Vec<_>>();
    assert_eq!(
        read(ChartView::default())[..2],
        [Some(100.0), Some(30.0)],
        "without a cursor: the last values"
    );
    let mut view = with_keys(&[ChartKey::CursorLeft]);
    (0..10).for_each(|_| view.apply(ChartKey::CursorLeft));
    let readings = read(view);
    assert!((readings[0].unwrap() - 90.0).abs() < 0.6 && (readings[1].unwrap() - 28.0).abs() < 0.2);
    assert_eq!(readings[2..], [None, None], "a gap and an ended curve have no value");
}

#[test]
fn zoomed_axes_have_position_labels() {
    let loss = series((1..=1000).map(|step| (step, 1000.0 / step as f64)));
    let step_axis = step_axis(1000);
    let curves = [curve("", CurveStyle::Line, &loss, &step_axis)];
    let axis_labels = |keys: &[ChartKey]| {
        let view = with_keys(keys);
        let mut rows = drawn(&LineChart { view, ..chart(&curves, 1000, UNICODE) }, 62, 10);
        rows.pop().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(axis_labels(&[]), "0 epoch 1 2");
    let (zoom, axis) = (ChartKey::ZoomIn, ChartKey::NextAxis);
    assert_eq!(axis_labels(&[zoom, zoom, axis]), "step 400 450 500 550 600");
    assert_eq!(axis_labels(&[axis, axis]), "0:00 time 2:00 4:00 6:00 8:00");
    assert_eq!(axis_labels(&[axis, axis, axis]), "0 examples 5k 10k 15k 20k 25k 30k");
}

#[test]
fn logarithmic_axis_has_tick_at_each_power() {
    let loss = series((1..=1000).map(|step| (step, 10.0 / step as f64)));
    let step_axis = step_axis(1000);
    let curves = [curve("", CurveStyle::Line, &loss, &step_axis)];
    let view = with_keys(&[ChartKey::Log]);
    let rows = drawn(&LineChart { view, ..chart(&curves, 1000, UNICODE) }, 40, 14);
    let ticks: Vec<&str> = rows.iter().filter_map(|row| row.split_once('┤')).map(|t| t.0.trim()).collect();
    assert_eq!(ticks, ["10", "1", "0.1", "0.01"], "{}", rows.join("\n"));
    let below = series([(1, -1.0), (2, 0.0)]);
    let curves = [curve("", CurveStyle::Line, &below, &step_axis)];
    let rows = drawn(&LineChart { view, ..chart(&curves, 2, UNICODE) }, 40, 14);
    assert!(rows.concat().contains("No values in this range"), "{}", rows.join("\n"));
}

/// Three seeds, of which the last has only half of the steps.
fn three_seeds() -> [Series; 3] {
    let seed = |steps, offset: f64| series((1..=steps).map(move |step| (step, 1.0 + offset)));
    [seed(100, -0.1), seed(100, 0.1), seed(50, 0.3)]
}

#[test]
fn cursor_reads_mean_and_deviation_of_seeds() {
    let (seeds, step_axis) = (three_seeds(), step_axis(100));
    let curves =
        [Curve { series: seeds.iter().collect(), ..curve("mean", CurveStyle::Mean, &seeds[0], &step_axis) }];
    let area = Rect::new(0, 0, 120, 20);
    let read = |view| {
        let mut buffer = Buffer::empty(area);
        LineChart { view, ..chart(&curves, 100, UNICODE) }.draw(area, &mut buffer)[0].unwrap()
    };
    let end = read(ChartView::default());
    assert!((end.value - 1.0).abs() < 1e-9, "{end:?}");
    assert!((end.sd - 0.02_f64.sqrt()).abs() < 1e-9, "of two seeds, {end:?}");
    let mut view = ChartView::default();
    (0..70).for_each(|_| view.apply(ChartKey::CursorLeft));
    let middle = read(view);
    assert!((middle.value - 1.1).abs() < 1e-9 && (middle.sd - 0.2).abs() < 1e-9, "of three, {middle:?}");
    assert_eq!(chart(&curves, 100, UNICODE).reading(middle), "1.100 ±0.200");
}

#[test]
fn band_is_drawn_behind_an_unbroken_line() {
    let (seeds, step_axis) = (three_seeds(), step_axis(100));
    let single = curve("train", CurveStyle::Line, &seeds[0], &step_axis);
    let band = Curve { name: "", style: CurveStyle::Mean, series: seeds.iter().collect(), ..single.clone() };
    let view = with_keys(&[ChartKey::ZoomIn, ChartKey::PanLeft]);
    for (theme, is_band) in [(UNICODE, "⠅⡂"), (ASCII, ":")] {
        let curves = [band.clone(), single.clone()];
        let rows = drawn(&LineChart { view, ..chart(&curves, 100, theme) }, 60, 16);
        let plot = rows.concat();
        assert!(is_band.chars().all(|c| plot.contains(c)), "{}", rows.join("\n"));
        let alone = drawn(&LineChart { view, ..chart(&curves[1..], 100, theme) }, 60, 16).concat();
        assert!(!is_band.chars().all(|c| alone.contains(c)), "{alone}");
    }
    for (width, height) in (0..40).flat_map(|width| (0..12).map(move |height| (width, height))) {
        let log = with_keys(&[ChartKey::Log]);
        let curves = [band.clone(), single.clone()];
        drawn(&LineChart { view: log, ..chart(&curves, 100, UNICODE) }, width, height);
        drawn(&chart(&curves[..1], 0, ASCII), width, height);
    }
}
