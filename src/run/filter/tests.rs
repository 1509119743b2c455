use super::*;
use crate::catalog::Metric;
use crate::run::disk::DiskUse;
use crate::run::notes::RunNotes;
use crate::run::repeats::Repeats;
use crate::run::row::RunRow;
use crate::run::row::RunStatus;
use crate::run::setting_change::SettingChange;
use crate::spec::{IntervalStrategy, LrSchedulerType, RunSpec, built_in};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn runs() -> Vec<RunRow> {
    let spec = |spec: RunSpec| Some(Arc::new(spec));
    let base = RunRow { status: RunStatus::Finished, progress: 1.0, ..RunRow::default() };
    vec![
        RunRow {
            name: "a".into(),
            notes: RunNotes {
                display_name: Some("The Baseline".into()),
                tags: vec!["paper".into(), "Über".into()],
                note: Some("halved twice".into()),
            },
            experiment: "sst-distilbert".into(),
            task: "sst".into(),
            model: "org/Distil-BERT".into(),
            best: Some((Metric::Accuracy, 0.92)),
            scores: BTreeMap::from([(Metric::Accuracy, 0.92), (Metric::Loss, 0.25), (Metric::F1, 0.8)]),
            train_seconds: 700.0,
            changes: vec![SettingChange {
                step: 12,
                seed: 42,
                key: "learning_rate",
                from: Some(1e-4),
                to: 5e-5,
            }],
            disk: Some(DiskUse { bytes: 1_500_000_000, prunable_bytes: 0 }),
            spec: spec(RunSpec { learning_rate: 1e-4, max_steps: Some(100), ..built_in("") }),
            ..base.clone()
        },
        RunRow {
            name: "b".into(),
            experiment: "demo".into(),
            task: "sst2".into(),
            model: "demo".into(),
            status: RunStatus::Stopped,
            best: Some((Metric::MatthewsCorrelation, 0.6)),
            repeats: Some(Repeats { count: 3, mean: 0.5, sd: 0.1 }),
            progress: 0.4,
            train_seconds: 30.0,
            spec: spec(RunSpec {
                repeats: 3,
                per_device_train_batch_size: 16,
                lr_scheduler_type: LrSchedulerType::Cosine,
                eval_steps: IntervalStrategy::Steps(50),
                train_file: Some("data/reviews.csv".into()),
                ..built_in("")
            }),
            ..base.clone()
        },
        RunRow { name: "c".into(), status: RunStatus::Unreadable, ..base },
    ]
}

/// The names of the runs that match.
#[track_caller]
fn matching(filter: &str) -> String {
    let filter = RunFilter::parse(filter);
    assert_eq!(filter.problems(), []);
    runs().iter().filter(|run| filter.matches_run(run)).map(|run| run.name.as_str()).collect()
}

#[track_caller]
fn problem(filter: &str) -> String {
    let filter = RunFilter::parse(filter);
    let [problem] = filter.problems() else { panic!("{filter:?}") };
    problem.to_string()
}

#[test]
fn words_match_any_text() {
    assert_eq!(matching(""), "abc");
    assert_eq!(matching("BASE"), "a");
    assert_eq!(matching("sst"), "ab");
    assert_eq!(matching("sst stopped"), "b");
    assert_eq!(matching("\"the base\""), "a");
    assert_eq!(matching("\"base the\""), "");
    assert_eq!(matching("twice"), "a");
    assert_eq!(matching("übe"), "a");
    assert_eq!(matching("org/d"), "a", "a word with a slash is a word");
}

#[test]
fn properties_are_matched_by_name() {
    assert_eq!(matching("task:sst"), "ab");
    assert_eq!(matching("task=sst"), "a");
    assert_eq!(matching("task!=sst"), "bc");
    assert_eq!(matching("task:sst2"), "b");
    assert_eq!(matching("status:fin"), "a");
    assert_eq!(matching("#pap"), "a");
    assert_eq!(matching("tag:paper tags=über"), "a");
    assert_eq!(matching("tag=pap"), "");
    assert_eq!(matching("model=distil-bert"), "a", "without the organization");
    assert_eq!(matching("name:\"the base\""), "a");
    assert_eq!(matching("experiment:demo note:x"), "");
    assert_eq!(matching("status: task:"), "abc", "a term that is being typed");
}

#[test]
fn terms_are_negated() {
    assert_eq!(matching("-sst"), "c");
    assert_eq!(matching("-#paper"), "bc");
    assert_eq!(matching("!status:stopped"), "ac");
    assert_eq!(matching("-lr>=1e-5"), "c");
    assert_eq!(matching("-\"the base\" -task:sst2"), "c");
    assert_eq!(matching("-"), "a", "a word: Distil-BERT");
}

