//! Matches the labels of a trained classifier with those of a task, by name.

use super::label_map::LabelMap;
use super::labels::ClassName;
use crate::text::{clipped, escaped};
use std::borrow::Cow;
use std::collections::HashMap;

/// Most names in a message.
const MAX_LISTED: usize = 12;

/// Most characters of a name in a message.
const MAX_NAME: usize = 60;

/// Spellings of the same label, without case, blanks, `_` and `-`.
const SYNONYMS: &[&[&str]] = &[
    &["negative", "neg"],
    &["positive", "pos"],
    &["neutral", "neu"],
    &["entailment", "entail", "entails", "entailed"],
    &["notentailment", "nonentailment", "notentail", "notentails", "notentailed"],
    &["contradiction", "contradict", "contradicts", "contradictory", "contradicted"],
    &["duplicate", "duplicates", "isduplicate"],
    &["notduplicate", "notduplicates", "nonduplicate", "nonduplicates", "isnotduplicate", "notaduplicate"],
    &["equivalent", "isequivalent", "semanticallyequivalent", "paraphrase", "isparaphrase"],
    &[
        "notequivalent",
        "nonequivalent",
        "isnotequivalent",
        "notsemanticallyequivalent",
        "notparaphrase",
        "nonparaphrase",
        "notaparaphrase",
    ],
    &["acceptable", "isacceptable", "grammatical"],
    &["unacceptable", "notacceptable", "nonacceptable", "ungrammatical", "notgrammatical"],
];

/// The labels that 0 and 1 stand for, where that is the same in every data set. It is not for entailment, which is 0 in
/// RTE and 1 in WNLI.
const BINARY: &[[&str; 2]] = &[
    ["negative", "positive"],
    ["notduplicate", "duplicate"],
    ["notequivalent", "equivalent"],
    ["unacceptable", "acceptable"],
    ["false", "true"],
    ["no", "yes"],
];

/// How the outputs of a classifier correspond to the labels of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelMatch {
    /// The output of each label of the task, by name.
    ByName(Vec<usize>),
    /// The names of one side have no meaning or are 0 and 1.
    Assumed {
        /// The output of each label of the task.
        outputs: Vec<usize>,
        /// A sentence that says what was assumed.
        reason: String,
    },
    /// The names differ. The sentence lists both.
    Different(String),
}

impl LabelMatch {
    /// The output of each label of the task; `None` if the names differ.
    pub fn outputs(&self) -> Option<&[usize]> {
        match self {
            LabelMatch::ByName(outputs) | LabelMatch::Assumed { outputs, .. } => Some(outputs),
            LabelMatch::Different(_) => None,
        }
    }

    /// A note for the log if the outputs are not simply those of the labels in the same order.
    pub fn note<T: AsRef<str>>(&self, model: &[T]) -> Option<String> {
        match self {
            LabelMatch::ByName(outputs) if !outputs.is_sorted() => {
                let order = outputs.iter().filter_map(|output| model.get(*output));
                Some(format!(
                    "the model's labels {} were matched by name, in the order {} of the task",
                    list_labels(model),
                    list_labels(&order.collect::<Vec<_>>())
                ))
            }
            LabelMatch::ByName(_) | LabelMatch::Different(_) => None,
            LabelMatch::Assumed { reason, .. } => Some(reason.clone()),
        }
    }
}

