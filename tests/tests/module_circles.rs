//! Rooms of a crate use each other in one direction only: no module reaches itself through others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Modules at the root of a crate, and those that each names, by their names. Tests do not count.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn uses_in(crate_folder: &str) -> Uses {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(crate_folder).join("src");
    let mut uses = Uses::new();
    for entry in fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        // The root, which lists all; programs; and what is compiled for tests only.
        if !["lib", "main", "bin", "testing"].contains(&room.as_str()) {
            let named = uses.entry(room).or_default();
            read(&path, named);
        }
    }
    let rooms: BTreeSet<String> = uses.keys().cloned().collect();
    let exported = exported_by(&fs::read_to_string(source.join("lib.rs")).unwrap());
    for (room, named) in &mut uses {
        *named = named.iter().map(|name| exported.get(name).unwrap_or(name).clone()).collect();
        named.retain(|other| other != room && rooms.contains(other));
    }
    uses
}

/// Modules of the names that the root of a crate exports by `pub use module::name` or `pub use module::{a, b}`.
fn exported_by(root: &str) -> BTreeMap<String, String> {
    let mut exported = BTreeMap::new();
    for statement in root.split("pub use ").skip(1) {
        let statement = statement.split(';').next().unwrap_or_default();
        let Some((module, names)) = statement.split_once("::") else { continue };
        for name in names.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|name| !name.is_empty()) {
            exported.insert(name.to_owned(), module.to_owned());
        }
    }
    exported
}

fn read(path: &Path, named: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read(&entry.unwrap().path(), named);
        }
    } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
        named.extend(named_in(&fs::read_to_string(path).unwrap()));
    }
}

/// Modules that `crate::a::…` and `crate::{a::…, b}` name, outside comments and unit tests.
fn named_in(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code: String =
        code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect();
    let word =
        |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut named = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            named.insert(word(rest));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (at, character) in group.char_indices() {
            if begins {
                named.insert(word(&group[at..]));
                begins = false;
            }
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                _ => {}
            }
        }
    }
    named.remove("");
    named
}

/// Modules that reach themselves through others.
fn in_circles(uses: &Uses) -> Vec<&str> {
    let reaches_itself = |room: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![room]);
        while let Some(next) = open.pop() {
            for other in uses.get(next).into_iter().flatten() {
                if seen.insert(other.as_str()) {
                    open.push(other);
                }
            }
        }
        seen.contains(room)
    };
    uses.keys().map(String::as_str).filter(|room| reaches_itself(room)).collect()
}

#[test]
fn no_module_reaches_itself() {
    let known = [
        ("kds-cli", ("mask", "read")),
        ("kds-host", ("model", "job")),
        ("kds-plugin-ffi", ("guard", "error")),
        ("kds-plugin-gimp", ("dialog", "settings")),
    ];
    for (folder, known) in known {
        let uses = uses_in(folder);
        assert!(uses[known.0].contains(known.1), "{folder}: {} does not use {}: {uses:?}", known.0, known.1);
        assert_eq!(in_circles(&uses), [""; 0], "{folder}: {uses:?}");
    }
}

#[test]
fn what_a_file_names_is_found() {
    let source = "use crate::{a::{b, c}, d,\n  e::F};\nfn f() { crate::g::h() }\n// crate::i\n#[cfg(test)]\nmod tests { use crate::j; }";
    assert_eq!(named_in(source), ["a", "d", "e", "g"].map(str::to_owned).into());
    let root = "mod a;\npub use a::{B,\n    C};\npub use d::E;";
    let pairs = [("B", "a"), ("C", "a"), ("E", "d")].map(|(name, module)| (name.to_owned(), module.to_owned()));
    assert_eq!(exported_by(root), pairs.into());
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses = Uses::new();
        for (from, to) in pairs {
            uses.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        uses
    };
    assert_eq!(in_circles(&uses(&[("a", "b"), ("b", "c"), ("c", "b")])), ["b", "c"]);
    assert!(in_circles(&uses(&[("a", "b"), ("a", "c"), ("b", "c")])).is_empty());
}
