//! A launcher: a script that starts an installed program.
//!
//! A copy of it starts the same program, where a copy of a link is a program without its libraries: GIMP copies its plug-ins
//! when a new version takes over the settings of an old one. It names the program by its full path, because a sandbox may
//! see the folder of the launcher elsewhere, and by the way from the launcher, because the home folder may move.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::link;
use crate::partial::{Partial, sibling};

const MARK: &str = "#!/bin/sh\n# Starts a program of KDS where it is installed. Made by `cargo xtask install`.\n";

/// Makes `place` a launcher of `program`. It replaces an earlier launcher, a link, a copy of a file that contains
/// `signature`, and nothing else.
///
/// # Errors
/// Where another file is at `place`, the program is not there, or the folder cannot be written.
pub fn make(place: &Path, program: &Path, signature: &str) -> Result<()> {
    let folder = place.parent().with_context(|| format!("{} lies in no folder", place.display()))?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let real = |path: &Path| fs::canonicalize(path).with_context(|| format!("cannot find {}", path.display()));
    let program = real(program)?;
    let way = link::relative(&real(folder)?, &program);
    let mut script = MARK.as_bytes().to_vec();
    script.extend(b"for program in ");
    script.extend(quoted(program.as_os_str()));
    script.extend(b" \"${0%/*}\"/");
    script.extend(quoted(way.as_os_str()));
    script.extend(b"; do\n    [ -x \"$program\" ] && exec \"$program\" \"$@\"\ndone\necho ");
    let message = format!("kds: {} is not there; install KDS again", program.display());
    script.extend(quoted(OsStr::new(&message)));
    script.extend(b" >&2\nexit 1\n");

    remove(place, signature)?;
    let failed = || format!("cannot write {}", place.display());
    let partial = Partial::new(sibling(place, "partial"))?;
    let written = partial.path().join("launcher");
    fs::write(&written, script).with_context(failed)?;
    fs::set_permissions(&written, PermissionsExt::from_mode(0o755)).with_context(failed)?;
    fs::rename(&written, place).with_context(failed)
}

/// Removes a launcher, a link, or a copy of a file that contains `signature`; true where one was there.
///
/// # Errors
/// Where another file is at `place`, or the folder cannot be written.
pub fn remove(place: &Path, signature: &str) -> Result<bool> {
    let is_file = fs::symlink_metadata(place).is_ok_and(|found| found.is_file());
    if is_file && is_ours(&fs::read(place).with_context(|| format!("cannot read {}", place.display()))?, signature) {
        return fs::remove_file(place).with_context(|| format!("cannot remove {}", place.display())).map(|()| true);
    }
    link::remove(place)
}

fn is_ours(content: &[u8], signature: &str) -> bool {
    content.starts_with(MARK.as_bytes()) || content.windows(signature.len()).any(|part| part == signature.as_bytes())
}

/// A word of a shell.
fn quoted(text: &OsStr) -> Vec<u8> {
    let inner = text.as_bytes().split(|byte| *byte == b'\'').collect::<Vec<_>>().join(&b"'\\''"[..]);
    [b"'", &inner[..], b"'"].concat()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::process::Command;

    use super::*;

    const SIGNATURE: &str = "a-name-of-ours";

    fn said(launcher: &Path) -> String {
        let start = || Command::new(launcher).args(["-gimp", "two words", "it's"]).output();
        // Another test may fork while the file is still open for writing, and hold it until it executes.
        let busy = |error: &std::io::Error| error.kind() == ErrorKind::ExecutableFileBusy;
        let output = (0..100).map(|_| start()).find(|output| !output.as_ref().is_err_and(busy)).unwrap().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    #[test]
    fn launchers_work_where_they_were_made_copied_and_moved() {
        let folder = tempfile::tempdir().unwrap();
        let before = folder.path().join("it's $HOME");
        let program = before.join("data/kds/program");
        let place = before.join("config/plug-ins/kds");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, "#!/bin/sh\necho \"$#:$1:$2:$3\"\n").unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        make(&place, &program, SIGNATURE).unwrap();
        make(&place, &program, SIGNATURE).unwrap();
        assert_eq!(said(&place), "3:-gimp:two words:it's\n");
        let copy = folder.path().join("copy");
        fs::copy(&place, &copy).unwrap();
        assert_eq!(said(&copy), "3:-gimp:two words:it's\n");
        let after = folder.path().join("after");
        fs::rename(&before, &after).unwrap();
        assert_eq!(said(&after.join("config/plug-ins/kds")), "3:-gimp:two words:it's\n");
        let message = said(&copy);
        assert!(message.contains("it's $HOME/data/kds/program is not there; install KDS again"), "{message}");
        assert!(remove(&copy, SIGNATURE).unwrap() && !copy.exists() && !remove(&copy, SIGNATURE).unwrap());
    }

    #[test]
    fn copies_of_our_program_are_replaced_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (program, place) = (folder.path().join("program"), folder.path().join("place"));
        fs::write(&program, "program").unwrap();
        fs::write(&place, format!("\x7fELF...{SIGNATURE}...")).unwrap();
        make(&place, &program, SIGNATURE).unwrap();
        assert!(fs::read_to_string(&place).unwrap().starts_with(MARK));
        fs::write(&place, "theirs").unwrap();
        assert!(make(&place, &program, SIGNATURE).unwrap_err().to_string().contains("remove it first"));
        assert!(remove(&place, SIGNATURE).is_err());
        assert_eq!(fs::read_to_string(&place).unwrap(), "theirs");
    }
}
