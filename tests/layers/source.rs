//! Reads Rust source files: modules, the names they define, and the paths they use.

use std::collections::{BTreeMap, HashMap};
use syn::visit::{self, Visit};

/// Index of a module in [`Source::modules`].
pub(crate) type ModuleId = usize;

/// What a name in a module stands for.
#[derive(Clone, Debug)]
pub(crate) enum Definition {
    Module(ModuleId),
    /// A function, type, constant, trait or macro of this module.
    Item,
    /// The path of a `use` item.
    Import(Vec<String>),
}

/// A path in the code of a module, as written.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) module: ModuleId,
    pub(crate) path: Vec<String>,
    /// Whether it is compiled for tests only.
    pub(crate) is_test: bool,
}

#[derive(Debug)]
pub(crate) struct Module {
    /// Names from the root of the crate.
    pub(crate) path: Vec<String>,
    /// The source file, relative to `src`.
    pub(crate) file: String,
    pub(crate) parent: Option<ModuleId>,
    pub(crate) definitions: HashMap<String, Vec<Definition>>,
    /// Paths of `use …::*`.
    pub(crate) globs: Vec<Vec<String>>,
    pub(crate) is_test: bool,
}

/// The modules of `src`, and every path that they use.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) modules: Vec<Module>,
    pub(crate) references: Vec<Reference>,
}

/// `tui/widgets/bars.rs` → `[tui, widgets, bars]`; `tui/mod.rs` → `[tui]`; `lib.rs` → `[]`; `kernels/lib.rs`, the root
/// of another crate, → `[kernels]`.
fn module_path(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").or(path.strip_suffix("/lib")).unwrap_or(path);
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

impl Source {
    /// Parses files, given by path below `src` and text.
    pub(crate) fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut by_path = BTreeMap::new();
        for (file, text) in files {
            let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
            by_path.insert(module_path(file), (file, parsed));
        }
        let mut source = Self::default();
        let mut ids: HashMap<Vec<String>, ModuleId> = HashMap::new();
        // A parent sorts before its children.
        for (path, (file, _)) in &by_path {
            let parent = (0..path.len()).rev().find_map(|length| ids.get(&path[..length]).copied());
            let id = source.add_module(path.clone(), file, parent);
            ids.insert(path.clone(), id);
        }
        for (path, (_, parsed)) in &by_path {
            let id = ids[path];
            let is_test = source.is_test(id);
            let mut collector = Collector { source: &mut source, module: id, is_test };
            collector.visit_file(parsed);
        }
        source
    }

    fn add_module(&mut self, path: Vec<String>, file: &str, parent: Option<ModuleId>) -> ModuleId {
        let id = self.modules.len();
        if let (Some(parent), Some(name)) = (parent, path.last()) {
            self.define(parent, name, Definition::Module(id));
        }
        let file = file.to_owned();
        let (definitions, globs) = (HashMap::new(), Vec::new());
        self.modules.push(Module { path, file, parent, definitions, globs, is_test: false });
        id
    }

    fn define(&mut self, module: ModuleId, name: &str, definition: Definition) {
        self.modules[module].definitions.entry(name.to_owned()).or_default().push(definition);
    }

    /// The child module `name` of `module`.
    pub(crate) fn child(&self, module: ModuleId, name: &str) -> Option<ModuleId> {
        self.modules[module].definitions.get(name)?.iter().find_map(|definition| match definition {
            Definition::Module(id) => Some(*id),
            _ => None,
        })
    }

    /// Whether the module or one that it is in is compiled for tests only.
    pub(crate) fn is_test(&self, module: ModuleId) -> bool {
        let mut next = Some(module);
        std::iter::from_fn(|| {
            let id = next?;
            next = self.modules[id].parent;
            Some(id)
        })
        .any(|id| self.modules[id].is_test)
    }
}

