//! The predictions of each evaluation, which a run saves.

use super::{run, spec};
use glue_tui::catalog::{ProblemType, task};
use glue_tui::event::{Command, Event, SplitName, Status};
use glue_tui::hub::Hub;
use glue_tui::predict::Predictor;
use glue_tui::run::error_analysis::{Detail, ErrorAnalysis, ErrorReport};
use glue_tui::run::{RunDir, Start};
use glue_tui::spec::{DeviceSpec, RunSpec};
use glue_tui::train::{Predictions, SavedPredictions};
use std::path::Path;

#[test]
fn saved_predictions_have_the_scores_of_the_log() {
    let home = tempfile::tempdir().unwrap();
    let (outcome, events) = run(Start::New(spec()), home.path(), Some((5, Command::Eval)));
    let outcome = outcome.unwrap();
    let evals: Vec<_> = events
        .iter()
        .filter_map(|event| if let Event::Eval(eval) = event { Some(eval) } else { None })
        .filter(|eval| eval.split == SplitName::Validation)
        .collect();
    let insight = ErrorReport::read(std::slice::from_ref(&outcome.dir), None).unwrap();
    assert_eq!(insight.evaluations.iter().map(|one| one.step).collect::<Vec<_>>(), [0, 4, 5, 6]);
    for (eval, saved) in evals.iter().zip(&insight.evaluations) {
        assert_eq!((eval.step, eval.epoch), (saved.step, saved.epoch));
        assert_eq!(eval.scores, saved.predictions.scores(insight.spec.task()));
        let picture = ErrorAnalysis::of(&saved.predictions, insight.spec.task(), &insight.labels);
        let counts = |rows: &Vec<Vec<usize>>| rows.iter().map(|rows| rows.len() as u64).collect::<Vec<_>>();
        let Detail::Classes(classes) = &picture.detail else { panic!("classes") };
        let found = classes.cells.iter().map(counts).collect::<Vec<_>>();
        assert_eq!(found, eval.scores.confusion);
    }
    // The texts are in the order of the predictions: the model gives the same probabilities.
    let texts = insight.examples.as_ref().unwrap();
    assert_eq!(texts.len(), 24);
    let mut predictor =
        Predictor::open(outcome.dir.to_str().unwrap(), home.path(), &Hub::from_env(), DeviceSpec::Cpu)
            .unwrap();
    let best = outcome.summaries[0].best.unwrap().step;
    let saved = &insight.evaluations.iter().find(|one| one.step == best).unwrap().predictions;
    let inputs: Vec<_> = texts.iter().map(|row| (row.text.clone(), None)).collect();
    for (row, prediction) in predictor.predict_all(&inputs).unwrap().iter().enumerate() {
        for (class, (_, probability)) in prediction.output.probabilities().iter().enumerate() {
            let difference = (saved.probability(row, class) - f64::from(*probability)).abs();
            assert!(difference < 1e-5, "row {row}: {difference}");
        }
    }

    // A file of another task is an error that names it.
    let foreign = SavedPredictions {
        step: 9,
        epoch: 2.0,
        predictions: Predictions::new(ProblemType::Regression, 24, 1),
    };
    foreign.write(&outcome.dir).unwrap();
    let error = ErrorReport::read(std::slice::from_ref(&outcome.dir), None).unwrap_err();
    assert!(error.to_string().contains("step-00000009.safetensors: is not a predictions file"), "{error}");
    std::fs::remove_file(outcome.dir.join("predictions/step-00000009.safetensors")).unwrap();

    // If the rows are different ones, the texts are an error, but the numbers are still available.
    let spec_file = RunDir::at(&outcome.dir).spec_file();
    let text = std::fs::read_to_string(&spec_file).unwrap();
    std::fs::write(&spec_file, text.replace("seed = 42", "seed = 43")).unwrap();
    let insight = ErrorReport::read(std::slice::from_ref(&outcome.dir), None).unwrap();
    assert_eq!(insight.evaluations.len(), 4);
    assert!(insight.examples.unwrap_err().contains("have changed"));
}

/// Seeds are compared by row only if they are evaluated on the same rows.
#[test]
fn seeds_evaluated_on_the_same_rows_are_compared() {
    let home = tempfile::tempdir().unwrap();
    for (max_eval_samples, is_compared) in [(None, true), (Some(24), false)] {
        let spec = RunSpec { repeats: 2, max_steps: Some(2), max_eval_samples, ..spec() };
        let outcome = run(Start::New(spec), home.path(), None).0.unwrap();
        let dirs = [42, 43].map(|seed| outcome.dir.join(format!("seed-{seed}")));
        let first = ErrorReport::read(&dirs, Some(0)).unwrap();
        assert_eq!((first.seed_index, first.seed_count, first.spec.seed, &first.dir), (0, 2, 42, &dirs[0]));
        let newest = ErrorReport::read(&dirs, None).unwrap();
        assert_eq!((newest.seed_index, newest.spec.seed), (1, 43));
        let Ok(Some(cross_seed)) = first.cross_seed else {
            assert!(!is_compared && first.cross_seed.unwrap_err().contains("max_eval_samples"));
            continue;
        };
        assert!(is_compared && cross_seed.seed_count == 2);
        let predictions =
            [&first.evaluations, &newest.evaluations].map(|all| &all.last().unwrap().predictions);
        assert_eq!(cross_seed.rows.len(), predictions[0].len());
        for shared in &cross_seed.rows {
            let wrong =
                predictions.iter().filter(|one| one.predicted(shared.row) != one.target(shared.row)).count();
            assert_eq!(shared.wrong, wrong);
        }
    }
}

#[test]
fn resume_replaces_predictions_after_the_checkpoint() {
    let home = tempfile::tempdir().unwrap();
    let straight = run(Start::New(spec()), home.path(), None).0.unwrap();
    let stopped = run(Start::New(spec()), home.path(), Some((3, Command::Stop))).0.unwrap();
    let predictions = |dir: &Path| RunDir::at(dir).evaluations(&task("demo").unwrap().labels).unwrap();
    // As after a crash that followed evaluations without a checkpoint.
    for step in [5, 6] {
        SavedPredictions { step, ..predictions(&stopped.dir).remove(0) }.write(&stopped.dir).unwrap();
    }
    let resumed = run(Start::Resume(stopped.dir.clone()), home.path(), None).0.unwrap();
    assert_eq!(predictions(&resumed.dir), predictions(&straight.dir));
}

#[test]
fn a_run_that_cannot_save_predictions_warns_once_and_finishes() {
    let home = tempfile::tempdir().unwrap();
    let stopped = run(Start::New(spec()), home.path(), Some((1, Command::Stop))).0.unwrap();
    std::fs::remove_dir_all(stopped.dir.join("predictions")).unwrap();
    std::fs::write(stopped.dir.join("predictions"), "in the way").unwrap();
    let (resumed, events) = run(Start::Resume(stopped.dir.clone()), home.path(), None);
    assert_eq!(resumed.unwrap().status, Status::Finished);
    let is_warning = |event: &&Event| matches!(event, Event::Note { warning: true, text, .. } if text.contains("predictions of step"));
    assert_eq!(events.iter().filter(is_warning).count(), 1, "{events:?}");
}
