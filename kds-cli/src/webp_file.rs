//! WebP files: the decoder allocates what a chunk claims to hold before it looks whether the file has it, up to 4 GiB.

/// Whether all chunks lie within the file, so that its colour profile and EXIF data may be asked for.
pub fn is_whole(file: &[u8]) -> bool {
    // "RIFF", the size of the rest and "WEBP", then chunks: a name, a size, and the data, padded to an even length.
    let mut rest = file.get(12..).unwrap_or_default();
    while let Some((header, data)) = rest.split_first_chunk::<8>() {
        let size = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if size > data.len() {
            return false;
        }
        rest = data.get(size.next_multiple_of(2)..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_claims_more_than_there_is_is_found() {
        let file = |size: u32| [b"RIFF\0\0\0\0WEBPEXIF", &size.to_le_bytes()[..], b"12345\0"].concat();
        assert!(is_whole(&file(5)) && is_whole(&file(6)));
        assert!(!is_whole(&file(7)) && !is_whole(&file(u32::MAX)));
        assert!(is_whole(b"RIFF"));
    }
}
