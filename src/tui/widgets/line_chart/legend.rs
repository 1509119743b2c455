//! The legend of a chart in one line: a sample of each curve, its name and its value.

use super::chart::{Curve, CurveStyle, Dash, LineChart, Reading};
use crate::text;
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::draw_text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Cells between two entries.
const GAP: usize = 2;
/// Longest abbreviated name.
const SHORT_NAME: usize = 5;

/// How much of an entry is drawn.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Full,
    WithoutValue,
    Abbreviated,
}

impl LineChart<'_> {
    /// Draws the legend at the right end of `line`, in as much detail as fits; returns the columns that it takes. The
    /// legend is empty if `area`, where the chart is drawn, has the names at the ends of the curves.
    pub fn draw_legend(
        &self,
        line: Rect,
        area: Rect,
        readings: &[Option<Reading>],
        buffer: &mut Buffer,
    ) -> u16 {
        let curves = self.curves.iter().zip(readings);
        let curves: Vec<(&Curve<'_>, &Option<Reading>)> =
            curves.filter(|(curve, _)| curve.role != Role::TrainRaw).collect();
        // The name of the only curve is the title of the chart.
        let is_single = matches!(&curves[..], [(curve, _)] if curve.name.is_empty());
        let shown: Vec<_> = curves
            .into_iter()
            .filter(|(curve, _)| is_single || !curve.name.is_empty())
            .filter(|(curve, _)| curve.last_step().is_some())
            .collect();
        if shown.is_empty() || (!is_single && self.has_names(area)) {
            return 0;
        }
        let has_values = self.has_values(area) && !is_single;
        for form in [Form::Full, Form::WithoutValue, Form::Abbreviated] {
            if form == Form::Full && has_values {
                continue;
            }
            let entries =
                shown.iter().map(|(curve, reading)| (self.entry(curve, reading.as_ref(), form), curve.role));
            let entries: Vec<(String, Role)> = entries.filter(|(text, _)| !text.is_empty()).collect();
            let width = entries.iter().map(|(text, _)| text::width(text) + GAP).sum::<usize>();
            if !entries.is_empty() && width <= usize::from(line.width) {
                let mut x = line.right() - width as u16;
                let start = x;
                for (text, role) in entries {
                    x = draw_text(
                        buffer,
                        x,
                        line.y,
                        line.right() - x,
                        &format!(" {text} "),
                        self.theme.style(role),
                    );
                }
                return line.right() - start;
            }
        }
        0
    }

    /// The text of an entry.
    fn entry(&self, curve: &Curve<'_>, reading: Option<&Reading>, form: Form) -> String {
        let value =
            reading.map_or_else(|| self.theme.symbol(Symbol::Dash).into(), |reading| self.reading(*reading));
        if curve.name.is_empty() {
            return if form == Form::Full { value } else { String::new() };
        }
        let sample = self.sample(curve);
        match form {
            Form::Full => format!("{sample} {} {value}", curve.name),
            Form::WithoutValue => format!("{sample} {}", curve.name),
            Form::Abbreviated => format!("{sample} {}", abbreviated(curve.name)),
        }
    }

    /// The symbol of a curve: its marker, or a piece of its line.
    fn sample(&self, curve: &Curve<'_>) -> &'static str {
        match curve.style {
            CurveStyle::Points(symbol) | CurveStyle::Marked(symbol) => self.theme.symbol(symbol),
            CurveStyle::Line | CurveStyle::Mean if self.theme.is_ascii() => curve.plain(),
            CurveStyle::Line => {
                self.theme.symbol(if curve.dash == Dash::Solid { Symbol::Rule } else { Symbol::DashedRule })
            }
            CurveStyle::Mean => self.theme.symbol(Symbol::DashedRule),
        }
    }
}

/// The first word of a name; `val.` for a longer one such as `validation`.
fn abbreviated(name: &str) -> String {
    let word = name.split_whitespace().next().unwrap_or_default();
    if text::width(word) <= SHORT_NAME {
        return word.into();
    }
    word.chars().take(SHORT_NAME - 2).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::axis::StepAxis;
    use crate::run::series::Series;
    use crate::tui::theme::{Charset, ColorDepth, Theme};
    use crate::tui::widgets::line_chart::{ChartView, Dash};

    /// The legend of a training and a validation loss in a line and above a chart of these widths.
    fn legend(width: u16, charset: Charset) -> String {
        let (mut train, mut validation, step_axis) =
            (Series::default(), Series::default(), StepAxis::default());
        (1..=40).for_each(|step| train.push(step, 0.5));
        (1..=4).for_each(|n| validation.push(10 * n, 0.25));
        let curve = |name, role, style, series| Curve {
            name,
            role,
            style,
            dash: Dash::Solid,
            series: vec![series],
            step_axis: &step_axis,
            is_smoothed: false,
            is_faint: false,
        };
        let curves = [
            curve("", Role::TrainRaw, CurveStyle::Line, &train),
            curve("train", Role::Train, CurveStyle::Line, &train),
            curve("validation", Role::Validation, CurveStyle::Points(Symbol::Disc), &validation),
        ];
        let chart = LineChart {
            curves: &curves,
            view: ChartView::default(),
            steps: 40,
            percent: false,
            references: &[],
            changes: &[],
            span: None,
            empty: "",
            theme: Theme::new(ColorDepth::None, charset),
        };
        let line = Rect::new(0, 0, width, 1);
        let area = Rect::new(0, 1, width, 10);
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 11));
        let readings = chart.draw(area, &mut buffer);
        let cells = chart.draw_legend(line, area, &readings, &mut buffer);
        let text: String = (0..width).map(|x| buffer[(x, 0)].symbol()).collect();
        assert_eq!(
            text::width(text.trim_start()) + 1 + usize::from(cells == 0),
            usize::from(cells) + usize::from(cells == 0) * 2,
            "{text:?}"
        );
        text.trim().into()
    }

    #[test]
    fn legend_has_as_much_detail_as_fits() {
        let unicode = |width| legend(width, Charset::Unicode);
        assert_eq!(unicode(40), "─ train 0.500  ● validation 0.250");
        assert_eq!(unicode(26), "─ train  ● validation");
        assert_eq!(unicode(20), "─ train  ● val.");
        assert_eq!(unicode(12), "");
        assert_eq!(legend(40, Charset::AsciiSymbols), "* train 0.500  o validation 0.250");
        // The names are at the ends of the curves.
        assert_eq!(unicode(60), "");
    }
}
