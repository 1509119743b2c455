//! Arenas: all parameters of a model in one contiguous array. Gradients and AdamW moments use arrays of the same
//! layout.

use super::engine::Array;
use super::params::ParamSpec;
use std::ops::Range;

/// A parameter and the elements of the arena that hold it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ParamRange {
    pub(crate) spec: ParamSpec,
    pub(crate) range: Range<usize>,
}

impl ParamRange {
    /// Copies the parameter out of `arena`.
    pub(crate) fn to_array(&self, arena: &[f32]) -> Array {
        Array { shape: self.spec.shape.clone(), data: arena[self.range.clone()].to_vec() }
    }
}

/// Lays out the parameters of a model one after the other.
pub(crate) struct ArenaBuilder<'a> {
    specs: &'a [ParamSpec],
    params: Vec<ParamRange>,
    /// Number of elements so far.
    len: usize,
}

impl<'a> ArenaBuilder<'a> {
    /// An empty arena for parameters of `specs`.
    pub(crate) fn new(specs: &'a [ParamSpec]) -> Self {
        ArenaBuilder { specs, params: Vec::new(), len: 0 }
    }

    /// Number of elements so far.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends elements that belong to no parameter; returns their range.
    pub(crate) fn reserve(&mut self, elements: usize) -> Range<usize> {
        self.len += elements;
        self.len - elements..self.len
    }

    /// Appends parameter `kind` (`weight` or `bias`) of each module in `modules`; returns the range of all of
    /// them.
    pub(crate) fn tensors(&mut self, modules: &[&str], kind: &str) -> Range<usize> {
        let first = self.len();
        for module in modules {
            let name = format!("{module}.{kind}");
            let spec = self.specs.iter().find(|spec| spec.name == name);
            let spec = spec.expect("`param_specs` lists every parameter of the configuration").clone();
            let range = self.reserve(spec.shape.iter().product());
            self.params.push(ParamRange { spec, range });
        }
        first..self.len()
    }

    /// The range of the parameter `name`, which is in the arena already.
    pub(crate) fn range(&self, name: &str) -> Range<usize> {
        let param = self.params.iter().find(|param| param.spec.name == name);
        param.expect("a parameter of the arena").range.clone()
    }

    /// Appends one parameter; returns its range.
    pub(crate) fn tensor(&mut self, module: &str, kind: &str) -> Range<usize> {
        self.tensors(&[module], kind)
    }

    /// All parameters, in the order of the arena.
    pub(crate) fn finish(self) -> Vec<ParamRange> {
        self.params
    }
}
