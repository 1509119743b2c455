//! The screens of the interface, and the contexts that a key is looked up in.

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Experiments, the queue and past runs.
    Runs,
    /// The curves of one run.
    Live,
    /// Predictions for typed text.
    Infer,
    /// The curves of several runs in one chart.
    Compare,
    /// The errors of one run, row by row.
    Insight,
    /// The dataset of one experiment.
    Data,
    /// Hardware usage of one run.
    Machine,
    /// A file or folder with data, before it is an experiment.
    Open,
    /// The trials of one sweep.
    Sweep,
}

impl Screen {
    /// The screens with a numbered tab, in order. The others are opened from one of them.
    pub const TABS: [Screen; 4] = [Screen::Runs, Screen::Live, Screen::Infer, Screen::Compare];

    /// The name on the tab.
    pub fn name(self) -> &'static str {
        match self {
            Screen::Runs => "Runs",
            Screen::Live => "Live",
            Screen::Infer => "Infer",
            Screen::Compare => "Compare",
            Screen::Insight => "Insight",
            Screen::Data => "Data",
            Screen::Machine => "Machine",
            Screen::Open => "Open",
            Screen::Sweep => "Sweep",
        }
    }
}

/// What has the keyboard focus: a key is looked up among the bindings of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Every screen, after its own contexts.
    Global,
    /// A screen.
    Screen(Screen),
    /// A filter that is being typed.
    Filter,
    /// The form of an experiment.
    Form,
    /// A value of the form that is being typed.
    FormValue,
    /// A chart with a cursor and zoom.
    Chart,
    /// A message, or the help.
    Message,
    /// A question.
    Question,
    /// A list to choose from.
    Choice,
    /// The command palette.
    Palette,
}

impl Context {
    /// Every context, in the order of the help.
    pub const ALL: [Context; 18] = [
        Context::Screen(Screen::Runs),
        Context::Filter,
        Context::Form,
        Context::FormValue,
        Context::Screen(Screen::Sweep),
        Context::Screen(Screen::Live),
        Context::Screen(Screen::Infer),
        Context::Screen(Screen::Insight),
        Context::Screen(Screen::Data),
        Context::Screen(Screen::Open),
        Context::Screen(Screen::Machine),
        Context::Screen(Screen::Compare),
        Context::Chart,
        Context::Message,
        Context::Question,
        Context::Choice,
        Context::Palette,
        Context::Global,
    ];

    /// The heading in the help.
    pub fn heading(self) -> &'static str {
        match self {
            Context::Global => "Everywhere",
            Context::Screen(screen) => screen.name(),
            Context::Filter => "Filter",
            Context::Form => "Form",
            Context::FormValue => "A value of the form",
            Context::Chart => "Chart",
            Context::Message => "Message",
            Context::Question => "Question",
            Context::Choice => "List to choose from",
            Context::Palette => "Commands",
        }
    }

    /// The name in `keys.toml`. Never changed: files of users contain it.
    pub fn name(self) -> &'static str {
        match self {
            Context::Global => "everywhere",
            Context::Screen(Screen::Runs) => "runs",
            Context::Screen(Screen::Live) => "live",
            Context::Screen(Screen::Infer) => "infer",
            Context::Screen(Screen::Compare) => "compare",
            Context::Screen(Screen::Insight) => "insight",
            Context::Screen(Screen::Data) => "data",
            Context::Screen(Screen::Open) => "preview",
            Context::Screen(Screen::Machine) => "machine",
            Context::Screen(Screen::Sweep) => "sweep",
            Context::Filter => "filter",
            Context::Form => "form",
            Context::FormValue => "form_value",
            Context::Chart => "chart",
            Context::Message => "message",
            Context::Question => "question",
            Context::Choice => "choice",
            Context::Palette => "palette",
        }
    }

    /// What to do first so that the keys of this context apply, as a sentence.
    pub fn entered_by(self) -> &'static str {
        match self {
            Context::Screen(Screen::Insight) => "Open the Insight screen first, from a past run.",
            Context::Screen(Screen::Sweep) => {
                "Open the Sweep screen first, from a sweep or an experiment that is one."
            }
            Context::Screen(Screen::Data) => "Open the Data screen first, from an experiment.",
            Context::Screen(Screen::Open) => "Open a file or a folder with data first.",
            Context::Screen(Screen::Machine) => "Open the Machine screen first, from the Live screen.",
            Context::Form => "Open the form of an experiment first.",
            Context::FormValue => "Edit a value of a form first.",
            Context::Filter => "Start a filter first.",
            Context::Chart => "Show a chart on the whole screen first.",
            Context::Message | Context::Question | Context::Choice | Context::Palette => {
                "Open a popup of this kind first."
            }
            Context::Global | Context::Screen(_) => "Open the screen first.",
        }
    }

    /// Whether it is a popup, which takes all keys.
    pub fn is_popup(self) -> bool {
        matches!(self, Context::Message | Context::Question | Context::Choice | Context::Palette)
    }

    /// Whether a character without a modifier is text here.
    pub fn takes_text(self) -> bool {
        matches!(
            self,
            Context::Filter
                | Context::FormValue
                | Context::Screen(Screen::Infer)
                | Context::Choice
                | Context::Palette
        )
    }
}
