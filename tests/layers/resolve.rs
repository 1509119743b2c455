//! Finds what a path stands for.

use super::source::{Definition, ModuleId, Source};
use std::collections::BTreeSet;

/// What a path ends at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Module(ModuleId),
    /// An item that this module defines.
    Item(ModuleId),
}

/// Modules and names that are being looked up, so that a circle of re-exports ends.
type Visited = BTreeSet<(ModuleId, String)>;

/// Crates below `src` other than the library: the program, and the kernels.
const OTHER_CRATES: &[&str] = &["main", "kernels"];

/// Whether a module with this path is in a crate other than the library.
fn is_in_other_crate(path: &[String]) -> bool {
    path.first().is_some_and(|name| OTHER_CRATES.contains(&name.as_str()))
}

impl Source {
    fn root(&self, path: &[&str]) -> Option<ModuleId> {
        self.modules.iter().position(|module| module.path == path)
    }

    /// The module that a path begins in and the names that follow, or `None` for a path of another crate.
    fn start<'a>(
        &self,
        module: ModuleId,
        path: &'a [String],
        visited: &mut Visited,
    ) -> Option<(ModuleId, &'a [String])> {
        let names = &self.modules[module].path;
        let mut here = match path.first()?.as_str() {
            "crate" if is_in_other_crate(names) => self.root(&[&names[0]])?,
            "crate" | "glue_tui" => self.root(&[])?,
            "self" => module,
            "super" => self.modules[module].parent?,
            name if !self.look_up(module, name, visited).is_empty() => return Some((module, path)),
            "kernels" => self.root(&["kernels"])?,
            _ => return None,
        };
        let mut rest = &path[1..];
        while rest.first().is_some_and(|name| name == "super") {
            here = self.modules[here].parent?;
            rest = &rest[1..];
        }
        Some((here, rest))
    }

    /// What `path`, written in `module`, stands for: more than one if a module and an item share a name,
    /// none if it is defined in another crate.
    pub(crate) fn resolve(&self, module: ModuleId, path: &[String]) -> Vec<Target> {
        self.resolve_unvisited(module, path, &mut Visited::new())
    }

    fn resolve_unvisited(&self, module: ModuleId, path: &[String], visited: &mut Visited) -> Vec<Target> {
        let Some((mut here, mut rest)) = self.start(module, path, visited) else { return Vec::new() };
        loop {
            let Some((name, after)) = rest.split_first().filter(|(name, _)| *name != "*") else {
                return vec![Target::Module(here)];
            };
            let found = self.look_up(here, name, visited);
            let inner = found.iter().find_map(|target| match target {
                Target::Module(id) => Some(*id),
                Target::Item(_) => None,
            });
            match inner {
                Some(id) if !after.is_empty() => (here, rest) = (id, after),
                // What follows an item is one of its variants or associated items.
                _ => return found,
            }
        }
    }

    /// What `name` stands for in `module`.
    fn look_up(&self, module: ModuleId, name: &str, visited: &mut Visited) -> Vec<Target> {
        if !visited.insert((module, name.to_owned())) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for definition in self.modules[module].definitions.get(name).into_iter().flatten() {
            match definition {
                Definition::Module(id) => found.push(Target::Module(*id)),
                Definition::Item => found.push(Target::Item(module)),
                // `use log;` names another crate by the name that it defines.
                Definition::Import(path) if path.len() == 1 && path[0] == name => {}
                Definition::Import(path) => found.extend(self.resolve_unvisited(module, path, visited)),
            }
        }
        if found.is_empty() {
            for glob in &self.modules[module].globs {
                for target in self.resolve_unvisited(module, glob, visited) {
                    if let Target::Module(id) = target {
                        found.extend(self.look_up(id, name, visited));
                    }
                }
            }
        }
        visited.remove(&(module, name.to_owned()));
        found.sort();
        found.dedup();
        found
    }

    /// The names from the root of the crate of a path that begins with `crate`, `self` or `super`, before
    /// re-exports are followed.
    pub(crate) fn absolute(&self, module: ModuleId, path: &[String]) -> Option<Vec<String>> {
        let here = &self.modules[module].path;
        let supers = path.iter().take_while(|name| *name == "super").count();
        let (prefix, rest) = match path.first()?.as_str() {
            "crate" if is_in_other_crate(here) => (&here[..1], &path[1..]),
            "kernels" => (&path[..1], &path[1..]),
            "crate" | "glue_tui" => (&here[..0], &path[1..]),
            "self" => (here.as_slice(), &path[1..]),
            "super" => (&here[..here.len().saturating_sub(supers)], &path[supers..]),
            _ => return None,
        };
        Some([prefix, rest].concat())
    }
}
