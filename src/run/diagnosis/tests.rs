use super::*;
use crate::catalog::Metric;
use crate::event::{Command, Eval, Scores, Started, Step, TrainingSettings};
use crate::spec::{RunSpec, built_in};
use std::collections::BTreeMap;

/// A training whose events are made up.
struct Run {
    monitor: Monitor,
    emitted: Vec<Event>,
    started: Started,
    step: u64,
}

fn started(change: impl FnOnce(&mut RunSpec)) -> Started {
    let mut spec = built_in("mine");
    spec.learning_rate = 5e-4;
    change(&mut spec);
    Started {
        time: 0.0,
        spec,
        device: String::new(),
        precision: String::new(),
        first_step: 0,
        total_steps: 300,
        steps_per_epoch: 100,
        labels: vec!["sad".into(), "happy".into()],
        problem_type: None,
        scale: None,
        rows: [3200, 500, 0],
        data: BTreeMap::new(),
        truncated_train_rows: None,
        trainable_parameters: 955_394,
        planned_memory: None,
        product_rate: None,
    }
}

/// Scores of 500 rows, of which the model predicts `happy` for `predicted`.
fn scores(loss: f64, accuracy: f64, rows: [u64; 2], predicted: u64) -> Scores {
    let confusion = match predicted {
        500 => vec![vec![0, rows[0]], vec![0, rows[1]]],
        _ => vec![vec![rows[0] / 2, rows[0] - rows[0] / 2], vec![rows[1] / 2, rows[1] - rows[1] / 2]],
    };
    let metrics = BTreeMap::from([(Metric::Accuracy, Some(accuracy))]);
    Scores { loss, metrics, confusion, examples: 500, ..Scores::default() }
}

impl Run {
    fn new(started: Started) -> Run {
        let mut run = Run { monitor: Monitor::default(), emitted: Vec::new(), started, step: 0 };
        run.fold(&Event::Started(Box::new(run.started.clone())));
        run
    }

    fn fold(&mut self, event: &Event) {
        let emitted = self.monitor.fold(event);
        self.emitted.extend(emitted);
    }

    /// Steps up to `step` with this loss and gradient norm.
    fn steps(&mut self, step: u64, loss: f64, grad_norm: f64) -> &mut Run {
        while self.step < step {
            self.step += 1;
            let epoch = self.step as f64 / self.started.steps_per_epoch as f64;
            let (learning_rate, examples, tokens) = (1e-4, 32, 400);
            let step = self.step;
            self.fold(&Event::Step(Step {
                step,
                epoch,
                loss,
                learning_rate,
                grad_norm,
                examples,
                tokens,
                seconds: 0.1,
                usage: None,
            }));
        }
        self
    }

    fn eval(&mut self, scores: Scores) -> &mut Run {
        let epoch = self.step as f64 / self.started.steps_per_epoch as f64;
        let split = SplitName::Validation;
        self.fold(&Event::Eval(Eval { step: self.step, epoch, split, scores, best: false, seconds: 0.1 }));
        self
    }

    fn finish(&mut self) -> &mut Run {
        let emitted = self.monitor.finish();
        self.emitted.extend(emitted);
        self
    }

    /// The texts of the emitted notes: diagnoses with `!`.
    fn texts(&self) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::Note { text, warning, .. } => format!("{}{text}", if *warning { "! " } else { "" }),
            _ => panic!("{event:?}"),
        };
        self.emitted.iter().map(text).collect()
    }

    #[track_caller]
    fn active(&self) -> &Diagnosis {
        let [diagnosis] = self.monitor.active() else { panic!("{:?}", self.monitor.active()) };
        diagnosis
    }

    #[track_caller]
    fn assert(&self, problem: Problem, settings: &[(&str, &str)]) {
        let found = self.active();
        assert_eq!(found.problem, problem, "{}", found.text);
        let found_settings: Vec<(&str, &str)> =
            found.settings.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        assert_eq!(found_settings, settings, "{}", found.text);
    }
}

const EVEN: [u64; 2] = [250, 250];

#[test]
fn a_healthy_training_has_no_diagnosis() {
    let mut run = Run::new(started(|_| {}));
    run.steps(100, 0.5, 2.0).eval(scores(0.4, 0.85, EVEN, 260));
    run.steps(200, 0.3, 2.0).eval(scores(0.35, 0.9, EVEN, 260));
    run.steps(300, 0.2, 40.0).eval(scores(0.36, 0.91, EVEN, 260)).finish();
    assert_eq!(run.texts(), Vec::<String>::new());
}

