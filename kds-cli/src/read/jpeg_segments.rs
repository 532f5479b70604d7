//! The segments of a JPEG file: what stands between its markers, up to the end of the first picture.

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
const HUFFMAN_TABLES: u8 = 0xc4;
const COMMENT: u8 = 0xfe;
/// The frame of a progressive picture.
const PROGRESSIVE: u8 = 0xc2;
const JPEG_LS: u8 = 0xf7;
/// Adobe's segment, which says how four channels are stored.
const APP14: u8 = 0xee;

/// A marker with what belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// The second byte of the marker.
    pub marker: u8,
    /// The content, without marker and length.
    pub content: &'a [u8],
    /// Compressed pixels that follow; only of scans.
    scan: &'a [u8],
}

impl Segment<'_> {
    /// Content of the segment after this prefix, if it belongs to this application.
    pub fn of_application(&self, number: u8, prefix: &[u8]) -> Option<&[u8]> {
        (self.marker == 0xe0 + number).then(|| self.content.strip_prefix(prefix)).flatten()
    }

    /// The text of a comment.
    pub fn comment(&self) -> Option<String> {
        let text = self.content.strip_suffix(b"\0").unwrap_or(self.content);
        (self.marker == COMMENT && !text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }

    /// True for segments that the decoder needs; the others only make the file longer.
    fn is_for_the_decoder(&self) -> bool {
        self.marker == APP14 || !matches!(self.marker, 0xe0..=0xef | COMMENT)
    }
}

/// The first picture of a JPEG file.
#[derive(Debug)]
pub struct Segments<'a> {
    segments: Vec<Segment<'a>>,
    /// True when the end marker (EOI) is there.
    pub ended: bool,
}

impl<'a> Segments<'a> {
    /// Walks through the file, as far as it goes.
    pub fn of(file: &'a [u8]) -> Self {
        let mut walk = Self { segments: Vec::new(), ended: false };
        let mut rest = file.get(2..).unwrap_or_default();
        // Bytes between segments are skipped, as every decoder does.
        while let Some((marker, after)) = next_marker(rest) {
            match marker {
                END_OF_IMAGE => {
                    walk.ended = true;
                    break;
                }
                START_OF_IMAGE | 0x01 | 0xd0..=0xd7 => rest = after,
                _ => {
                    let Some(length) = after.first_chunk::<2>().map(|length| usize::from(u16::from_be_bytes(*length)))
                    else {
                        break;
                    };
                    let Some(content) = after.get(2..length) else { break };
                    rest = &after[length..];
                    let mut scan: &[u8] = &[];
                    if marker == START_OF_SCAN {
                        (scan, rest) = rest.split_at(length_of_scan(rest));
                    }
                    walk.segments.push(Segment { marker, content, scan });
                }
            }
        }
        walk
    }

