//! Comparison of a file with the hub's sums.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Mismatch of a file with its expected size and tag; `None` when it matches.
///
/// # Errors
/// When it cannot be read.
pub fn difference(path: &Path, size: u64, etag: &str) -> io::Result<Option<String>> {
    let found = path.metadata()?.len();
    if found != size {
        return Ok(Some(format!("it has {found} bytes instead of {size}")));
    }
    let is_hexadecimal = etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (name, sum) = match etag.len() {
        // The tag of a large file is its SHA-256, that of any other the name that git gives to its content.
        64 if is_hexadecimal => ("SHA-256", sha256(path)?),
        40 if is_hexadecimal => ("sum in git", sum(Sha1::new_with_prefix(format!("blob {size}\0")), path)?),
        _ => return Ok(Some(format!("its tag {etag} is no sum to compare it with"))),
    };
    Ok((!sum.eq_ignore_ascii_case(etag)).then(|| format!("its {name} is not {etag}")))
}

/// SHA-256 in lower-case hexadecimal digits.
///
/// # Errors
/// When the file cannot be read.
pub fn sha256(path: &Path) -> io::Result<String> {
    sum(Sha256::new(), path)
}

fn sum(mut state: impl Digest, path: &Path) -> io::Result<String> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; 1 << 20]);
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
        let of = |size, etag: &str| difference(file.path(), size, etag).unwrap();
        // FIPS 180-4, and `printf abc | git hash-object --stdin`.
        let sums = [
            ("SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ("sum in git", "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f"),
        ];
        for (name, sum) in sums {
            assert_eq!(of(3, sum), None);
            assert_eq!(of(3, &sum.to_uppercase()), None);
            assert!(of(4, sum).unwrap().contains("3 bytes instead of 4"));
            assert!(of(3, &sum.replace('b', "c")).unwrap().contains(name));
        }
        assert!(of(3, "abc").unwrap().contains("no sum to compare it with"));
    }
}
