//! Titles, widths and texts of the columns of the table of runs.

use super::run_text::short_name_width;
use crate::format;
use crate::run::RunRow;
use crate::text::width;
use crate::tui::state::App;
use crate::tui::state::compare::Column;
use crate::tui::state::model_name::model_name;
use crate::tui::theme::Symbol;

impl Column {
    pub(super) fn title(self) -> &'static str {
        match self {
            Column::Name => "run",
            Column::Task => "task",
            Column::Model => "model",
            Column::Status => "status",
            Column::Score => "best",
            Column::Steps => "steps",
            Column::Time => "time",
            Column::Started => "started",
        }
    }

    /// Whether it is a number, which is aligned to the right.
    pub(super) fn is_number(self) -> bool {
        matches!(self, Column::Score | Column::Steps | Column::Time)
    }

    pub(super) fn text(self, run: &RunRow, app: &App) -> String {
        let dash = || app.theme.symbol(Symbol::Dash).to_string();
        match self {
            Column::Name => run.display_name().to_string(),
            Column::Task => run.task.clone(),
            Column::Model => model_name(&run.model),
            Column::Status => run.status.name().into(),
            Column::Score => run.score().map_or_else(dash, |(metric, value)| format::score(metric, value)),
            Column::Steps => format::count(run.steps),
            Column::Time => format::duration(run.train_seconds),
            Column::Started if run.started == 0.0 => dash(),
            Column::Started => format::date(run.started, app.utc_offset)[5..].to_string(),
        }
    }
}

/// The widths of the columns: those of their contents, up to a limit. The name has the remaining width too.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Widths {
    name: usize,
    task: usize,
    model: usize,
    status: usize,
}

impl Widths {
    pub(super) fn of(runs: &[&RunRow]) -> Widths {
        let widest = |of: fn(&RunRow) -> usize, limit: usize| {
            runs.iter().map(|run| of(run)).max().unwrap_or(0).min(limit)
        };
        Widths {
            name: widest(short_name_width, 32).max(8),
            task: widest(|run| width(&run.task), 16),
            model: widest(|run| width(&model_name(&run.model)), 16),
            status: widest(|run| run.status.name().len(), 16),
        }
    }

    /// The width of a column, at least that of its title with the arrow of the order.
    pub(super) fn column(self, column: Column) -> usize {
        let content = match column {
            Column::Name => self.name,
            Column::Task => self.task,
            Column::Model => self.model,
            Column::Status => self.status,
            Column::Started => 11,
            Column::Score | Column::Steps => 6,
            Column::Time => 8,
        };
        content.max(column.title().len() + 1)
    }

    /// The columns that fit into `width` cells, with the sorted column first in priority.
    pub(super) fn fitting(self, width: usize, sorted: Column) -> Vec<Column> {
        const WANTED: [Column; 7] = [
            Column::Score,
            Column::Status,
            Column::Task,
            Column::Started,
            Column::Time,
            Column::Model,
            Column::Steps,
        ];
        let mut available = width.saturating_sub(self.column(Column::Name));
        let mut chosen = vec![Column::Name];
        for column in std::iter::once(sorted).chain(WANTED) {
            let width = self.column(column);
            if !chosen.contains(&column) && width < available {
                available -= width + 1;
                chosen.push(column);
            }
        }
        Column::ALL.into_iter().filter(|column| chosen.contains(column)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_column_is_visible() {
        let run =
            RunRow { name: "demo-20261123-095711-01ab".into(), task: "demo".into(), ..RunRow::default() };
        let widths = Widths::of(&[&run]);
        assert_eq!(widths.fitting(25, Column::Steps), [Column::Name, Column::Score, Column::Steps]);
        assert_eq!(widths.fitting(200, Column::Name), Column::ALL);
        assert_eq!(widths.fitting(10, Column::Score), [Column::Name]);
    }
}
