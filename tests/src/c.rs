//! C and C++ programs that use libkds.so, compiled as a user would compile them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use crate::command::build_folder;

/// The repository root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A language with its compiler.
#[derive(Debug, Clone, Copy)]
pub enum Language {
    /// C99 and POSIX.
    C,
    /// C++17.
    Cpp,
}

/// What is compiled, and how.
#[derive(Debug, Clone)]
pub struct Program {
    language: Language,
    source: PathBuf,
    headers: PathBuf,
    library: &'static str,
    flags: Vec<&'static str>,
}

impl Program {
    /// A program of one file, from the repository root; linked to libkds.so, and compiled with the headers in `include/`.
    pub fn new(language: Language, source: impl AsRef<Path>) -> Self {
        let source = root().join(source);
        Self { language, source, headers: root().join("include"), library: "kds", flags: Vec::new() }
    }

    /// With the headers of another folder, from the repository root.
    pub fn headers(mut self, folder: impl AsRef<Path>) -> Self {
        self.headers = root().join(folder);
        self
    }

    /// Linked to another library, `libNAME.so`, beside libkds.so.
    pub fn library(mut self, name: &'static str) -> Self {
        self.library = name;
        self
    }

    /// With these further arguments of the compiler.
    pub fn flags(mut self, flags: &[&'static str]) -> Self {
        self.flags.extend(flags);
        self
    }

    /// Instrumented: a wild access, undefined behaviour or a leak ends it with an exit code that is not 0.
    pub fn sanitized(self) -> Self {
        self.flags(&["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"])
    }

    /// Compiles it, every warning an error, and gives the executable's path in `folder`.
    ///
    /// # Errors
    /// With the compiler's messages.
    pub fn compile(&self, folder: &Path) -> Result<PathBuf> {
        let libraries = build_folder()?;
        let program = folder.join(self.source.file_stem().context("a source has a name")?);
        let mut command = self.compiler();
        command
            .args(&self.flags)
            .arg(&self.source)
            .arg("-L")
            .arg(&libraries)
            .args([format!("-l{}", self.library), format!("-Wl,-rpath,{}", libraries.display())])
            .args(["-lm", "-pthread", "-o"])
            .arg(&program);
        finish(command, &self.source)?;
        Ok(program)
    }

    /// Compiles it without linking.
    ///
    /// # Errors
    /// With the compiler's messages.
    pub fn check(&self) -> Result<()> {
        let mut command = self.compiler();
        command.args(&self.flags).arg("-fsyntax-only").arg(&self.source);
        finish(command, &self.source)
    }

    fn compiler(&self) -> Command {
        let (program, standard) = match self.language {
            Language::C => ("cc", ["-std=c99", "-D_POSIX_C_SOURCE=200809L"].as_slice()),
            Language::Cpp => ("c++", ["-std=c++17"].as_slice()),
        };
        let mut command = Command::new(program);
        command.args(standard).args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]).arg(&self.headers);
        command
    }
}

fn finish(mut command: Command, source: &Path) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(output.status.success(), "{}: {}", source.display(), String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// What a program printed: standard output, then standard error.
pub fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
