//! The catalogues of `po/`: every text of the plug-ins is in each, no other is, and no two controls share an access key.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kds_plugin_gimp::argument::arguments;
use kds_plugin_gimp::task::Task;

const LANGUAGES: [&str; 2] = ["de", "fr"];
/// Titles of the built-in models, which come from the registry.
const MODELS: &str = include_str!("../../models/registry.toml");

fn catalogue(language: &str) -> BTreeMap<String, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("po/{language}.po"));
    let catalogue = polib::po_file::parse(&file).unwrap();
    let message =
        |message: &dyn polib::message::MessageView| (message.msgid().to_owned(), message.msgstr().unwrap().to_owned());
    catalogue.messages().map(message).collect()
}

/// Texts in the sources, between `tr(`, `later(` or `fill(` and the next quotation mark; and those of tables elsewhere.
fn texts() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for call in ["tr(", "later(", "fill("] {
            for part in source.split(call).skip(1) {
                if let Some(text) = part.trim_start().strip_prefix('"') {
                    found.insert(text.split('"').next().unwrap().to_owned());
                }
            }
        }
    }
    found.extend(arguments().iter().map(|argument| argument.help.to_owned()));
    let titles = MODELS.lines().filter_map(|line| line.strip_prefix("title = \""));
    found.extend(titles.map(|title| title.trim_end_matches('"').to_owned()));
    found
}

#[test]
fn every_text_is_in_every_catalogue_and_no_other() {
    let texts = texts();
    assert!(texts.len() > 100, "{texts:?}");
    for language in LANGUAGES {
        let catalogue = catalogue(language);
        let known: BTreeSet<_> = catalogue.keys().cloned().collect();
        assert_eq!(texts.difference(&known).collect::<Vec<_>>(), [""; 0], "not in {language}.po");
        assert_eq!(known.difference(&texts).collect::<Vec<_>>(), [""; 0], "only in {language}.po");
        for (text, translation) in catalogue {
            assert!(!translation.is_empty(), "{language}: {text}");
            assert_eq!(text.matches("{}").count(), translation.matches("{}").count(), "{language}: {text}");
            assert_eq!(text.contains('_'), translation.contains('_'), "{language}: {text}");
            assert_eq!(text.starts_with(' '), translation.starts_with(' '), "{language}: {text}");
        }
    }
}

/// Letters after the underscores of all that a dialog shows at once.
#[test]
fn access_keys_do_not_collide() {
    let in_english: BTreeMap<String, String> = texts().into_iter().map(|text| (text.clone(), text)).collect();
    for (language, words) in [("en", in_english), ("de", catalogue("de")), ("fr", catalogue("fr"))] {
        for task in Task::ALL {
            let of_arguments = arguments().into_iter().filter(|argument| task.uses(argument.name));
            let others = ["_Advanced", "_Zoom", "Previe_w", "Show _low confidence", "_Help", "Rese_t", "_Cancel"];
            let labels = of_arguments.map(|argument| argument.label).chain(others).chain([task.button()]);
            let mut taken = BTreeMap::new();
            for label in labels {
                let shown = &words[label];
                let (_, after) = shown.split_once('_').unwrap_or_else(|| panic!("{language}: '{shown}' has no key"));
                let key = after.chars().next().unwrap().to_ascii_lowercase();
                assert!(key.is_ascii_alphabetic(), "{language}: '{shown}'");
                let other = taken.insert(key, shown.clone());
                assert!(other.is_none(), "{language}, {}: '{shown}' and {other:?}", task.title());
            }
        }
    }
}
