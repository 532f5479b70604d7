//! The bytes of a picture's file: of a file, of a pipe, or of standard input.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read, stdin},
    os::{fd::AsRawFd, unix::fs::FileTypeExt},
    path::Path,
};

use anyhow::{anyhow, bail};

use crate::{interrupt, place};

/// Most bytes that are read from a pipe, whose length nobody knows before: more than any picture that is read.
const LONGEST: u64 = 2 << 30;

/// The bytes behind the path; `-` is standard input.
///
/// # Errors
/// When there is nothing to read, or it cannot be read; [`interrupt::Cancelled`] when a signal comes while a pipe is silent.
pub fn load(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = if place::is_standard(path) {
        read_pipe(&mut stdin().lock())?
    } else {
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound if path.is_symlink() => anyhow!("is a link to a file that is not there; mend the link"),
            ErrorKind::NotFound => anyhow!("there is no such file; check the path"),
            _ => anyhow!("cannot be read: {error}; check the permissions"),
        })?;
        let explain = |error| anyhow!("cannot be read: {error}; check the permissions");
        let kind = metadata.file_type();
        if kind.is_dir() {
            bail!("is a folder; name a picture file");
        } else if kind.is_fifo() {
            read_pipe(&mut File::open(path).map_err(explain)?)?
        } else if kind.is_file() && metadata.len() > LONGEST {
            bail!("is too large: {} MiB, and at most {} MiB are read", metadata.len() >> 20, LONGEST >> 20);
        } else if kind.is_file() {
            fs::read(path).map_err(explain)?
        } else {
            bail!("is not a regular file; name a picture file");
        }
    };
    if file.is_empty() {
        bail!("is empty (0 bytes); replace it by a complete copy");
    }
    Ok(file)
}

fn read_pipe(pipe: &mut (impl Read + AsRawFd)) -> anyhow::Result<Vec<u8>> {
    let (mut file, mut part) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        interrupt::wait_for_input(pipe)?;
        match pipe.read(&mut part) {
            Ok(0) => return Ok(file),
            Ok(length) => file.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => bail!("cannot be read: {error}"),
        }
        if file.len() as u64 > LONGEST {
            bail!("is too large: more than {} MiB come from the pipe; name a picture file", LONGEST >> 20);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let sent: Vec<u8> = (0..200_000u32).map(|i| i as u8).collect();
        let copy = sent.clone();
        let thread = std::thread::spawn(move || writer.write_all(&copy).unwrap());
        assert_eq!(read_pipe(&mut reader).unwrap(), sent);
        thread.join().unwrap();
    }

    #[test]
    fn a_link_to_nothing_is_named_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("x.png");
        std::os::unix::fs::symlink("gone.png", &link).unwrap();
        assert!(load(&link).unwrap_err().to_string().contains("link to a file that is not there"));
    }
}
