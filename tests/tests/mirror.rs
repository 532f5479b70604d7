//! kds-host mirrors the structs of `include/kds.h` by hand: names, order and types of their fields have to agree, and
//! every function it looks up has to be declared.

use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The fields of a struct body as (type, name), from lines that `parse` understands.
fn fields(body: &str, parse: impl Fn(&str) -> Option<(String, String)>) -> Vec<(String, String)> {
    body.lines().filter_map(|line| parse(line.trim())).collect()
}

fn body<'a>(text: &'a str, start: &str) -> &'a str {
    let from = text.find(start).unwrap_or_else(|| panic!("'{start}' is not there")) + start.len();
    &text[from..from + text[from..].find('}').unwrap()]
}

fn c_field(line: &str) -> Option<(String, String)> {
    if line.starts_with(['/', '*']) {
        return None;
    }
    let (kind, name) = line.strip_suffix(';')?.rsplit_once(' ')?;
    let pointer = name.starts_with('*');
    let kind = match (kind.trim(), pointer) {
        ("const char", true) => "*const c_char",
        ("void", true) => "*mut c_void",
        ("void *const", true) => "*const *mut c_void",
        ("kds_log", false) => "LogCallback",
        ("uint32_t", false) => "u32",
        ("int32_t", false) => "i32",
        ("uint64_t", false) => "u64",
        ("uintptr_t" | "size_t", false) => "usize",
        ("double", false) => "f64",
        other => panic!("no Rust type is known for {other:?}"),
    };
    Some((kind.to_owned(), name.trim_start_matches('*').to_owned()))
}

fn rust_field(line: &str) -> Option<(String, String)> {
    let (name, kind) = line.strip_prefix("pub ")?.strip_suffix(',')?.split_once(": ")?;
    Some((kind.to_owned(), name.to_owned()))
}

#[test]
fn the_structs_agree_with_the_header() {
    let (header, mirror) = (read("include/kds.h"), read("kds-host/src/in_process/raw.rs"));
    let structs = [
        ("kds_param", "Param"),
        ("kds_context_params", "ContextParams"),
        ("kds_model_info", "ModelInfo"),
        ("kds_device_info", "DeviceInfo"),
        ("kds_estimate", "Estimate"),
        ("kds_image", "Image"),
        ("kds_progress_info", "ProgressInfo"),
    ];
    for (c, rust) in structs {
        let declared = fields(body(&header, &format!("struct {c} {{")), c_field);
        let mirrored = fields(body(&mirror, &format!("struct {rust} {{")), rust_field);
        assert!(declared.len() > 2, "{c}: {declared:?}");
        assert_eq!(declared, mirrored, "{c}");
    }
}

#[test]
fn the_functions_are_declared() {
    let (header, mirror) = (read("include/kds.h"), read("kds-host/src/in_process/raw.rs"));
    let names: Vec<&str> =
        mirror.lines().filter_map(|line| line.trim().strip_prefix("fn kds_")?.split('(').next()).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(header.contains(&format!("kds_{name}(")), "kds_{name} is not in kds.h");
    }
}
