//! XMP packets: handed on as they are, except for what the restoration makes untrue.

/// Where JPEG keeps a packet: the start of an APP1 segment.
pub const JPEG_PREFIX: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// Under which keyword PNG keeps a packet.
pub const PNG_KEYWORD: &str = "XML:com.adobe.xmp";

/// Makes the packet say that the pixels are upright, and removes the thumbnail.
pub fn make_upright(packet: &mut Vec<u8>) {
    set(packet, b"tiff:Orientation", b"1");
    remove_element(packet, b"xmp:Thumbnails");
    remove_element(packet, b"xap:Thumbnails");
}

/// Makes the packet give this size, where it gives one.
pub fn set_size(packet: &mut Vec<u8>, width: u32, height: u32) {
    for (name, value) in [
        (b"tiff:ImageWidth".as_slice(), width),
        (b"exif:PixelXDimension", width),
        (b"tiff:ImageLength", height),
        (b"exif:PixelYDimension", height),
    ] {
        set(packet, name, value.to_string().as_bytes());
    }
}

/// Replaces the value of a property, which stands as `name="value"` or as `<name>value</name>`.
fn set(packet: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let mut from = 0;
    while let Some(found) = find(packet, name, from) {
        let after = found + name.len();
        from = after;
        let rest = packet.get(after..).unwrap_or_default();
        let (start, ends): (usize, &[u8]) = match rest {
            [b'=', b'"', ..] => (2, b"\""),
            [b'=', b'\'', ..] => (2, b"'"),
            [b'>', ..] if found > 0 && packet[found - 1] == b'<' => (1, b"<"),
            _ => continue,
        };
        if let Some(length) = find(rest, ends, start).map(|end| end - start) {
            packet.splice(after + start..after + start + length, value.iter().copied());
        }
    }
}

fn remove_element(packet: &mut Vec<u8>, name: &[u8]) {
    let (opening, closing) = ([b"<", name].concat(), [b"</", name, b">"].concat());
    if let Some(start) = find(packet, &opening, 0)
        && let Some(end) = find(packet, &closing, start)
    {
        packet.drain(start..end + closing.len());
    }
}

fn find(text: &[u8], word: &[u8], from: usize) -> Option<usize> {
    text.get(from..)?.windows(word.len()).position(|window| window == word).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_becomes_true_of_the_restored_picture() {
        let mut packet = b"<rdf:Description tiff:Orientation=\"6\" exif:PixelXDimension='96' dc:title=\"6\">\
            <tiff:Orientation>8</tiff:Orientation><exif:PixelYDimension>64</exif:PixelYDimension>\
            <xmp:Thumbnails><rdf:Alt>base64</rdf:Alt></xmp:Thumbnails></rdf:Description>"
            .to_vec();
        make_upright(&mut packet);
        set_size(&mut packet, 1024, 7);
        assert_eq!(
            String::from_utf8(packet).unwrap(),
            "<rdf:Description tiff:Orientation=\"1\" exif:PixelXDimension='1024' dc:title=\"6\">\
            <tiff:Orientation>1</tiff:Orientation><exif:PixelYDimension>7</exif:PixelYDimension></rdf:Description>"
        );
    }

    #[test]
    fn broken_packets_are_left_alone() {
        for text in [b"tiff:Orientation".as_slice(), b"tiff:Orientation=\"", b"<xmp:Thumbnails>", b""] {
            let mut packet = text.to_vec();
            make_upright(&mut packet);
            assert_eq!(packet, text);
        }
    }
}
