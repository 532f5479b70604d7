//! Whether a file is what the hub says it is.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

/// What is wrong with a file that should have this size and this tag; `None` when nothing is.
///
/// # Errors
/// When it cannot be read.
pub fn difference(path: &Path, size: u64, etag: &str) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let found = file.metadata()?.len();
    if found != size {
        return Ok(Some(format!("it has {found} bytes instead of {size}")));
    }
    // The tag of a large file is its SHA-256. Others are tagged by what only git computes.
    let is_sum = etag.len() == 64 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_sum && !sum(&mut file)?.eq_ignore_ascii_case(etag) {
        return Ok(Some(format!("its SHA-256 is not {etag}")));
    }
    Ok(None)
}

fn sum(file: &mut File) -> io::Result<String> {
    let (mut state, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(state.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            length => state.update(&buffer[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_sum_count() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let of = |size, etag: &str| difference(file.path(), size, etag).unwrap();
        assert_eq!(of(3, sum), None);
        assert_eq!(of(3, "the tag of git"), None);
        assert!(of(4, sum).unwrap().contains("3 bytes instead of 4"));
        assert!(of(3, &sum.replace('b', "c")).unwrap().contains("SHA-256"));
    }
}
