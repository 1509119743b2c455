//! Roles: the meaning of each part of the screen. A scheme assigns colors to roles.

/// The meaning of a part of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Less important than the rest.
    Muted,
    /// Borders of panes.
    Frame,
    /// The border of the focused pane.
    Focus,
    /// Titles of panes.
    Title,
    /// A key to press.
    Key,
    /// The training split.
    Train,
    /// The raw training loss behind the smoothed one.
    TrainRaw,
    /// The validation split.
    Validation,
    /// The test split.
    Test,
    /// The best value, or success.
    Best,
    /// A warning.
    Warning,
    /// An error.
    Error,
    /// The selected line.
    Selected,
    /// The filled part of a bar.
    Bar,
    /// The empty part of a bar.
    Empty,
    /// One of several runs; its number is less than [`CURVES`].
    Curve(u8),
}

/// Number of styles for runs.
pub const CURVES: u8 = 10;

impl Role {
    /// All roles except those of runs, with their names in theme files.
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
