//! The binary interface: what is exported, how structs lie in memory, and that what was compiled before still runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use kds_tests::c::{Language, Program, printed, root};
use kds_tests::command::build_folder;

/// The header of the first released interface. It is never changed; a later one is put beside it.
const RELEASED: &str = "tests/c/released/1";

fn header(folder: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(folder).join("kds.h")).unwrap()
}

/// The names of the functions that a header declares.
fn functions(header: &str) -> BTreeSet<String> {
    let code = header.lines().filter(|line| !line.trim_start().starts_with(['/', '*', '#']));
    code.filter(|line| !line.contains("typedef"))
        .filter_map(|line| {
            let end = line.find('(')?;
            let name = line[..end].rsplit([' ', '*']).next()?;
            name.starts_with("kds_").then(|| name.to_owned())
        })
        .collect()
}

/// The fields of every struct that a header defines.
fn structs(header: &str) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for part in header.split("typedef struct ").skip(1) {
        let Some((name, rest)) = part.split_once(" {") else { continue };
        if name.contains([' ', ';']) {
            continue;
        }
        let fields = rest[..rest.find('}').unwrap()]
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with(['/', '*']) && line.ends_with(';'))
            .map(|line| line.trim_end_matches(';').rsplit([' ', '*']).next().unwrap().to_owned());
        found.insert(name.to_owned(), fields.collect());
    }
    found
}

/// What is behind a struct's name where the sum of the sizes of its fields is told.
const PADDING: &str = " without padding";

/// Where a C compiler puts the fields, as `struct.field` with the offset, and the sizes as `struct`.
fn layout_in_c(headers: &str) -> BTreeMap<String, usize> {
    let mut code = "#include <kds.h>\n#include <stdio.h>\nint main(void)\n{\n".to_owned();
    for (name, fields) in structs(&header(headers)) {
        let sizes: Vec<_> = fields.iter().map(|field| format!("sizeof(((const {name} *)0)->{field})")).collect();
        writeln!(code, "    printf(\"{name} %zu\\n\", sizeof({name}));").unwrap();
        writeln!(code, "    printf(\"{name} without padding %zu\\n\", {});", sizes.join(" + ")).unwrap();
        for field in fields {
            writeln!(code, "    printf(\"{name}.{field} %zu\\n\", offsetof({name}, {field}));").unwrap();
        }
    }
    code += "    return 0;\n}\n";
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("layout.c");
    std::fs::write(&source, code).unwrap();
    let program = Program::new(Language::C, &source).headers(headers).compile(folder.path()).unwrap();
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, number)| (name.to_owned(), number.parse().unwrap()))
        .collect()
}

macro_rules! layout_in_rust {
    ($($name:ident: $($field:ident)*;)*) => {
        BTreeMap::from([$(
            (stringify!($name).to_owned(), size_of::<kds::$name>()),
            $((concat!(stringify!($name), ".", stringify!($field)).to_owned(), offset_of!(kds::$name, $field)),)*
        )*])
    };
}

#[test]
fn c_and_rust_agree_on_every_struct() {
    let rust = layout_in_rust! {
        kds_context_params: struct_size threads registry log log_user_data log_level reserved;
        kds_model_info: struct_size scale id title task backbone source needs_mask reserved
            error_range trusted_confidence trusted_error;
        kds_device_info: struct_size reserved name description dtypes default_dtype memory_total memory_free;
        kds_estimate: struct_size tile_width tile_height batch tiles memory evaluations host_memory device_memory;
        kds_image: struct_size format width height stride data len alpha reserved planes rows light;
        kds_progress_info: struct_size stage done total;
        kds_param: struct_size kind name title help default_value choices min max group scope;
    };
    let mut layout = layout_in_c("include");
    layout.retain(|place, _| !place.ends_with(PADDING));
    assert_eq!(layout, rust);
}

#[test]
fn no_struct_has_padding() {
    // The next field would fall into it: an older library writes there whatever it likes, and a size tells nobody.
    let layout = layout_in_c("include");
    let mut compared = 0;
    for (place, sum) in &layout {
        if let Some(name) = place.strip_suffix(PADDING) {
            assert_eq!(layout[name], *sum, "{name} has padding: name it `reserved`");
            compared += 1;
        }
    }
    assert!(compared >= 7, "{layout:?}");
}

#[test]
fn only_the_interface_is_exported() {
    let output = Command::new("nm")
        .args(["--dynamic", "--defined-only", "--format=posix"])
        .arg(build_folder().unwrap().join("libkds.so"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    let names = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<String> = names.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let mut expected = functions(&header("include"));
    assert!(expected.len() >= 29, "{expected:?}");
    // The root of kds-plugin-api, under the one name that abi_stable gives to all roots.
    expected.insert("_1as_0lib_1header_0root_bmodule_bloader".to_owned());
    assert_eq!(exported, expected);
}

#[test]
fn what_was_released_stays() {
    let (released, now) = (header(RELEASED), header("include"));
    let removed: Vec<_> = functions(&released).difference(&functions(&now)).cloned().collect();
    assert!(removed.is_empty(), "{removed:?}");
    let constants = |text: &str| -> BTreeSet<String> {
        text.lines().filter(|line| line.starts_with("#define KDS_") && line.contains(' ')).map(Into::into).collect()
    };
    let changed: Vec<_> = constants(&released).difference(&constants(&now)).cloned().collect();
    assert!(changed.is_empty(), "{changed:?}");

    let now = layout_in_c("include");
    for (place, number) in layout_in_c(RELEASED).into_iter().filter(|(place, _)| !place.ends_with(PADDING)) {
        let new = now.get(&place).copied().unwrap_or_else(|| panic!("{place} is gone"));
        let stays = if place.contains('.') { new == number } else { new >= number };
        assert!(stays, "{place} was {number} and is {new}");
    }
}

#[test]
fn programs_of_the_released_header_run() {
    for name in ["lifecycle", "images"] {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(Language::C, format!("tests/c/{name}.c")).headers(RELEASED);
        let output = Command::new(program.compile(folder.path()).unwrap())
            .env_remove("KDS_REGISTRY")
            .env("XDG_CONFIG_HOME", "/nowhere")
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", printed(&output));
    }
}
