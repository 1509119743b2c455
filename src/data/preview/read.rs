//! Reading of the first rows.

use super::column::{ColumnPreview, ColumnSummary, cell_text};
use super::guess::guess;
use super::location::DataLocation;
use super::types::{ColumnRoles, Preview};
use crate::catalog::{Labels, SplitName, TaskId};
use crate::data::dataset::Example;
use crate::data::load::load_split;
use crate::data::read::table::{Cell, Table, TableOptions};
use crate::data::source::{DatasetSource, LoadContext};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::text::clipped;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows that are shown.
const ROWS: usize = 200;
/// Rows that the guesses look at.
const SAMPLED_ROWS: usize = 20_000;
/// Maximum number of characters of a cell.
const MAX_CELL: usize = 1000;

/// The columns of a task of the catalog.
const TEXT: &str = "text";
const TEXT_PAIR: &str = "text_pair";
const LABEL: &str = "label";

impl Preview {
    /// Reads the start of the training file that `path` is or has.
    ///
    /// # Errors
    /// [`Error::Read`](crate::error::Error::Read) and [`Error::Data`](crate::error::Error::Data) if there is no such
    /// file, or none that can be read, [`Error::Interrupted`](crate::error::Error::Interrupted) soon after `cancelled`
    /// is set.
    pub fn read(path: &Path, cancelled: &AtomicBool) -> Result<Self> {
        let location = DataLocation::find(path)?;
        let preview = match &location {
            DataLocation::Files { files } => {
                let file = files.get(&SplitName::Train).map_or(path, AsRef::as_ref);
                read_table(file, cancelled)?
            }
            DataLocation::Folder { task, folder } => read_task(*task, folder, cancelled)?,
        };
        Ok(Preview { path: path.to_path_buf(), location, ..preview })
    }
}

/// The first rows of the training file of task `custom`. The result has no path and location yet.
fn read_table(file: &Path, cancelled: &AtomicBool) -> Result<Preview> {
    let table = Table::open(file, &TableOptions::default())?;
    let mut sample = Sample::new(table.names().len());
    let result = table.read_cells(&mut |cells| {
        check(cancelled)?;
        sample.push(&cells);
        Ok(sample.count < SAMPLED_ROWS)
    });
    let mut notes = table.notes();
    match result {
        Err(error @ Error::Interrupted(_)) => return Err(error),
        // The rows before an invalid one show what the file is.
        Err(error) if sample.count > 0 => notes.push(error.to_string()),
        other => other?,
    }
    if sample.count == 0 {
        return Err(Error::data(file, None, "has no rows"));
    }
    let (columns, rows) = sample.finish(table.names());
    let guess = guess(&columns);
    Ok(preview(table.format().name(), notes, columns, rows, guess))
}

/// The first training rows of a task of the catalog.
fn read_task(task: TaskId, folder: &Path, cancelled: &AtomicBool) -> Result<Preview> {
    let hub = Hub::cache_only();
    let source = DatasetSource::for_task(task.task(), Some(folder));
    let mut context = LoadContext { hub: &hub, on_progress: &mut |_| {}, cancelled };
    let examples = load_split(source, SplitName::Train, &mut context)?;
    let labels = &task.task().labels;
    let names: Vec<String> = [Some(TEXT), task.task().pair.then_some(TEXT_PAIR), Some(LABEL)]
        .into_iter()
        .flatten()
        .map(str::to_string)
        .collect();
    let mut sample = Sample::new(names.len());
    for example in examples.iter().take(SAMPLED_ROWS) {
        check(cancelled)?;
        sample.push(&cells(example, labels));
    }
    let (columns, rows) = sample.finish(&names);
    let guess = ColumnRoles {
        text: Some(TEXT.into()),
        text_pair: task.task().pair.then(|| TEXT_PAIR.into()),
        labels: vec![LABEL.into()],
        problem_type: None,
    };
    let notes = task.task().note.map(str::to_string).into_iter().collect();
    Ok(preview(task.task().title, notes, columns, rows, guess))
}

fn preview(
    format: &'static str,
    notes: Vec<String>,
    columns: Vec<ColumnPreview>,
    rows: Vec<Vec<String>>,
    guess: ColumnRoles,
) -> Preview {
    let location = DataLocation::Files { files: [].into() };
    Preview { path: Path::new("").into(), location, format, notes, columns, rows, guess }
}

/// The cells of a row of a task of the catalog.
fn cells(example: &Example, labels: &Labels) -> Vec<Cell> {
    let label = example.label.as_ref().map_or(Cell::Null, |label| Cell::Text(labels.text(label)));
    let texts = [Some(&example.text), example.text_pair.as_ref()].into_iter().flatten();
    texts.map(|text| Cell::Text(text.clone())).chain([label]).collect()
}

fn check(cancelled: &AtomicBool) -> Result<()> {
    if cancelled.load(Ordering::Relaxed) {
        return Err(Error::Interrupted("reading the data was canceled".into()));
    }
    Ok(())
}

/// The first rows of a file.
struct Sample {
    columns: Vec<ColumnSummary>,
    rows: Vec<Vec<String>>,
    count: usize,
}

impl Sample {
    fn new(columns: usize) -> Self {
        Sample {
            columns: (0..columns).map(|_| ColumnSummary::default()).collect(),
            rows: Vec::new(),
            count: 0,
        }
    }

    fn push(&mut self, cells: &[Cell]) {
        self.count += 1;
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.push(cell);
        }
        if self.rows.len() < ROWS {
            self.rows
                .push(cells.iter().map(|cell| clipped(&cell_text(cell), MAX_CELL).into_owned()).collect());
        }
    }

    fn finish(self, names: &[String]) -> (Vec<ColumnPreview>, Vec<Vec<String>>) {
        let columns = self.columns.into_iter().zip(names);
        (columns.map(|(column, name)| column.finish(name.clone())).collect(), self.rows)
    }
}