fn has_cfg_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let mut is_test = attribute.path().is_ident("test");
        if attribute.path().is_ident("cfg") {
            // A condition with other syntax than `test` is one that the program may meet.
            let _ = attribute.parse_nested_meta(|meta| {
                is_test |= meta.path.is_ident("test");
                Ok(())
            });
        }
        is_test
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn defined_name(item: &syn::Item) -> Option<&syn::Ident> {
    match item {
        syn::Item::Const(item) => Some(&item.ident),
        syn::Item::Enum(item) => Some(&item.ident),
        syn::Item::Fn(item) => Some(&item.sig.ident),
        syn::Item::Macro(item) => item.ident.as_ref(),
        syn::Item::Static(item) => Some(&item.ident),
        syn::Item::Struct(item) => Some(&item.ident),
        syn::Item::Trait(item) => Some(&item.ident),
        syn::Item::Type(item) => Some(&item.ident),
        syn::Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

/// Fills a [`Source`] with the content of one file.
struct Collector<'a> {
    source: &'a mut Source,
    module: ModuleId,
    is_test: bool,
}

impl Collector<'_> {
    fn refer(&mut self, path: Vec<String>) {
        self.source.references.push(Reference { module: self.module, path, is_test: self.is_test });
    }

    /// Runs `visit` as test code if `is_test`.
    fn within(&mut self, is_test: bool, visit: impl FnOnce(&mut Self)) {
        let before = self.is_test;
        self.is_test |= is_test;
        visit(self);
        self.is_test = before;
    }

    fn import(&mut self, tree: &syn::UseTree, prefix: &[String]) {
        let join = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.import(&path.tree, &join(&path.ident)),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, prefix)),
            syn::UseTree::Glob(_) => {
                self.source.modules[self.module].globs.push(prefix.to_vec());
                self.refer([prefix, &["*".to_owned()]].concat());
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                self.import_as(prefix.last().map_or("", String::as_str), prefix.to_vec());
            }
            syn::UseTree::Name(name) => self.import_as(&name.ident.to_string(), join(&name.ident)),
            syn::UseTree::Rename(rename) => {
                let path = if rename.ident == "self" { prefix.to_vec() } else { join(&rename.ident) };
                self.import_as(&rename.rename.to_string(), path);
            }
        }
    }

    fn import_as(&mut self, name: &str, path: Vec<String>) {
        if name != "_" {
            self.source.define(self.module, name, Definition::Import(path.clone()));
        }
        self.refer(path);
    }

    /// Refers to the paths of at least two names in the tokens of a macro. A single name may be anything.
    fn visit_tokens(&mut self, mut cursor: syn::buffer::Cursor) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        while !cursor.eof() {
            if let Some((name, next)) = cursor.ident() {
                if colons != 2 {
                    self.refer_in_macro(std::mem::take(&mut path));
                }
                path.push(name.to_string());
                (cursor, colons) = (next, 0);
            } else if let Some((_, next)) = cursor.punct().filter(|(sign, _)| sign.as_char() == ':') {
                (cursor, colons) = (next, colons + 1);
            } else {
                self.refer_in_macro(std::mem::take(&mut path));
                if let Some((inside, _, _, next)) = cursor.any_group() {
                    self.visit_tokens(inside);
                    cursor = next;
                } else {
                    cursor = cursor.token_tree().map_or(cursor, |(_, next)| next);
                }
                colons = 0;
            }
        }
        self.refer_in_macro(path);
    }

    fn refer_in_macro(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.refer(path);
        }
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if let Some(name) = defined_name(item) {
            self.source.define(self.module, &name.to_string(), Definition::Item);
        }
        self.within(has_cfg_test(attributes(item)), |this| visit::visit_item(this, item));
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        assert!(!item.attrs.iter().any(|it| it.path().is_ident("path")), "#[path] is not supported");
        let name = item.ident.to_string();
        let outer = self.module;
        if let Some((_, items)) = &item.content {
            let path = [self.source.modules[outer].path.as_slice(), std::slice::from_ref(&name)].concat();
            let file = self.source.modules[outer].file.clone();
            self.module = self.source.add_module(path, &file, Some(outer));
            self.source.modules[self.module].is_test = self.is_test;
            for item in items {
                self.visit_item(item);
            }
            self.module = outer;
        } else if let Some(child) = self.source.child(outer, &name) {
            self.source.modules[child].is_test = self.is_test;
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &[]);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(has_cfg_test(&item.attrs), |this| visit::visit_impl_item_fn(this, item));
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            let tokens = syn::buffer::TokenBuffer::new2(list.tokens.clone());
            self.visit_tokens(tokens.begin());
        }
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.refer(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, macro_: &'ast syn::Macro) {
        self.visit_path(&macro_.path);
        let tokens = syn::buffer::TokenBuffer::new2(macro_.tokens.clone());
        self.visit_tokens(tokens.begin());
    }
}
