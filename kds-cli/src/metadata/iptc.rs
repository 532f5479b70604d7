//! IPTC records, which JPEG and TIFF keep among the image resources of Photoshop.

/// Start of the APP13 segment of JPEG that holds image resources.
pub const JPEG_PREFIX: &[u8] = b"Photoshop 3.0\0";
/// Under which keyword PNG keeps image resources, in hexadecimal, since ImageMagick began it.
pub const PNG_KEYWORD: &str = "Raw profile type iptc";

const SIGNATURE: &[u8] = b"8BIM";
const IPTC: u16 = 0x0404;

/// The IPTC records among image resources.
pub fn of_resources(resources: &[u8]) -> Option<Vec<u8>> {
    // Each: signature, number, a name with its length before it, the length of the data, the data; both padded to even.
    let mut rest = resources;
    while let Some(resource) = rest.strip_prefix(SIGNATURE) {
        let (number, after) = resource.split_first_chunk::<2>()?;
        let name = (1 + usize::from(*after.first()?)).next_multiple_of(2);
        let (length, data) = after.get(name..)?.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let content = data.get(..length)?;
        if u16::from_be_bytes(*number) == IPTC {
            return Some(content.to_vec());
        }
        rest = data.get(length.next_multiple_of(2)..).unwrap_or_default();
    }
    None
}

/// Image resources that hold nothing but these IPTC records.
pub fn to_resources(iptc: &[u8]) -> Vec<u8> {
    let length = u32::try_from(iptc.len()).unwrap_or(u32::MAX);
    let mut resources = [SIGNATURE, &IPTC.to_be_bytes(), &[0, 0], &length.to_be_bytes(), iptc].concat();
    resources.resize(resources.len().next_multiple_of(2), 0);
    resources
}

/// The IPTC records in a text of PNG: a name, a length, and lines of hexadecimal digits.
pub fn of_png(text: &str) -> Option<Vec<u8>> {
    let mut words = text.split_whitespace();
    let (_name, length) = (words.next()?, words.next()?.parse::<usize>().ok()?);
    let digits: Vec<u8> = words.flat_map(str::bytes).collect();
    let bytes = digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect::<Option<Vec<u8>>>()?;
    let bytes = bytes.get(..length)?;
    if bytes.starts_with(SIGNATURE) { of_resources(bytes) } else { Some(bytes.to_vec()) }
}

/// The text of PNG that holds these IPTC records.
pub fn to_png(iptc: &[u8]) -> String {
    let resources = to_resources(iptc);
    let mut text = format!("\niptc\n{:8}\n", resources.len());
    for line in resources.chunks(36) {
        line.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_travel_in_both_wrappings() {
        let records = b"\x1c\x02\x19\0\x06family";
        let other = b"8BIM\x03\xed\x03abc\0\0\0\x01x\0".as_slice();
        assert_eq!(of_resources(&[other, &to_resources(records)].concat()).unwrap(), records);
        assert_eq!(of_png(&to_png(records)).unwrap(), records);
        for broken in [b"".as_slice(), b"8BIM", b"8BIM\x04\x04\0\0\0\0\0\xffx", other] {
            assert_eq!(of_resources(broken), None);
        }
        assert_eq!(of_png("\niptc\n 99\n1c02"), None);
        assert_eq!(of_png("\niptc\n 2\n1c0zä"), None);
    }
}