#[test]
fn constant_predictions_at_the_entropy_of_the_classes_have_a_low_learning_rate() {
    let mut run = Run::new(started(|spec| spec.learning_rate = 2e-5));
    run.steps(100, 0.693, 0.5).eval(scores(0.692, 0.5, EVEN, 500));
    assert_eq!(run.texts(), Vec::<String>::new(), "one evaluation is too early");
    run.steps(200, 0.692, 0.5).eval(scores(0.691, 0.5, EVEN, 500));
    assert_eq!(
        run.texts(),
        [
            "! the model predicts happy for every validation row and the loss stays at 0.691, the entropy of the \
          classes: the learning rate is probably too low; try learning_rate = 5e-4"
        ]
    );
    run.steps(300, 0.691, 0.5).eval(scores(0.690, 0.5, EVEN, 500));
    assert_eq!(run.emitted.len(), 1, "no news");
    run.finish();
    assert!(run.texts()[1].contains("stays at 0.690"), "the last numbers: {:?}", run.texts());
    assert_eq!(run.texts()[1], format!("! {}", run.active().text));
    run.assert(Problem::NotLearning, &[("learning_rate", "5e-4")]);
}

#[test]
fn a_loss_above_the_entropy_of_the_classes_is_compared_with_it() {
    let mut run = Run::new(started(|spec| spec.learning_rate = 0.05));
    run.steps(300, 0.9, 1.0).eval(scores(0.9, 0.5, EVEN, 500)).finish();
    assert_eq!(
        run.texts(),
        [
            "! the model predicts happy for every validation row and the loss is 0.900, above the entropy of the \
          classes, 0.693: the learning rate is probably too high; try learning_rate = 5e-4"
        ]
    );
}

#[test]
fn a_model_that_starts_to_learn_is_reported() {
    let mut run = Run::new(started(|_| {}));
    run.steps(100, 0.693, 0.5).eval(scores(0.692, 0.5, EVEN, 500));
    run.steps(200, 0.692, 0.5).eval(scores(0.691, 0.5, EVEN, 500));
    run.assert(Problem::NotLearning, &[("learning_rate", "2.5e-4"), ("warmup_ratio", "0.1")]);
    run.steps(300, 0.4, 2.0).eval(scores(0.4, 0.85, EVEN, 260)).finish();
    assert_eq!(run.monitor.active(), []);
    assert_eq!(
        run.texts()[1],
        "the model learns: its predictions are better than the class frequencies alone"
    );
}

#[test]
fn a_frequent_class_is_the_cause_of_constant_predictions() {
    let rows = [40, 460];
    let mut run = Run::new(started(|spec| {
        (spec.task, spec.train_file) = ("custom".parse().unwrap(), Some("a.csv".into()));
    }));
    run.steps(300, 0.27, 1.0).eval(scores(0.26, 0.92, rows, 500)).finish();
    run.assert(Problem::NotLearning, &[("class_weights", "balanced"), ("metric_for_best_model", "f1_macro")]);
    assert!(run.active().text.contains("92 % of the rows have one class"), "{}", run.active().text);
    // A task without the metric gets the weights alone.
    let mut run = Run::new(started(|spec| spec.task = "qqp".parse().unwrap()));
    run.steps(300, 0.27, 1.0).eval(scores(0.26, 0.92, rows, 500)).finish();
    run.assert(Problem::NotLearning, &[("class_weights", "balanced")]);
}

#[test]
fn a_short_training_needs_more_epochs() {
    let mut run =
        Run::new(Started { total_steps: 30, steps_per_epoch: 10, rows: [300, 500, 0], ..started(|_| {}) });
    run.steps(30, 0.69, 1.0).eval(scores(0.69, 0.5, EVEN, 500)).finish();
    run.assert(Problem::NotLearning, &[("num_train_epochs", "10")]);
}

