//! Finding the program that serves as worker, starting it, and connecting to it.

use std::env;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::message::Hello;
use super::place::{self, Folder};
use crate::{Error, Status};

/// Environment variable that names the program.
const VARIABLE: &str = "KDS_WORKER";
const PROGRAM: &str = "kds";
/// Search path of the program, relative to the folder of the file with this code: beside it, above it (test programs lie
/// one folder deeper), and where an installation puts programs, the last as seen from a bundle of OpenFX.
const BESIDE: &[&str] = &["", "..", "../bin", "../../bin", "../../../../../bin"];
/// A worker that has been started answers within milliseconds; a machine may be very busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program that serves as worker.
pub(crate) fn program() -> Result<PathBuf, Error> {
    if let Some(named) = env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        return fs::canonicalize(&named).ok().filter(|file| file.is_file()).ok_or_else(|| {
            let named = named.display();
            unavailable(format!(
                "the environment variable {VARIABLE} names {named}, which is no file: correct or unset it"
            ))
        });
    }
    search(this_file().as_deref(), &env::var_os("PATH").unwrap_or_default())
}

fn search(this: Option<&Path>, path: &std::ffi::OsStr) -> Result<PathBuf, Error> {
    let folder = this.and_then(Path::parent);
    let beside = folder.into_iter().flat_map(|folder| BESIDE.iter().map(move |place| folder.join(place)));
    let mut tried = Vec::new();
    for folder in beside.chain(env::split_paths(path).filter(|folder| folder.is_absolute())) {
        let file = folder.join(PROGRAM);
        if let Some(found) = fs::canonicalize(&file).ok().filter(|file| file.is_file()) {
            return Ok(found);
        }
        tried.push(folder.display().to_string());
    }
    Err(unavailable(format!(
        "cannot find the program {PROGRAM}, which computes for this one; looked in: {}; install KDS again, or set the \
         environment variable {VARIABLE} to the file {PROGRAM}",
        tried.join(", ")
    )))
}

/// The file that this code was loaded from: a program, or a plug-in in a program of others.
fn this_file() -> Option<PathBuf> {
    let here = this_file as fn() -> Option<PathBuf> as usize;
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let file = maps.lines().find_map(|line| {
        let (addresses, rest) = line.split_once(' ')?;
        let (start, end) = addresses.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        (number(start)? <= here && here < number(end)?).then(|| rest.find('/').map(|at| PathBuf::from(&rest[at..])))?
    })?;
    fs::canonicalize(file).ok()
}

/// A connection to the worker for a device. Where there is none, one is started.
pub(crate) fn connect(program: &Path, device: &str) -> Result<Connection, Error> {
    let folder = Folder::of_user()?;
    let name = place::name(program, device);
    let start = Instant::now();
    loop {
        let failure = match folder.connect(&name) {
            Ok(socket) => match greeted(Connection::new(socket), program)? {
                Some(connection) => return Ok(connection),
                None => "it ended at once".to_owned(),
            },
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&error.kind()) => {
                launch(program, &folder, &name)?
            }
            Err(error) => error.to_string(),
        };
        if start.elapsed() > PATIENCE {
            let shown = program.display();
            return Err(unavailable(format!("cannot get a connection to the worker that {shown} starts: {failure}")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The connection, if the worker is of the same version; nothing if it ended before it greeted.
fn greeted(connection: io::Result<Connection>, program: &Path) -> Result<Option<Connection>, Error> {
    let connection = match connection {
        Ok(connection) => connection,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(unavailable(format!("the worker is not used: {error}")));
        }
        Err(_) => return Ok(None),
    };
    let Ok((hello, _)) = connection.receive::<Hello>() else { return Ok(None) };
    if hello != Hello::ours() {
        return Err(unavailable(format!(
            "the worker that {} started is KDS {}, and this program needs {}: install the same version of both",
            program.display(),
            hello.version,
            Hello::ours().version
        )));
    }
    Ok(Some(connection))
}

/// Starts a worker in the background; it is ready when this is over. Gives what it said where it failed.
fn launch(program: &Path, folder: &Folder, name: &str) -> Result<String, Error> {
    let shown = program.display();
    let failed = |reason: String| unavailable(format!("cannot start the worker {shown}: {reason}"));
    let mut child = Command::new(program)
        .args(["serve", "--background", "--socket"])
        .arg(folder.path().join(name))
        .env_clear()
        .envs(place::environment())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut said = Vec::new();
    if let Some(errors) = &mut child.stderr {
        let _ = errors.read_to_end(&mut said);
    }
    let said = String::from_utf8_lossy(&said);
    let said = said.trim().trim_start_matches("kds: ").to_owned();
    match child.wait() {
        Ok(status) if !status.success() && said.is_empty() => Err(failed(status.to_string())),
        Ok(status) if !status.success() => Err(failed(said)),
        // A host that ignores its children's end is not told it; whether the socket answers tells.
        _ => Ok(said),
    }
}

fn unavailable(message: String) -> Error {
    Error::new(Status::LibraryUnavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_looked_for_beside_this_code_then_on_the_path() {
        let this = this_file().unwrap();
        assert_eq!(this, fs::canonicalize(env::current_exe().unwrap()).unwrap());
        let outer = tempfile::tempdir().unwrap();
        let outer = fs::canonicalize(outer.path()).unwrap();
        for folder in ["lib/kds", "bin", "path"] {
            fs::create_dir_all(outer.join(folder)).unwrap();
        }
        let plug_in = outer.join("lib/kds/plug-in.so");
        let path = outer.join("path").into_os_string();
        let error = search(Some(&plug_in), &path).unwrap_err();
        assert!(error.message.contains("lib/kds/../../bin, ") && error.message.contains(VARIABLE), "{error}");
        let bundle = outer.join("lib/OFX/kds.ofx.bundle/Contents/Linux-x86-64");
        fs::create_dir_all(&bundle).unwrap();
        fs::write(outer.join("path/kds"), "").unwrap();
        assert_eq!(search(Some(&plug_in), &path).unwrap(), outer.join("path/kds"));
        fs::write(outer.join("bin/kds"), "").unwrap();
        assert_eq!(search(Some(&plug_in), &path).unwrap(), outer.join("bin/kds"));
        assert_eq!(search(Some(&bundle.join("kds.ofx")), &path).unwrap(), outer.join("bin/kds"));
    }

    #[test]
    fn a_program_that_is_no_worker_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::open(&folder.path().join("kds")).unwrap();
        let error = launch(Path::new("/bin/false"), &folder, "x.socket").unwrap_err();
        assert!(error.message.contains("/bin/false: exit status: 1"), "{error}");
    }
}
