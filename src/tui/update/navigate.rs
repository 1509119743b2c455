//! Navigation between screens. Screens do not call each other: they return steps, which [`super::update`] carries
//! out in order.

use crate::data::Example;
use crate::spec::RunSpec;
use crate::tui::msg::Effect;
use crate::tui::state::form::Form;
use crate::tui::state::infer::ModelSource;
use crate::tui::state::insight::Subject;
use crate::tui::state::sweep::SweepSource;
use crate::tui::state::train_request::TrainRequest;
use std::path::PathBuf;

/// A screen to go to, with what to show there.
pub(super) enum Navigate {
    /// The run that this process trains, on the Live screen.
    Training,
    /// The run in that directory, on the Live screen.
    Run(PathBuf),
    /// A run to start, on the Live screen.
    Train(TrainRequest),
    /// A model, on the Infer screen.
    Infer(ModelSource),
    /// A model and an example to classify, on the Infer screen.
    Example(ModelSource, Example),
    /// The errors of a run, on the Insight screen.
    Insight(Subject),
    /// The dataset of a specification, on the Data screen.
    Data(Box<RunSpec>),
    /// A sweep, on the Sweep screen.
    Sweep(SweepSource),
    /// The form of a new experiment, on the Runs screen.
    Form(Box<Form>),
    /// The list of files and folders to open on the Open screen.
    ChooseFile,
}

/// One step that follows from an action.
pub(super) enum Step {
    /// A side effect.
    Effect(Effect),
    /// A change of the screen.
    Navigate(Navigate),
}

impl From<Effect> for Step {
    fn from(effect: Effect) -> Step {
        Step::Effect(effect)
    }
}

impl From<Navigate> for Step {
    fn from(navigate: Navigate) -> Step {
        Step::Navigate(navigate)
    }
}

/// Side effects as steps.
pub(super) fn effects(effects: impl IntoIterator<Item = Effect>) -> Vec<Step> {
    effects.into_iter().map(Step::Effect).collect()
}