/// Matches the labels `model` of a classifier, in the order of its outputs, with the labels `task`. Names are equal if
/// they differ only in case, blanks, `_` and `-`, or are synonyms in GLUE. `map` renames labels of the model first.
///
/// # Errors
/// A sentence, without the name of the map, if `map` names a label that one side lacks, or maps two to one.
pub fn match_labels<M: AsRef<str>, T: AsRef<str>>(
    model: &[M],
    task: &[T],
    map: &LabelMap,
) -> Result<LabelMatch, String> {
    let renamed = rename(model, task, map)?;
    if renamed.len() == task.len() {
        for key in [exact_key, plain_key, synonym_key] {
            if let Some(outputs) = permutation(&renamed, task, key) {
                return Ok(LabelMatch::ByName(outputs));
            }
        }
        if let Some(outputs) = binary(&renamed, task) {
            let reason = format!(
                "the task's labels {} were matched with the model's labels {} by their usual meaning",
                list_labels(task),
                list_labels(&outputs.iter().filter_map(|output| model.get(*output)).collect::<Vec<_>>())
            );
            return Ok(LabelMatch::Assumed { outputs, reason });
        }
        if map.is_empty() && has_no_meaning(model, task) {
            let reason = format!(
                "the model's label names {} have no meaning and were matched with {} by position",
                list_labels(model),
                list_labels(task)
            );
            return Ok(LabelMatch::Assumed { outputs: (0..task.len()).collect(), reason });
        }
    }
    let different = format!(
        "the model's labels are {}, and those of the task are {}",
        list_labels(model),
        list_labels(task)
    );
    if map.is_empty() {
        Ok(LabelMatch::Different(different))
    } else {
        Err(unmapped(&renamed, task, &different))
    }
}

/// The output of the label `name` among the labels `model`; `None` if no name or several names are equal to it.
pub fn output_of<M: AsRef<str>>(model: &[M], name: &str) -> Option<usize> {
    [exact_key, plain_key, synonym_key].into_iter().find_map(|key| {
        let wanted = key(name);
        let mut found = (0..model.len()).filter(|output| key(model[*output].as_ref()) == wanted);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    })
}

/// The first names, and the number of the others.
pub fn list_labels<T: AsRef<str>>(names: &[T]) -> String {
    let shown = |name: &T| clipped(&escaped(name.as_ref()), MAX_NAME).into_owned();
    let first = names.iter().take(MAX_LISTED).map(shown).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_LISTED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// The names of the model after the map.
fn rename<M: AsRef<str>, T: AsRef<str>>(
    model: &[M],
    task: &[T],
    map: &LabelMap,
) -> Result<Vec<ClassName>, String> {
    let mut renamed: Vec<ClassName> = model.iter().map(|name| Cow::Owned(name.as_ref().to_owned())).collect();
    let mut target_of: HashMap<usize, &str> = HashMap::new();
    for (from, to) in map.iter() {
        let output = output_of(model, from)
            .ok_or_else(|| format!("the model has no label {from}; its labels are {}", list_labels(model)))?;
        let label = output_of(task, to)
            .ok_or_else(|| format!("the task has no label {to}; its labels are {}", list_labels(task)))?;
        if let Some(other) = target_of.insert(label, from) {
            return Err(format!(
                "it maps both {other} and {from} to {to}; each label of the task needs one label of the model"
            ));
        }
        renamed[output] = Cow::Owned(task[label].as_ref().to_owned());
    }
    Ok(renamed)
}

/// The error for labels that differ in spite of a map.
fn unmapped<T: AsRef<str>>(renamed: &[ClassName], task: &[T], different: &str) -> String {
    let missing = task.iter().find(|label| output_of(renamed, label.as_ref()).is_none());
    match missing {
        Some(label) => format!("no label of the model is mapped to {}; {different}", label.as_ref()),
        None => format!("the model has more labels than the task; {different}"),
    }
}

/// The output of each label of the task if both sides have the same distinct keys.
fn permutation<T: AsRef<str>>(
    model: &[ClassName],
    task: &[T],
    key: fn(&str) -> String,
) -> Option<Vec<usize>> {
    let by_key: HashMap<String, usize> =
        model.iter().enumerate().map(|(output, name)| (key(name), output)).collect();
    let outputs = task.iter().map(|label| by_key.get(&key(label.as_ref())).copied());
    let outputs = outputs.collect::<Option<Vec<usize>>>()?;
    let mut is_used = vec![false; model.len()];
    let is_one_to_one = outputs
        .iter()
        .all(|output| is_used.get_mut(*output).is_some_and(|used| !std::mem::replace(used, true)));
    (by_key.len() == model.len() && is_one_to_one).then_some(outputs)
}

/// The outputs of 0 and 1 if one side has these names and the other the labels that they stand for.
fn binary<T: AsRef<str>>(model: &[ClassName], task: &[T]) -> Option<Vec<usize>> {
    let numbers = |names: &[String]| names.len() == 2 && names.iter().all(|name| name == "0" || name == "1");
    let keys = |names: &mut dyn Iterator<Item = &str>| names.map(synonym_key).collect::<Vec<_>>();
    let model_keys = keys(&mut model.iter().map(AsRef::as_ref));
    let task_keys = keys(&mut task.iter().map(AsRef::as_ref));
    if !numbers(&task_keys) || numbers(&model_keys) {
        return None;
    }
    let pair = BINARY.iter().find(|pair| pair.iter().all(|name| model_keys.iter().any(|key| key == name)))?;
    let output = |label: &String| {
        let meaning = pair.get(usize::from(label == "1"))?;
        model_keys.iter().position(|key| key == meaning)
    };
    let outputs = task_keys.iter().map(output).collect::<Option<Vec<usize>>>()?;
    (outputs.first() != outputs.last()).then_some(outputs)
}

/// Whether the names of the model are placeholders: `LABEL_0`, `LABEL_1`, …, or bare numbers for labels that are words.
fn has_no_meaning<M: AsRef<str>, T: AsRef<str>>(model: &[M], task: &[T]) -> bool {
    let is_number = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let keys = || model.iter().map(|name| plain_key(name.as_ref()));
    keys().all(|key| key.strip_prefix("label").is_some_and(is_number))
        || keys().all(|key| is_number(&key)) && !task.iter().any(|name| is_number(&plain_key(name.as_ref())))
}

fn exact_key(name: &str) -> String {
    name.to_owned()
}

/// The name without case, blanks, `_` and `-`. A whole number that was written as a float is that number.
fn plain_key(name: &str) -> String {
    let is_ignored = |c: &char| c.is_whitespace() || matches!(c, '_' | '-');
    let key: String = name.chars().filter(|c| !is_ignored(c)).flat_map(char::to_lowercase).collect();
    match key.strip_suffix(".0") {
        Some(whole) if !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()) => {
            whole.to_owned()
        }
        _ => key,
    }
}