    /// All segments in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Segment<'a>> {
        self.segments.iter()
    }

    /// Unsupported coding, by the frame header (ITU-T T.81, B.2.2), and how to convert the file.
    pub fn unsupported(&self) -> Option<(&'static str, &'static str)> {
        const TO_PNG: &str = "convert it to PNG";
        let frame = self.frame()?;
        match (frame.marker, frame.content.first()) {
            (0xc9..=0xcb, _) => Some(("arithmetic coding", "convert it with 'jpegtran -copy all in.jpg > out.jpg'")),
            (0xc3, _) => Some(("lossless coding", TO_PNG)),
            (JPEG_LS, _) => Some(("the coding of JPEG-LS", TO_PNG)),
            (0xc5..=0xc7 | 0xcd..=0xcf, _) => Some(("hierarchical coding", TO_PNG)),
            (_, Some(12)) => Some(("12 bits per sample", TO_PNG)),
            _ => None,
        }
    }

    fn frame(&self) -> Option<&Segment<'a>> {
        self.segments.iter().find(|segment| {
            matches!(segment.marker, 0xc0..=0xcf | JPEG_LS) && !matches!(segment.marker, HUFFMAN_TABLES | 0xc8 | 0xcc)
        })
    }

    /// True where the scans of a progressive picture bring every coefficient of every component to its last bit, and for
    /// a picture of another kind.
    pub fn is_refined(&self) -> bool {
        let Some(Segment { marker: PROGRESSIVE, content: frame, .. }) = self.frame() else { return true };
        // Precision, height, width and the number of components; then three bytes for each, the first of which names it.
        let components = frame.get(6..).unwrap_or_default().chunks_exact(3).map(|component| component[0]);
        let is_refined = |component: u8| {
            let mut missing = [u8::MAX; 64];
            for scan in self.segments.iter().filter(|segment| segment.marker == START_OF_SCAN) {
                // The number of components; two bytes for each; first and last coefficient, and the bits.
                let Some((&count, rest)) = scan.content.split_first() else { continue };
                let Some((names, &[first, last, bits, ..])) = rest.split_at_checked(2 * usize::from(count)) else {
                    continue;
                };
                if names.iter().step_by(2).any(|name| *name == component)
                    && let Some(coefficients) = missing.get_mut(usize::from(first)..=usize::from(last))
                {
                    coefficients.fill(bits & 15);
                }
            }
            missing == [0; 64]
        };
        components.into_iter().all(is_refined)
    }

    /// The picture for the decoder, with these bytes wherever no more are needed: after the pixels of its last scan, and of
    /// each interval between restarts where it is not progressive. Cameras leave the tables of Motion JPEG out; a
    /// decoder puts them in when it sees the segment that AVI files have.
    pub fn picture(&self, after_pixels: &[u8]) -> Vec<u8> {
        let mut file = vec![0xff, START_OF_IMAGE];
        if !self.segments.iter().any(|segment| segment.marker == HUFFMAN_TABLES) {
            file.extend(b"\xff\xe0\0\x10AVI1\0\0\0\0\0\0\0\0\0\0");
        }
        let progressive = self.frame().is_some_and(|frame| frame.marker == PROGRESSIVE);
        let last_scan = self.segments.iter().rposition(|segment| segment.marker == START_OF_SCAN);
        for segment in self.segments.iter().take(last_scan.map_or(usize::MAX, |last| last + 1)) {
            if segment.is_for_the_decoder() {
                file.extend([0xff, segment.marker]);
                file.extend((segment.content.len() as u16 + 2).to_be_bytes());
                file.extend(segment.content);
                let mut rest = segment.scan;
                while let Some(end) = next_restart(rest).filter(|_| !progressive) {
                    let (interval, restart) = rest.split_at(end);
                    [interval, after_pixels, &restart[..2]].iter().for_each(|part| file.extend_from_slice(part));
                    rest = &restart[2..];
                }
                file.extend(rest);
            }
        }
        file.extend(after_pixels);
        file.extend([0xff, END_OF_IMAGE]);
        file
    }
}

/// The next marker, and what comes after it.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let at = bytes.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff))?;
    Some((bytes[at + 1], &bytes[at + 2..]))
}

/// Position of the next restart among compressed pixels.
fn next_restart(scan: &[u8]) -> Option<usize> {
    scan.windows(2).position(|pair| pair[0] == 0xff && matches!(pair[1], 0xd0..=0xd7))
}

/// Length of the compressed pixels: up to a marker that is not a restart. In them, a zero follows every byte 0xff.
fn length_of_scan(bytes: &[u8]) -> usize {
    bytes
        .windows(2)
        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7))
        // A lone 0xff at the end is half a marker.
        .unwrap_or(bytes.len() - usize::from(bytes.last() == Some(&0xff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_picture_ends_before_the_tail() {
        let file = b"\xff\xd8\xff\xfe\0\x05hi\0\xff\xda\0\x02ab\xff\0c\xff\xd9tail\xff\xd8\xff\xda\0\x02x\xff\xd9";
        let segments = Segments::of(file);
        assert!(segments.ended);
        assert_eq!(segments.iter().find_map(Segment::comment).unwrap(), "hi");
        let picture = segments.picture(b"zz");
        assert!(picture.ends_with(b"\xff\xda\0\x02ab\xff\0czz\xff\xd9"), "{picture:?}");
    }

    #[test]
    fn frames_that_are_not_read_are_named() {
        let unread = |marker: u8, bits: u8| {
            let file = [b"\xff\xd8\xff\xc4\0\x02\xff".as_slice(), &[marker, 0, 3, bits]].concat();
            Segments::of(&file).unsupported().map(|(kind, _)| kind)
        };
        for read in [0xc0, 0xc1, 0xc2] {
            assert_eq!(unread(read, 8), None);
        }
        assert_eq!(unread(0xc1, 12), Some("12 bits per sample"));
        assert_eq!(unread(0xc3, 8), Some("lossless coding"));
        assert_eq!(unread(0xc9, 8), Some("arithmetic coding"));
        assert_eq!(unread(0xcd, 8), Some("hierarchical coding"));
        assert_eq!(unread(0xf7, 8), Some("the coding of JPEG-LS"));
        assert_eq!(unread(0xcc, 8), None);
    }

    #[test]
    fn any_bytes_can_be_walked() {
        for file in [b"".as_slice(), b"\xff", b"\xff\xd8\xff", b"\xff\xd8\xff\xda\0", b"\xff\xd8\xff\xda\0\x02\xff"] {
            assert!(!Segments::of(file).ended);
        }
    }
}
