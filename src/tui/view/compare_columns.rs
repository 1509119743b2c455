//! Titles, widths and texts of the columns of the table of runs.

use crate::format;
use crate::run::RunRow;
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

    /// The width; the name has the remaining width too.
    pub(super) fn width(self) -> usize {
        match self {
            Column::Name => 18,
            Column::Task | Column::Model => 10,
            Column::Status | Column::Started => 11,
            Column::Score | Column::Steps => 7,
            Column::Time => 9,
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

    /// The columns that fit into `width` cells, with the sorted column first in priority.
    pub(super) fn fitting(width: usize, sorted: Column) -> Vec<Column> {
        const WANTED: [Column; 7] = [
            Column::Score,
            Column::Status,
            Column::Task,
            Column::Started,
            Column::Time,
            Column::Model,
            Column::Steps,
        ];
        let mut available = width.saturating_sub(Column::Name.width());
        let mut chosen = vec![Column::Name];
        for column in std::iter::once(sorted).chain(WANTED) {
            if !chosen.contains(&column) && column.width() < available {
                available -= column.width() + 1;
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
        assert_eq!(Column::fitting(34, Column::Steps), [Column::Name, Column::Score, Column::Steps]);
        assert_eq!(Column::fitting(200, Column::Name), Column::ALL);
        assert_eq!(Column::fitting(10, Column::Score), [Column::Name]);
    }
}
