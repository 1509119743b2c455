//! Planted violations and cycles, which the checks must find, and code that they must accept.

use super::graph::cycles;
use super::layers;
use super::rules::{Layers, violations};
use super::source::Source;

fn found(file: &str, text: &str) -> Vec<String> {
    violations(&layers(), &Source::parse([("lib.rs", ""), (file, text)]))
}

#[test]
fn layers_are_read_from_the_table() {
    let lib = "//! # Layers\n//!\n//! ```text\n//! main\n//! cli | tui   two faces\n//! spec   one\n//! rng error\n//! ```\n";
    let layers = Layers::read(lib);
    assert!(layers.allow("main", "cli") && layers.allow("cli", "spec") && layers.allow("tui", "error"));
    assert!(layers.allow("rng", "error") && layers.allow("error", "rng"));
    assert!(!layers.allow("cli", "tui") && !layers.allow("spec", "cli") && !layers.allow("spec", "new"));
}

#[test]
fn planted_violations_are_found() {
    let planted = [
        ("spec/keys.rs", "use crate::train::train;"),
        ("spec/keys.rs", "use crate::{catalog::Metric, event};"),
        ("spec/keys.rs", "use crate::{\n    error::{Error, Result},\n    run::find,\n};"),
        ("spec/keys.rs", "fn f() { let _ = crate::hub::Hub::new(); }"),
        ("spec/keys.rs", "fn f() { println!(\"{}\", crate::hub::offline()); }"),
        ("spec/keys.rs", "#[arg(value_parser = crate::hub::parse)] struct Args;"),
        ("spec/keys.rs", "use super::super::train;"),
        ("spec/mod.rs", "use super::{error, train::train};"),
        ("spec/mod.rs", "mod tests { use super::super::train::train; }"),
        ("cli/train.rs", "use crate::tui::open;"),
        ("data/mod.rs", "use crate::nn::Engine;"),
        ("train/loop.rs", "use ratatui::Frame;"),
        ("train/loop.rs", "fn f(t: &candle_core::Tensor) {}"),
        ("run/reproduction.rs", "use statrs::distribution::StudentsT;"),
        ("data/find.rs", "fn f() { let api = hf_hub::HFClient::new(); }"),
        ("tui/state/mod.rs", "use crate::tui::update::update;"),
        ("tui/state/runs.rs", "use super::super::effects::Effect;"),
        ("tui/view/mod.rs", "fn f() { crate::tui::update::update() }"),
        ("tui/update/keys.rs", "use crate::tui::view::screens::runs;"),
        ("tui/widgets/bars.rs", "use crate::tui::app::App;"),
        ("tui/widgets/bars.rs", "use super::super::app::App;"),
        ("tui/widgets/mod.rs", "use crate::{tui::{theme::Theme, screens::live}};"),
        ("tui/widgets/bars.rs", "use crate::tui::*;"),
        ("tui/widgets/bars.rs", "use crate::run::RunRow;"),
    ];
    for (file, text) in planted {
        assert_eq!(found(file, text).len(), 1, "{file}: {text}: {:?}", found(file, text));
    }
}

#[test]
fn a_violation_through_a_re_export_is_found() {
    let source = Source::parse([
        ("lib.rs", "pub mod spec; pub mod train; pub mod tui;"),
        ("tui/mod.rs", "pub mod theme; mod app; mod widgets;"),
        ("tui/app.rs", "pub struct App;"),
        ("tui/theme.rs", "pub use super::app::App;"),
        ("tui/widgets.rs", "use super::theme::App;"),
    ]);
    let found = violations(&layers(), &source);
    assert_eq!(found, ["tui/widgets.rs: a widget may not use tui::app: super::theme::App"]);
}

