//! One key of experiments.toml.

use super::kind::ValueKind;
use super::run_spec::{RunSpec, built_in};
use crate::catalog::trainable_tasks;

/// One key of experiments.toml.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name, that of Hugging Face's `TrainingArguments` or `run_glue.py` where these have one.
    pub name: &'static str,
    /// The heading above it in a form.
    pub group: &'static str,
    /// Which values it accepts.
    pub kind: ValueKind,
    /// The default as a user would type it; empty when the key is absent by default.
    pub default: &'static str,
    /// What absence means, for a key without a default; empty otherwise.
    pub absent: &'static str,
    /// The only task that uses it; `None` when every task does.
    pub task: Option<&'static str>,
    /// One sentence of explanation.
    pub help: &'static str,
    /// Whether its value changes how long a training step takes.
    pub affects_speed: bool,
    /// Whether its value is part of the recipe: what a published score depends on, beside the seed, the
    /// hardware, and what is logged and saved.
    pub is_part_of_recipe: bool,
    /// The field of the specification that has its value.
    pub(super) field: Field,
}

/// The field of a [`RunSpec`] that a key sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// Parses a text, which is empty for an absent value, and sets the field. On an error the field keeps its
    /// value.
    pub(super) set: fn(&mut RunSpec, &str, ValueKind) -> Result<(), String>,
    /// The value as a user would type it; `None` when it is absent.
    pub(super) get: fn(&RunSpec) -> Option<String>,
}

/// The field of that name.
macro_rules! field {
    ($name:ident) => {
        crate::spec::key::Field {
            name: stringify!($name),
            set: |spec, text, kind| {
                spec.$name = crate::spec::field::parse(text, kind)?;
                Ok(())
            },
            get: |spec| crate::spec::field::FieldValue::text(&spec.$name),
        }
    };
}
pub(super) use field;

impl PartialEq for Key {
    /// Names are unique.
    fn eq(&self, other: &Key) -> bool {
        self.name == other.name
    }
}

impl Eq for Key {}

impl Key {
    /// A key with a default.
    pub(super) const fn required(
        group: &'static str,
        field: Field,
        kind: ValueKind,
        default: &'static str,
        help: &'static str,
    ) -> Key {
        Key {
            name: field.name,
            group,
            kind,
            default,
            absent: "",
            task: None,
            help,
            affects_speed: true,
            is_part_of_recipe: true,
            field,
        }
    }

    /// A key that is absent by default; `absent` says what that means.
    pub(super) const fn optional(
        group: &'static str,
        field: Field,
        kind: ValueKind,
        absent: &'static str,
        help: &'static str,
    ) -> Key {
        Key { absent, ..Key::required(group, field, kind, "", help) }
    }

    /// A key that only `task` uses.
    pub(super) const fn of_task(self, task: &'static str) -> Key {
        Key { task: Some(task), ..self }
    }

    /// A key whose value does not change how long a step takes.
    pub(super) const fn without_effect_on_speed(self) -> Key {
        Key { affects_speed: false, ..self }
    }

    /// A key whose value is not part of the recipe.
    pub(super) const fn outside_recipe(self) -> Key {
        Key { is_part_of_recipe: false, ..self }
    }

    /// Whether the key may be absent.
    pub fn is_optional(&self) -> bool {
        self.default.is_empty()
    }

    /// The words that the key accepts; `None` when it accepts other values too.
    pub fn choices(&self) -> Option<Vec<&'static str>> {
        match self.kind {
            ValueKind::Choice(words) => Some(words.to_vec()),
            ValueKind::Boolean => Some(vec!["true", "false"]),
            ValueKind::Task => Some(trainable_tasks().map(|task| task.name).collect()),
            _ => None,
        }
    }

    /// Sets the key to the value that `text` stands for; empty text makes an optional key absent.
    ///
    /// # Errors
    /// A sentence, without the key's name, when `text` is not a valid value; `spec` keeps the old one.
    pub fn set(&self, spec: &mut RunSpec, text: &str) -> Result<(), String> {
        (self.field.set)(spec, text, self.kind)
    }

    /// The key's value as a user would type it; `None` when it is absent.
    pub fn get(&self, spec: &RunSpec) -> Option<String> {
        (self.field.get)(spec)
    }

    /// Whether `text`, as typed into a form or after `--set KEY=`, is a value of the key. Empty text makes an
    /// optional key absent.
    ///
    /// # Errors
    /// A sentence without the key's name.
    pub fn check(&self, text: &str) -> Result<(), String> {
        self.set(&mut built_in(""), text)
    }
}
