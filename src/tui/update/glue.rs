//! Training a model on all tasks of GLUE.

use crate::catalog::GLUE_TASKS;
use crate::spec::RunSpec;
use crate::text::plural;
use crate::tui::state::App;
use crate::tui::state::popup::{Popup, Reply};
use crate::tui::state::train_request::TrainRequest;
use std::path::{Path, PathBuf};

/// Asks whether to train the model of the experiment under the cursor on all tasks of GLUE.
pub(super) fn ask(app: &mut App) {
    let Some(row) = app.runs.experiment() else { return };
    let spec = match &row.spec {
        Ok(spec) => spec,
        Err(error) => {
            let error = error.clone();
            app.show_error("Cannot train the model of this experiment", error);
            return;
        }
    };
    let model = spec.model.clone();
    let request = TrainRequest::Glue { model: model.clone(), data_dir: archive(spec) };
    let tasks = plural(GLUE_TASKS.len() as u64, "task");
    let data = match &request {
        TrainRequest::Glue { data_dir: Some(folder), .. } => format!(" from {}", folder.display()),
        _ => String::new(),
    };
    let text = format!(
        "Trains {model} on the {tasks} of GLUE{data}, each with the settings that are recommended for it. Tasks without data \
         are skipped. The same GLUE run continues if it was started before."
    );
    app.popup = Some(Popup::question(
        "Train on all tasks of GLUE?",
        text,
        vec![
            ('a', "add to the queue", Reply::Enqueue(request.clone())),
            ('s', "submit to Slurm", Reply::Submit(request)),
            ('k', "cancel", Reply::Nothing),
        ],
    ));
}

/// The folder with the folders of all tasks, if the experiment reads its files from a folder: that folder itself, or the one
/// above the folder of its task.
fn archive(spec: &RunSpec) -> Option<PathBuf> {
    let folder = spec.data_dir.as_deref()?;
    let is_of_task = folder.file_name().is_some_and(|name| name == spec.task().folder());
    let above = folder.parent().filter(|above| is_of_task && *above != Path::new(""));
    Some(above.unwrap_or(folder).to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn folder_of_all_tasks_is_above_that_of_a_task() {
        let spec = |folder: Option<&str>| RunSpec {
            task: "sst2".parse().unwrap(),
            data_dir: folder.map(PathBuf::from),
            ..built_in("x")
        };
        assert_eq!(archive(&spec(None)), None);
        assert_eq!(archive(&spec(Some("data/SST-2"))), Some("data".into()));
        assert_eq!(archive(&spec(Some("data"))), Some("data".into()));
        assert_eq!(archive(&spec(Some("SST-2"))), Some("SST-2".into()));
    }
}