#[test]
fn permitted_code_is_accepted() {
    let permitted = [
        ("main.rs", "use glue_tui::{cli, tui};"),
        ("cli/train.rs", "use crate::{run::{self, TrainOutput}, spec}; use super::output; use clap::Parser;"),
        (
            "spec/keys.rs",
            "// crate::train\n/* use crate::train; /* ratatui::Frame */ */ const A: &str = \"crate::train::x\";",
        ),
        ("spec/keys.rs", "/// [`crate::train::train`]\nconst B: char = '\"'; fn f<'a>(_: &'a str) {}"),
        (
            "spec/keys.rs",
            "mod tests { use super::super::check; use super::*; mod deeper { use super::super::Key; } }",
        ),
        (
            "tui/widgets/bars.rs",
            "use super::put; use crate::tui::theme::{Role, Theme}; use crate::run::series::Series;",
        ),
        ("tui/widgets/mod.rs", "mod bars; pub use bars::Bars; use super::theme::Theme; use ratatui::Frame;"),
        ("tui/view/mod.rs", "use crate::tui::state::App; use super::theme::Theme;"),
        ("nn/device.rs", "use candle_core::Device; use crate::error::{Error, Result};"),
        ("error.rs", "use std::fmt; impl From<u8> for super::error::Error {}"),
    ];
    for (file, text) in permitted {
        assert_eq!(found(file, text), Vec::<String>::new(), "{text}");
    }
}

/// The cycles of a program whose root declares the modules `a`, `b` and `c`.
fn cycles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let root = ("lib.rs", "pub mod a; pub mod b; pub mod c;");
    cycles(&Source::parse([root].into_iter().chain(files.iter().copied())).graph())
}

#[test]
fn planted_cycles_are_found() {
    let a = ("a.rs", "pub struct A; fn f(_: crate::b::B) {}");
    let planted: [&[(&str, &str)]; 9] = [
        &[a, ("b.rs", "use crate::a::A; pub struct B;")],
        &[a, ("b.rs", "use super::a; pub struct B; fn f() -> a::A { todo!() }")],
        &[a, ("b.rs", "pub enum B { One(super::a::A) }")],
        &[a, ("b.rs", "pub struct B; fn f() { println!(\"{}\", crate::a::A) }")],
        &[a, ("b.rs", "pub struct B; mod inner { fn f(_: super::super::a::A) {} }")],
        &[a, ("b.rs", "use crate::a::*; pub struct B; fn f(_: A) {}")],
        &[
            ("a.rs", "use crate::b::B::*; pub struct A;"),
            ("b.rs", "use crate::a::A; pub enum B { One, Two }"),
        ],
        // The module that a file is in, and the file.
        &[
            ("a.rs", "mod deep; pub use deep::Deep; pub struct A;"),
            ("a/deep.rs", "use super::A; pub struct Deep;"),
        ],
        &[a, ("b.rs", "use crate::a::A as Other; pub struct B;")],
    ];
    for files in planted {
        let found = cycles_of(files);
        assert_eq!(found.len(), 1, "{files:?}");
        assert_eq!(found[0].len(), 2, "{files:?}");
    }
}

#[test]
fn a_cycle_through_a_re_export_is_found() {
    let by_name = ("c.rs", "pub use crate::b::B;");
    let by_glob = ("c.rs", "pub use crate::b::*;");
    for re_export in [by_name, by_glob] {
        let files = [
            ("a.rs", "use crate::c::B; pub struct A;"),
            ("b.rs", "use crate::a::A; pub struct B;"),
            re_export,
        ];
        assert_eq!(cycles_of(&files), [["a.rs", "b.rs"]], "{re_export:?}");
    }
}

#[test]
fn a_cycle_of_three_files_is_one() {
    let files = [
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::c::C; pub struct B;"),
        ("c.rs", "use crate::a::A; pub struct C;"),
    ];
    assert_eq!(cycles_of(&files), [["a.rs", "b.rs", "c.rs"]]);
}

#[test]
fn code_without_cycles_is_accepted() {
    let accepted: [&[(&str, &str)]; 4] = [
        &[("a.rs", "mod deep; pub struct A;"), ("a/deep.rs", "use super::A;")],
        &[
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }"),
        ],
        &[
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "#[cfg(test)] mod tests; pub struct B;"),
            ("b/tests.rs", "use crate::a::A;"),
        ],
        // A module that leads to an item is no dependency.
        &[
            ("a.rs", "pub mod deep; use deep::Deep; pub struct A;"),
            ("a/deep.rs", "use crate::a; pub struct Deep; fn f() -> a::deep::Deep { todo!() }"),
        ],
    ];
    for files in accepted {
        assert_eq!(cycles_of(files), Vec::<Vec<String>>::new(), "{files:?}");
    }
}