#[test]
fn a_rising_loss_diverges() {
    let mut run = Run::new(started(|spec| (spec.learning_rate, spec.max_grad_norm) = (1e-2, 0.0)));
    run.steps(40, 0.7, 2.0).steps(90, 3.0, 700.0);
    run.assert(Problem::Diverging, &[("learning_rate", "5e-4"), ("max_grad_norm", "1.0")]);
    assert_eq!(
        run.texts(),
        [
            "! the training loss was 0.700 at the start and is 2.233 with a gradient norm of 700: the learning rate is \
          probably too high; try learning_rate = 5e-4, max_grad_norm = 1.0"
        ]
    );
    // A gradient norm alone is enough if the loss has not fallen.
    let mut run = Run::new(started(|_| {}));
    run.steps(40, 0.7, 2.0).steps(90, 0.7, 700.0);
    run.assert(Problem::Diverging, &[("learning_rate", "1.3e-4")]);
    let mut run = Run::new(started(|_| {}));
    run.steps(40, 0.7, 2.0).steps(90, 0.3, 700.0);
    assert_eq!(run.monitor.active(), []);
}

#[test]
fn gradients_near_zero_vanish_only_at_a_high_loss() {
    let mut run = Run::new(started(|spec| spec.learning_rate = 5e-3));
    run.steps(40, 0.7, 2.0).steps(120, 0.69, 2e-5);
    run.assert(Problem::VanishingGradients, &[("learning_rate", "5e-4")]);
    assert!(run.active().text.starts_with("the gradient norm is 2e-5 at a training loss of 0.69"));
    let mut run = Run::new(started(|_| {}));
    run.steps(40, 0.7, 2.0).steps(120, 0.001, 2e-5);
    assert_eq!(run.monitor.active(), []);
}

#[test]
fn a_worse_score_at_a_rising_validation_loss_is_overfitting() {
    let mut run = Run::new(Started { total_steps: 600, ..started(|spec| spec.num_train_epochs = 6.0) });
    run.steps(100, 0.5, 2.0).eval(scores(0.3, 0.92, EVEN, 260));
    run.steps(200, 0.3, 2.0).eval(scores(0.29, 0.93, EVEN, 260));
    run.steps(300, 0.2, 2.0).eval(scores(0.36, 0.925, EVEN, 260));
    run.steps(400, 0.1, 2.0).eval(scores(0.45, 0.925, EVEN, 260));
    assert_eq!(run.texts(), Vec::<String>::new(), "half a point of 500 rows is noise");
    run.steps(500, 0.05, 2.0).eval(scores(0.5, 0.9, EVEN, 260));
    assert_eq!(
        run.texts(),
        [
            "! the model overfits: since epoch 2 the validation loss rose from 0.290 to 0.500 while the training loss fell \
          from 0.300 to 0.050; try num_train_epochs = 2"
        ]
    );
    run.steps(600, 0.04, 2.0).eval(scores(0.52, 0.925, EVEN, 260));
    assert_eq!(run.emitted.len(), 1, "it overfits until a new best score");
    run.finish();
    run.assert(Problem::Overfitting, &[("num_train_epochs", "2")]);
}

#[test]
fn a_rising_validation_loss_alone_is_no_problem() {
    // BERT-base on CoLA: the loss rises while the score improves.
    let mut run = Run::new(started(|_| {}));
    for (epoch, loss, score) in [(1, 0.46, 0.51), (2, 0.49, 0.56), (3, 0.64, 0.59)] {
        run.steps(100 * epoch, 0.5 / epoch as f64, 2.0).eval(scores(loss, score, EVEN, 260));
    }
    run.finish();
    assert_eq!(run.texts(), Vec::<String>::new());
}

#[test]
fn a_loss_that_still_falls_at_the_end_has_a_low_learning_rate() {
    let mut run = Run::new(started(|spec| spec.learning_rate = 2e-5));
    run.steps(100, 0.69, 0.5).eval(scores(0.68, 0.8, EVEN, 260));
    run.steps(200, 0.66, 0.5).eval(scores(0.66, 0.82, EVEN, 260));
    run.steps(300, 0.64, 0.5).eval(scores(0.64, 0.84, EVEN, 260)).finish();
    run.assert(Problem::LearningRateTooLow, &[("learning_rate", "5e-4")]);
    assert!(
        run.active().text.ends_with(
            "learning_rate = 2e-5 is low for a model of 955k parameters; try learning_rate = 5e-4"
        )
    );
}