fn synonym_key(name: &str) -> String {
    let key = plain_key(name);
    let group = SYNONYMS.iter().find(|group| group.contains(&key.as_str()));
    group.and_then(|group| group.first()).map_or(key, |first| (*first).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(model: &[&str], task: &[&str]) -> LabelMatch {
        match_labels(model, task, &LabelMap::default()).unwrap()
    }

    fn by_name(outputs: &[usize]) -> LabelMatch {
        LabelMatch::ByName(outputs.to_vec())
    }

    #[test]
    fn names_match_in_any_order_and_spelling() {
        let cases: &[(&[&str], &[&str], &[usize])] = &[
            (&["a", "b"], &["a", "b"], &[0, 1]),
            (&["positive", "neutral", "negative"], &["negative", "neutral", "positive"], &[2, 1, 0]),
            (&["POS", "NEG"], &["negative", "positive"], &[1, 0]),
            (&["Not Entailment", "entailment"], &["entailment", "not_entailment"], &[1, 0]),
            (
                &["CONTRADICTION", "NEUTRAL", "ENTAILMENT"],
                &["entailment", "neutral", "contradiction"],
                &[2, 1, 0],
            ),
            (&["duplicate", "not-duplicate"], &["not_duplicate", "duplicate"], &[1, 0]),
            (&["paraphrase", "not_paraphrase"], &["not_equivalent", "equivalent"], &[1, 0]),
            (&["1", "0"], &["0", "1"], &[1, 0]),
            (&["0.0", "1.0"], &["1", "0"], &[1, 0]),
            (&["LABEL_1", "LABEL_0"], &["LABEL_0", "LABEL_1"], &[1, 0]),
            // Different words stay different classes: the exact names decide.
            (&["Good", "good"], &["good", "Good"], &[1, 0]),
            (&["neg", "negative"], &["negative", "neg"], &[1, 0]),
        ];
        for (model, task, outputs) in cases {
            assert_eq!(matched(model, task), by_name(outputs), "{model:?} {task:?}");
        }
    }

    #[test]
    fn placeholders_match_by_position() {
        let cases: &[(&[&str], &[&str])] = &[
            (&["LABEL_0", "LABEL_1"], &["negative", "positive"]),
            (&["LABEL_1", "LABEL_0"], &["negative", "positive"]),
            (&["label 0", "label 1", "label 2"], &["0", "1", "2"]),
            (&["0", "1"], &["entailment", "not_entailment"]),
        ];
        for (model, task) in cases {
            let found = matched(model, task);
            assert_eq!(found.outputs().unwrap(), (0..task.len()).collect::<Vec<_>>(), "{model:?} {task:?}");
            assert!(found.note(model).unwrap().contains("by position"));
        }
        let found = matched(&["positive", "negative"], &["0", "1"]);
        assert_eq!(found.outputs().unwrap(), [1, 0]);
        assert!(
            found
                .note(&["positive", "negative"])
                .unwrap()
                .contains("labels negative, positive by their usual")
        );
    }

    #[test]
    fn other_names_are_different() {
        let cases: &[(&[&str], &[&str])] = &[
            (&["a", "b"], &["a", "c"]),
            (&["a", "b", "c"], &["a", "b"]),
            (&["LABEL_0", "LABEL_1"], &["a", "b", "c"]),
            (&["1", "2"], &["0", "1"]),
            (&["0", "1"], &["0", "good"]),
            // 0 is entailment in RTE, and not in WNLI.
            (&["entailment", "not_entailment"], &["0", "1"]),
            (&["positive", "neutral", "negative"], &["0", "1", "2"]),
            (&["Good", "good"], &["good", "bad"]),
            (&["a", "a"], &["a", "b"]),
            (&["neg", "negative"], &["negative", "positive"]),
        ];
        for (model, task) in cases {
            let found = matched(model, task);
            assert!(matches!(found, LabelMatch::Different(_)), "{model:?} {task:?} {found:?}");
            assert_eq!((found.outputs(), found.note(model)), (None, None));
        }
    }

    #[test]
    fn a_map_renames_labels_of_the_model() {
        let with =
            |map: &str, model: &[&str], task: &[&str]| match_labels(model, task, &map.parse().unwrap());
        let task = ["negative", "positive"];
        assert_eq!(with("good=positive,bad=negative", &["good", "bad"], &task), Ok(by_name(&[1, 0])));
        assert_eq!(with("Good=POS", &["good", "neg"], &task), Ok(by_name(&[1, 0])));
        assert_eq!(
            with("LABEL_0=positive,LABEL_1=negative", &["LABEL_0", "LABEL_1"], &task),
            Ok(by_name(&[1, 0]))
        );
        let error = |map: &str, model: &[&str]| with(map, model, &task).unwrap_err();
        assert!(
            error("god=positive", &["good", "bad"]).contains("has no label god; its labels are good, bad")
        );
        assert!(error("good=fine", &["good", "bad"]).contains("the task has no label fine"));
        assert!(
            error("good=positive,fine=positive", &["good", "fine"])
                .contains("both fine and good to positive")
        );
        assert!(
            error("good=positive", &["good", "bad"]).contains("no label of the model is mapped to negative")
        );
        assert!(error("good=pos,bad=neg", &["good", "bad", "meh"]).contains("more labels than the task"));
    }

    #[test]
    fn a_permutation_has_a_note() {
        let model = ["positive", "neutral", "negative"];
        let found = matched(&model, &["Negative", "neutral", "positive"]);
        assert_eq!(
            found.note(&model).unwrap(),
            "the model's labels positive, neutral, negative were matched by name, in the order negative, neutral, \
             positive of the task"
        );
        assert_eq!(matched(&["NEG", "POS"], &["negative", "positive"]).note(&["NEG", "POS"]), None);
        assert_eq!(output_of(&model, "POS"), Some(0));
        assert_eq!(output_of(&["Good", "good"], "GOOD"), None);
    }
}
