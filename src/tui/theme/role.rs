//! What a piece of the screen means. A scheme gives each role its colours.

/// What a piece of the screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Less important than the rest.
    Muted,
    /// Frames around panes.
    Frame,
    /// The frame of the pane that takes the keys.
    Focus,
    /// Titles of panes.
    Title,
    /// A key to press.
    Key,
    /// Anything of the training split.
    Train,
    /// The raw training loss behind the smoothed one.
    TrainRaw,
    /// Anything of the validation split.
    Validation,
    /// Anything of the test split.
    Test,
    /// The best so far, success.
    Best,
    /// Cause for concern.
    Warning,
    /// Something went wrong.
    Error,
    /// The line under the cursor.
    Selected,
    /// The filled part of a bar.
    Bar,
    /// The empty part of a bar.
    Empty,
    /// One of several runs; the number is below [`CURVES`].
    Curve(u8),
}

/// Styles that runs are told apart by.
pub const CURVES: u8 = 10;

impl Role {
    /// Every role but those of runs, with the name that a theme's file calls it by.
    pub const NAMED: [(&'static str, Role); 16] = [
        ("text", Role::Text),
        ("muted", Role::Muted),
        ("frame", Role::Frame),
        ("focus", Role::Focus),
        ("title", Role::Title),
        ("key", Role::Key),
        ("train", Role::Train),
        ("train_raw", Role::TrainRaw),
        ("validation", Role::Validation),
        ("test", Role::Test),
        ("best", Role::Best),
        ("warning", Role::Warning),
        ("error", Role::Error),
        ("selected", Role::Selected),
        ("bar", Role::Bar),
        ("empty", Role::Empty),
    ];

    /// Every role.
    pub fn all() -> impl Iterator<Item = Role> {
        Role::NAMED.into_iter().map(|(_, role)| role).chain((0..CURVES).map(Role::Curve))
    }
}