#[test]
fn settings_are_compared_as_numbers_and_texts() {
    assert_eq!(matching("lr>=1e-4"), "a");
    assert_eq!(matching("learning_rate<1e-4"), "ab", "a was changed to 5e-5");
    assert_eq!(matching("lr=0.00005"), "a", "in another notation");
    assert_eq!(matching("LR=2e-5"), "b");
    assert_eq!(matching("batch=32"), "a");
    assert_eq!(matching("per-device-train-batch-size:16"), "b");
    assert_eq!(matching("batch!=32"), "bc");
    assert_eq!(matching("seed=43"), "b", "a seed of its repeats");
    assert_eq!(matching("seed=42"), "ab");
    assert_eq!(matching("max_steps>10"), "a", "an absent setting has no order");
    assert_eq!(matching("max_steps!=100"), "bc");
    assert_eq!(matching("scheduler:cos"), "b");
    assert_eq!(matching("scheduler=cos"), "");
    assert_eq!(matching("eval_steps=epoch"), "a");
    assert_eq!(matching("eval_steps<=50"), "b");
    assert_eq!(matching("train_file:reviews"), "b");
}

#[test]
fn scores_and_sizes_are_compared() {
    assert_eq!(matching("accuracy>0.9"), "a");
    assert_eq!(matching("accuracy>=92%"), "a");
    assert_eq!(matching("accuracy>92"), "", "percent");
    assert_eq!(matching("f1=0.8 loss<0.3"), "a");
    assert_eq!(matching("matthews<=0.5"), "b", "the mean over the seeds");
    assert_eq!(matching("matthews_correlation>0.5"), "");
    assert_eq!(matching("score>0.4"), "ab");
    assert_eq!(matching("disk>1.4GB"), "a");
    assert_eq!(matching("disk<1gb"), "", "the others are not measured");
    assert_eq!(matching("time>10m"), "a");
    assert_eq!(matching("progress<50%"), "b");
}

#[test]
fn invalid_terms_say_why_and_are_ignored() {
    assert_eq!(problem("lr>x"), "lr>x: expected a number, found x");
    assert_eq!(problem("accuracy>"), "accuracy>: expected a number such as 0.9 or 90%");
    assert_eq!(problem("batch=big"), "batch=big: expected a number, found big");
    assert_eq!(problem("disk>lots"), "disk>lots: expected a size such as 200MB or 1.5GB, found lots");
    assert_eq!(problem("task>3"), "task>3: task is a text; write task:TEXT");
    assert_eq!(
        problem("scheduler>cosine"),
        "scheduler>cosine: lr_scheduler_type is a text; write lr_scheduler_type:TEXT"
    );
    assert_eq!(
        problem("acuracy>0.9"),
        "acuracy>0.9: no setting or score is called acuracy; did you mean accuracy?"
    );
    assert_eq!(problem("lr=nan"), "lr=nan: expected a number, found nan");
    assert!(problem("-xyzzy:1").ends_with("quote a text that contains it"));
    let filter = RunFilter::parse("sst2 lr>x");
    assert!(!filter.is_empty() && runs().iter().filter(|run| filter.matches_run(run)).count() == 1);
    assert!(RunFilter::parse("lr>x status:").is_empty());
}

#[test]
fn experiments_have_settings_only() {
    let spec = RunSpec { learning_rate: 1e-3, ..built_in("fast") };
    let matches = |filter: &str| {
        RunFilter::parse(filter).matches(Candidate::Experiment { name: "fast", spec: Some(&spec) })
    };
    assert!(matches("fast") && matches("lr>1e-4 task:demo") && matches("-status:failed"));
    assert!(!matches("status:failed") && !matches("#x") && !matches("accuracy>0"));
    let broken = Candidate::Experiment { name: "fast", spec: None };
    assert!(RunFilter::parse("fast").matches(broken) && !RunFilter::parse("lr>0").matches(broken));
}

#[test]
fn terms_are_toggled() {
    let filter = toggle_term("x -task:y", "task", "sst");
    assert_eq!(filter, "x -task:y task:sst");
    assert_eq!(toggle_term(&filter, "task", "SST2"), "x -task:y task:sst2");
    assert_eq!(toggle_term(&filter, "task", "sst"), "x -task:y");
    let quoted = toggle_term("\"a  b\"", "model", "my models/b");
    assert_eq!(quoted, "\"a  b\" model:\"my models/b\"");
    assert_eq!(toggle_term(&quoted, "model", "my models/b"), "\"a  b\"");
}

proptest! {
    #[test]
    fn any_text_is_a_filter(text in "[-!#a-z0-9:<>=\"%. é\u{301}]{0,40}") {
        let filter = RunFilter::parse(&text);
        for run in &runs() {
            filter.matches_run(run);
        }
        let toggled = toggle_term(&text, "task", "sst");
        prop_assert_eq!(toggle_term(&toggled, "task", "sst").contains("task:sst"), false);
    }
}
