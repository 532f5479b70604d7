//! `cargo xtask evaluate`: `kds eval` with what the repository has, where nothing else is named: its example pictures, its
//! weights of LPIPS, and a folder beside the build for the results.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use kds_tests::command;

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1).collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("evaluate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let named = |option: &str| {
        arguments
            .iter()
            .any(|argument| argument == option || argument.to_string_lossy().starts_with(&format!("{option}=")))
    };
    let mut added: Vec<OsString> = Vec::new();
    let mut add = |option: &str, value: &OsStr| added.extend([option.into(), value.to_owned()]);
    if !(named("--truth") || named("--low") || named("--help")) {
        let truth = root.join("examples/images/truth");
        add("--truth", truth.as_os_str());
        match task(&arguments)?.as_str() {
            "super-resolution" => add("--low", root.join("examples/images").as_os_str()),
            // Half the size: photographs at their own hold the noise of the camera.
            other => {
                add("--degradation", OsStr::new(if other == "inpainting" { "scratches" } else { "mixed" }));
                add("--reduce", OsStr::new("2"));
            }
        }
    }
    if !named("--lpips") {
        add("--lpips", root.join("tests/data/lpips_alex.safetensors").as_os_str());
    }
    if !(named("--output") || named("-o")) {
        let folder = command::build_folder()?.join("evaluation");
        // A new one each time: only a folder that was named is gone on with.
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        println!("The results go to {}.\n", folder.display());
        add("--output", folder.as_os_str());
    }
    let status = command::kds()?.arg("eval").args(arguments).args(added).status().context("kds does not start")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the model does that is named, or else the first, in the word of the registry.
fn task(arguments: &[OsString]) -> Result<String> {
    let after = arguments.iter().position(|argument| argument == "--model").and_then(|index| arguments.get(index + 1));
    let joined = arguments.iter().find_map(|argument| argument.to_str()?.strip_prefix("--model=").map(OsString::from));
    let model = after.cloned().or(joined).unwrap_or_else(|| "kds-photo-x4".into());
    let shown = command::kds()?.args(["models", "show"]).arg(&model).stderr(Stdio::inherit()).output()?;
    ensure!(shown.status.success(), "the model {} cannot be used", PathBuf::from(model).display());
    let text = String::from_utf8_lossy(&shown.stdout);
    let task = text.lines().find_map(|line| line.strip_prefix("task:")).context("'kds models show' names no task")?;
    Ok(task.trim().to_owned())
}
