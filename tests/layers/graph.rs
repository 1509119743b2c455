//! The graph of files, and its cycles.

use super::resolve::Target;
use super::source::Source;
use std::collections::BTreeMap;

/// For each file, the files that define what it uses, each with one path as an example.
pub(crate) type Graph = BTreeMap<String, BTreeMap<String, String>>;

impl Source {
    /// The graph of files outside tests. A module that a path leads through is no dependency, nor is the
    /// file of a module that is imported for what it contains: an edge leads to the file that defines an item.
    pub(crate) fn graph(&self) -> Graph {
        let mut graph = Graph::new();
        for reference in self.references.iter().filter(|reference| !reference.is_test) {
            let from = &self.modules[reference.module].file;
            for target in self.resolve(reference.module, &reference.path) {
                let Target::Item(module) = target else { continue };
                let to = &self.modules[module].file;
                if to != from && !self.is_test(module) {
                    let edges = graph.entry(from.clone()).or_default();
                    edges.entry(to.clone()).or_insert_with(|| reference.path.join("::"));
                }
            }
        }
        graph
    }
}

/// The strongly connected components of more than one file (Tarjan), each sorted, the largest first.
pub(crate) fn cycles(graph: &Graph) -> Vec<Vec<String>> {
    let mut search = Search { graph, index: BTreeMap::new(), stack: Vec::new(), found: Vec::new() };
    for file in graph.keys() {
        if !search.index.contains_key(file.as_str()) {
            search.visit(file);
        }
    }
    search.found.sort_by_key(|component| std::cmp::Reverse(component.len()));
    search.found
}

struct Search<'a> {
    graph: &'a Graph,
    /// In the order of discovery.
    index: BTreeMap<&'a str, usize>,
    stack: Vec<&'a str>,
    found: Vec<Vec<String>>,
}

impl<'a> Search<'a> {
    /// Visits `file` and all that it reaches; returns the lowest index on the stack that it reaches.
    fn visit(&mut self, file: &'a str) -> usize {
        let graph = self.graph;
        let index = self.index.len();
        let mut lowest = index;
        self.index.insert(file, index);
        self.stack.push(file);
        for next in graph.get(file).into_iter().flat_map(BTreeMap::keys) {
            match self.index.get(next.as_str()) {
                None => lowest = lowest.min(self.visit(next)),
                Some(seen) if self.stack.contains(&next.as_str()) => lowest = lowest.min(*seen),
                Some(_) => {}
            }
        }
        if lowest == index {
            let start = self.stack.iter().position(|other| *other == file).unwrap();
            let mut component: Vec<String> = self.stack.drain(start..).map(str::to_owned).collect();
            component.sort();
            if component.len() > 1 {
                self.found.push(component);
            }
        }
        lowest
    }
}

/// The edges inside a component, one a line.
pub(crate) fn describe(graph: &Graph, component: &[String]) -> String {
    let mut lines = vec![format!("cycle of {} files:", component.len())];
    for file in component {
        for (to, example) in graph.get(file).into_iter().flatten() {
            if component.contains(to) {
                lines.push(format!("  {file} -> {to}: {example}"));
            }
        }
    }
    lines.join("\n")
}
