//! Programs of the system that a task needs, installed with Debian's package manager where they are missing.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A command that must be there, or a library's headers by the name of their file for pkg-config such as `gegl-0.4.pc`, and the
/// Debian package that brings it.
pub type Requirement = (&'static str, &'static str);

/// Installs the packages of those commands that are not on the `PATH`: as root, or by a sudo that asks for no password.
/// Tells before what it does. Where it may not, the error holds the command to type.
pub fn ensure(requirements: &[Requirement]) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let packages = missing(requirements, &path);
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    let advice = format!("these packages are needed and missing: {list}. To install them: {}", typed(&list));
    if !on_path("apt-get", &path) {
        bail!("{advice}. There is no apt-get here: install what your distribution calls them");
    }
    let Some(privileges) = privileges() else {
        bail!("{advice}");
    };
    eprintln!("Installing packages of the system that the task needs: {list}");
    // A fresh container has no list of packages at all, and an old list names versions that are gone.
    for arguments in [&["update", "-q"][..], &[&["install", "-y", "--no-install-recommends"][..], &packages].concat()] {
        let words = [privileges, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
        let status = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("cannot start {}", words[0]))?;
        if !status.success() {
            bail!("'{}' failed ({status}); its own message is above. {advice}", words.join(" "));
        }
    }
    let still = missing(requirements, &path);
    if !still.is_empty() {
        bail!("apt-get succeeded, but commands or libraries of {} are still missing", still.join(" "));
    }
    Ok(())
}

/// The command to type.
fn typed(packages: &str) -> String {
    format!("sudo apt-get install -y --no-install-recommends {packages}")
}

/// The words before a command that give it root's rights; none when there are no such rights.
fn privileges() -> Option<&'static [&'static str]> {
    if rustix::process::geteuid().is_root() {
        return Some(&[]);
    }
    let sudo = Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    sudo.is_ok_and(|status| status.success()).then_some(&["sudo", "-n"])
}

/// The packages, each once, whose commands are not in the folders of `path`, or whose libraries are not known to pkg-config.
fn missing(requirements: &[Requirement], path: &OsStr) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for (command, package) in requirements {
        if !packages.contains(package) && !is_there(command, path) {
            packages.push(*package);
        }
    }
    packages
}

/// True where a requirement is met.
fn is_there(requirement: &str, path: &OsStr) -> bool {
    let Some(library) = requirement.strip_suffix(".pc") else { return on_path(requirement, path) };
    std::env::split_paths(path).map(|folder| folder.join("pkg-config")).find(|program| program.exists()).is_some_and(
        |pkg_config| {
            let mut ask = Command::new(pkg_config);
            ask.args(["--exists", library]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            ask.status().is_ok_and(|status| status.success())
        },
    )
}

fn on_path(command: &str, path: &OsStr) -> bool {
    let executable = |file: &Path| file.metadata().is_ok_and(|f| f.is_file() && f.permissions().mode() & 0o111 != 0);
    std::env::split_paths(path).any(|folder| executable(&folder.join(command)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn each_package_of_a_missing_command_is_named_once() {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in [("there", 0o755), ("no-program", 0o644)] {
            let file = folder.path().join(name);
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths([Path::new("/nowhere"), folder.path()]).unwrap();
        let required = [("there", "a"), ("no-program", "b"), ("not-there", "c"), ("nor-there", "c")];
        assert_eq!(missing(&required, &path), ["b", "c"]);
        assert!(missing(&required[..1], &path).is_empty());
        let libraries = [("known.pc", "d"), ("unknown.pc", "e")];
        assert_eq!(missing(&libraries, &path), ["d", "e"]);
        let pkg_config = folder.path().join("pkg-config");
        fs::write(&pkg_config, "#!/bin/sh\n[ \"$*\" = '--exists known' ]\n").unwrap();
        fs::set_permissions(&pkg_config, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(missing(&libraries, &path), ["e"]);
    }

    #[test]
    fn what_is_there_is_not_installed_again() {
        // A package of this name cannot be installed, so any attempt would fail.
        ensure(&[("sh", "a package that there is not")]).unwrap();
    }
}
