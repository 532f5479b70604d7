//! `tests/c/kds.abi`: the binary interface as libabigail describes it, committed, so that a change of it shows in review.

use crate::header;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The committed description, from the repository root.
const DESCRIPTION: &str = "tests/c/kds.abi";

/// Bit of abidiff's exit code: functions or types were removed or changed in a way that breaks programs for certain.
const INCOMPATIBLE: i32 = 8;
/// Bit of abidiff's exit code: the interface differs.
const DIFFERS: i32 = 4;

/// Writes the description of the interface as it is. Refuses where it would break programs that were compiled before.
pub fn write(root: &Path) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let described = describe(root, folder.path())?;
    let committed = root.join(DESCRIPTION);
    if committed.exists() {
        let (code, report) = compare(&committed, &described)?;
        if code & INCOMPATIBLE != 0 {
            bail!("the interface may only grow, and this breaks programs that were compiled before:\n{report}");
        }
    }
    fs::copy(&described, &committed).with_context(|| format!("cannot write {}", committed.display()))?;
    println!("{DESCRIPTION} is written.");
    Ok(())
}

/// Fails when the interface is not what the committed description says.
pub fn check(root: &Path) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let (code, report) = compare(&root.join(DESCRIPTION), &describe(root, folder.path())?)?;
    match code {
        0 => Ok(()),
        code if code & INCOMPATIBLE != 0 => bail!("the interface breaks programs that were compiled before:\n{report}"),
        _ => bail!("the interface has changed:\n{report}\nIf it has only grown, renew {DESCRIPTION}: cargo xtask abi"),
    }
}

/// Describes the interface as a C compiler reads it from the header. Debug information of Rust does not reach abidw, so
/// a library of empty functions stands for libkds.so, whose layouts and symbols tests compare with the header.
fn describe(root: &Path, folder: &Path) -> Result<PathBuf> {
    let (source, library, described) = (folder.join("kds.c"), folder.join("libkds.so"), folder.join("kds.abi"));
    fs::write(&source, stubs(&header::read(root)?)).with_context(|| format!("cannot write {}", source.display()))?;
    let include = root.join("include");
    let mut compile = Command::new("cc");
    compile.args(["-g", "-shared", "-fPIC", "-I"]).arg(include).arg(&source).arg("-o").arg(&library);
    run(compile)?;
    let mut describe = Command::new("abidw");
    describe.args(["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--no-elf-needed", "--out-file"]);
    describe.arg(&described).arg(&library);
    run(describe)?;
    Ok(described)
}

/// The header as C code that defines each function that it declares.
fn stubs(header: &str) -> String {
    let code: Vec<&str> = header.lines().filter(|line| !line.trim_start().starts_with("///")).collect();
    let mut stubs = "#include <kds.h>\n".to_owned();
    for name in header.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once('(')) {
        // A macro that stands for a call of a function must not take its definition apart.
        stubs += &format!("#undef {}\n", name.0);
    }
    for declaration in code.join("\n").split("\n\n").map(str::trim) {
        let is_function = declaration.contains(" kds_") || declaration.contains("*kds_");
        if is_function && declaration.ends_with(");") && !declaration.contains("typedef") {
            stubs += &format!("{}\n{{\n    __builtin_trap();\n}}\n", declaration.trim_end_matches(';'));
        }
    }
    stubs
}

/// abidiff's exit code and report.
fn compare(old: &Path, new: &Path) -> Result<(i32, String)> {
    let output = Command::new("abidiff").arg(old).arg(new).output().context("cannot start abidiff")?;
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(code) if code == 0 || code & DIFFERS != 0 => Ok((code, report)),
        _ => bail!("abidiff failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr)),
    }
}

fn run(mut command: Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "#pragma once\n\ntypedef struct kds_thing {\n    int size;\n} kds_thing;\n\n/// Does.\n\
                          int kds_do(kds_thing *thing,\n           int count);\n\n/// Undoes.\nvoid kds_undo(void);\n\n";

    /// The description of another header.
    fn described(folder: &Path, name: &str, header: &str) -> PathBuf {
        let root = folder.join(name);
        fs::create_dir_all(root.join("include")).unwrap();
        fs::write(root.join("include/kds.h"), header).unwrap();
        describe(&root, &root).unwrap()
    }

    #[test]
    fn changes_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let old = described(folder.path(), "old", HEADER);
        assert_eq!(compare(&old, &described(folder.path(), "same", HEADER)).unwrap().0, 0);
        let grown = HEADER.to_owned() + "void kds_redo(void);\n\n";
        let (code, report) = compare(&old, &described(folder.path(), "grown", &grown)).unwrap();
        assert!(code & INCOMPATIBLE == 0 && code & DIFFERS != 0 && report.contains("kds_redo"), "{code} {report}");
        let removed = HEADER.replace("void kds_undo(void);", "");
        let (code, report) = compare(&old, &described(folder.path(), "removed", &removed)).unwrap();
        assert!(code & INCOMPATIBLE != 0 && report.contains("kds_undo"), "{code} {report}");
        let changed = HEADER.replace("int count", "long count");
        let (code, report) = compare(&old, &described(folder.path(), "changed", &changed)).unwrap();
        assert!(code & DIFFERS != 0 && report.contains("kds_do"), "{code} {report}");
    }
}
