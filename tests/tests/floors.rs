//! The floors of `core/src` and `std-ext/src`: a module imports only from the floors below its own. In `core`, no files of
//! a module form a ring.
//!
//! The test reads the floors from ARCHITECTURE.md, and `crate::` and `super::` paths of the sources, comments left out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const PACKAGES: [&str; 2] = ["core", "std-ext"];

type Module = Vec<String>;

/// The floors of a package from the ground up, each with its modules: the first paragraph of its section.
fn floors(package: &str) -> Vec<Vec<&'static str>> {
    let page = include_str!("../../ARCHITECTURE.md");
    let (_, section) = page.split_once(&format!("## Floors of `{package}`")).unwrap();
    let list = section.split("\n\n").nth(1).unwrap();
    list.split('·').map(|floor| floor.split('`').skip(1).step_by(2).collect()).collect()
}

/// The module path of a file below `src`: none for `lib.rs` and `main.rs`, that of the folder for `mod.rs`.
fn module(file: &str) -> Module {
    let name = file.trim_end_matches(".rs").trim_end_matches("mod").trim_end_matches('/');
    name.split('/').filter(|part| !matches!(*part, "lib" | "main")).map(String::from).collect()
}

/// Adds to `paths` those of a use tree, `prefix` before each; returns the text after it.
fn expand<'a>(prefix: &Module, text: &'a str, paths: &mut BTreeSet<Module>) -> &'a str {
    let mut text = text.trim_start();
    if let Some(list) = text.strip_prefix('{') {
        text = list.trim_start();
        while !text.starts_with('}') {
            text = expand(prefix, text, paths);
            text = text
                .trim_start_matches(|c: char| !matches!(c, ',' | '}'))
                .trim_start_matches(',')
                .trim_start();
        }
        return &text[1..];
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path: Module = prefix.iter().cloned().chain([name.to_string()]).collect();
    match rest.strip_prefix("::") {
        Some(rest) => expand(&path, rest, paths),
        None => {
            paths.insert(path);
            rest
        }
    }
}

/// The paths from the root that a file of module `from` imports.
fn imports(from: &Module, source: &str) -> BTreeSet<Module> {
    let code: Vec<_> = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut paths = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        expand(&Module::new(), &code[at + 7..], &mut paths);
    }
    for (at, _) in code.match_indices("super::").filter(|(at, _)| !code[..*at].ends_with("super::")) {
        let text = code[at..].trim_start_matches("super::");
        let up = (code.len() - at - text.len()) / 7;
        expand(&from[..from.len() - up].to_vec(), text, &mut paths);
    }
    paths
}

/// Every import of one module from a sibling, as `a -> b`, that goes up or along a floor, or in `core` is a part of a ring.
fn wrong(package: &str, sources: &BTreeMap<String, String>) -> Vec<String> {
    let floors = floors(package);
    let modules: BTreeSet<Module> = sources.keys().map(|file| module(file)).collect();
    let mut edges = BTreeSet::new();
    for (file, source) in sources {
        let from = module(file);
        for to in imports(&from, source) {
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (from.get(..=common), to.get(..=common))
                && modules.iter().any(|module| module.starts_with(to))
            {
                edges.insert((from.join("::"), to.join("::")));
            }
        }
    }
    let floor = |module: &str| floors.iter().position(|floor| floor.contains(&module));
    let reaches = |start: &str, goal: &str| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(at) = open.pop() {
            let next = edges.iter().filter(|(from, _)| from == at).map(|(_, to)| to.as_str());
            open.extend(next.filter(|to| reached.insert(*to)));
        }
        reached.contains(goal)
    };
    let is_wrong = |(from, to): &&(String, String)| match (floor(from), floor(to)) {
        (Some(from), Some(to)) => to >= from,
        _ => package == "core" && reaches(to, from),
    };
    edges.iter().filter(is_wrong).map(|(from, to)| format!("{from} -> {to}")).collect()
}

fn read(folder: &Path, root: &Path, sources: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, root, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            sources.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

fn sources(package: &str) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(package).join("src");
    let mut sources = BTreeMap::new();
    read(&root, &root, &mut sources);
    sources
}

#[test]
fn no_module_imports_from_a_floor_above() {
    for package in PACKAGES {
        assert_eq!(wrong(package, &sources(package)), [""; 0], "{package}");
    }
}

#[test]
fn every_module_has_one_floor() {
    for package in PACKAGES {
        let sources = sources(package);
        let modules =
            sources.keys().filter_map(|file| module(file).into_iter().next()).collect::<BTreeSet<_>>();
        let mut listed = floors(package).concat();
        listed.sort_unstable();
        assert_eq!(listed, modules.into_iter().collect::<Vec<_>>(), "{package}");
    }
}

#[test]
fn only_ieee_and_simd_name_an_architecture() {
    let mut sources = sources("core");
    sources.retain(|file, source| {
        source.contains("target_arch") && !file.starts_with("ieee/") && !file.starts_with("simd/")
    });
    assert_eq!(sources.keys().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn planted_imports_are_found() {
    let found = |package: &str, file: &str, line: &str| {
        let mut sources = sources(package);
        let before = wrong(package, &sources);
        sources.get_mut(file).unwrap().push_str(line);
        wrong(package, &sources).into_iter().filter(|import| !before.contains(import)).collect::<Vec<_>>()
    };
    assert_eq!(found("core", "kernel/mod.rs", "use crate::network::Shape;"), ["kernel -> network"]);
    assert_eq!(
        found("core", "kernel/definition.rs", "use super::super::{error::Error, task};"),
        ["kernel -> task"]
    );
    assert_eq!(found("core", "feature.rs", "fn f() { crate::optimizer::g() }"), ["feature -> optimizer"]);
    let ring = ["elementary::ln -> elementary::reduction", "elementary::reduction -> elementary::ln"];
    assert_eq!(
        found("core", "elementary/reduction.rs", "use crate::{\n    elementary::{ln::f, NAME},\n};"),
        ring
    );
    assert_eq!(found("core", "kernel/mod.rs", "// use crate::network::Shape;"), [""; 0]);
    assert_eq!(found("std-ext", "sums.rs", "use crate::run::train;"), ["sums -> run"]);
    assert_eq!(
        found("std-ext", "dataset/npy.rs", "use super::super::checkpoint::parse;"),
        ["dataset -> checkpoint"]
    );
}