#[test]
fn predictions_of_a_regression_that_do_not_follow_the_labels_are_reported() {
    let regression = |pearson| {
        let metrics = BTreeMap::from([(Metric::Pearson, pearson)]);
        Scores { loss: 2.2, metrics, examples: 500, ..Scores::default() }
    };
    let mut run = Run::new(started(|spec| {
        (spec.task, spec.learning_rate) = ("stsb".parse().unwrap(), 2e-5);
    }));
    run.steps(300, 2.2, 1.0).eval(regression(None)).finish();
    run.assert(Problem::NotLearning, &[("learning_rate", "5e-4")]);
    assert!(run.active().text.starts_with("the model predicts the same number for every validation row"));
    let mut run = Run::new(started(|spec| spec.task = "stsb".parse().unwrap()));
    run.steps(300, 2.2, 1.0).eval(regression(Some(0.03))).finish();
    assert!(run.active().text.contains("Pearson correlation of 0.03"), "{}", run.active().text);
    let mut run = Run::new(started(|spec| spec.task = "stsb".parse().unwrap()));
    run.steps(300, 1.2, 1.0).eval(regression(Some(0.7))).finish();
    assert_eq!(run.texts(), Vec::<String>::new());
}

#[test]
fn a_task_with_opposite_validation_labels_has_no_diagnosis() {
    let mut run = Run::new(started(|spec| spec.task = "wnli".parse().unwrap()));
    run.steps(300, 0.69, 1.0).eval(scores(0.69, 0.56, EVEN, 500)).finish();
    assert_eq!(run.texts(), Vec::<String>::new());
}

#[test]
fn a_change_of_the_learning_rate_counts() {
    let mut run = Run::new(started(|spec| spec.learning_rate = 2e-5));
    let settings = TrainingSettings { learning_rate: 5e-4, total_steps: 300 };
    let command = Command::set("learning_rate", "5e-4").unwrap();
    run.fold(&Event::Command { step: 0, command, settings: Some(settings), replayed: false, error: None });
    run.steps(300, 0.69, 1.0).eval(scores(0.69, 0.5, EVEN, 500)).finish();
    run.assert(Problem::NotLearning, &[("learning_rate", "2.5e-4"), ("warmup_ratio", "0.1")]);
}

#[test]
fn overfitting_may_begin_within_the_first_steps() {
    let mut run = Run::new(Started { total_steps: 600, ..started(|spec| spec.num_train_epochs = 6.0) });
    // The lowest loss is before the first window of steps is complete.
    run.steps(20, 0.4, 2.0).eval(scores(0.29, 0.93, EVEN, 260));
    for (step, loss) in [(120, 0.2), (220, 0.1), (320, 0.05)] {
        run.steps(step, loss, 2.0).eval(scores(0.5, 0.9, EVEN, 260));
    }
    run.finish();
    assert_eq!(run.active().problem, Problem::Overfitting);
}

#[test]
fn a_training_that_starts_again_repeats_its_first_evaluation() {
    let mut run = Run::new(started(|_| ()));
    run.eval(scores(0.7, 0.5, EVEN, 260));
    run.steps(150, 0.3, 2.0).eval(scores(0.3, 0.9, EVEN, 260));
    run.fold(&Event::Started(Box::new(run.started.clone())));
    run.step = 0;
    let mut other = Run::new(started(|_| ()));
    for run in [&mut run, &mut other] {
        run.eval(scores(0.7, 0.5, EVEN, 260));
        run.steps(150, 0.3, 2.0).eval(scores(0.3, 0.9, EVEN, 260));
    }
    assert_eq!(format!("{:?}", run.monitor), format!("{:?}", other.monitor));
}

#[test]
fn a_resumed_training_continues_with_its_diagnosis() {
    let mut run = Run::new(started(|spec| spec.learning_rate = 2e-5));
    run.steps(100, 0.693, 0.5).eval(scores(0.692, 0.5, EVEN, 500));
    run.steps(200, 0.692, 0.5).eval(scores(0.691, 0.5, EVEN, 500));
    let diagnosis = run.emitted.remove(0);
    run.fold(&diagnosis);
    // The evaluation at step 200 is repeated.
    run.fold(&Event::Started(Box::new(Started { first_step: 100, ..run.started.clone() })));
    run.step = 100;
    run.steps(200, 0.692, 0.5).eval(scores(0.691, 0.5, EVEN, 500));
    assert_eq!(run.emitted, [], "no news");
    run.assert(Problem::NotLearning, &[("learning_rate", "5e-4")]);
}
