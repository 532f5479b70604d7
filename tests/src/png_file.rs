//! PNG files, chunk by chunk: what no encoder at hand writes.

/// Begins every PNG file.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The file with other chunks (name and data) before and after its pixels.
pub fn with_chunks(png: &[u8], before: &[(&[u8; 4], Vec<u8>)], after: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut file = SIGNATURE.to_vec();
    let mut rest = &png[SIGNATURE.len()..];
    let mut pixels_seen = false;
    while let Some(length) = rest.first_chunk::<4>() {
        let (chunk, others) = rest.split_at(u32::from_be_bytes(*length) as usize + 12);
        let name = &chunk[4..8];
        let put = if name == b"IDAT" && !pixels_seen {
            before
        } else if name == b"IEND" {
            after
        } else {
            &[]
        };
        pixels_seen |= name == b"IDAT";
        put.iter().for_each(|(name, data)| file.extend(self::chunk(name, data)));
        file.extend(chunk);
        rest = others;
    }
    file
}

/// The file with another size in its header.
pub fn with_size(png: &[u8], width: u32, height: u32) -> Vec<u8> {
    let header = SIGNATURE.len() + 8;
    let mut data = png[header..header + 13].to_vec();
    data[..4].copy_from_slice(&width.to_be_bytes());
    data[4..8].copy_from_slice(&height.to_be_bytes());
    [SIGNATURE, &chunk(b"IHDR", &data), &png[header + 13 + 4..]].concat()
}

/// A chunk: length, name, data and checksum.
pub fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [name, data].concat();
    [&(data.len() as u32).to_be_bytes(), named.as_slice(), &crc32(&named).to_be_bytes()].concat()
}

/// The checksum of a chunk.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg()))
    })
}
