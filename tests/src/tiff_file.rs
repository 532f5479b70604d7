//! TIFF files of every kind, byte by byte, without compression: what no encoder at hand writes.

/// A value of a field.
#[derive(Debug, Clone)]
pub enum Value {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text, which gets a zero at its end.
    Text(&'static str),
    /// 16 bits.
    Short(Vec<u16>),
    /// 32 bits.
    Long(Vec<u32>),
    /// Fractions.
    Rational(Vec<(u32, u32)>),
}

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Channels of a pixel.
    pub samples: u16,
    /// Of each channel.
    pub bits: u16,
    /// Photometric interpretation.
    pub photometric: u16,
    /// The samples, row by row, in the byte order of the file.
    pub data: Vec<u8>,
    /// Width and height of tiles; strips of the whole page otherwise.
    pub tiles: Option<(u32, u32)>,
    /// Whether the channels lie apart.
    pub planar: bool,
    /// Other fields.
    pub fields: Vec<(u16, Value)>,
    /// Pages below this one.
    pub below: Vec<Page>,
}

impl Page {
    /// A page of 8 bits in one strip.
    pub fn new(width: u32, height: u32, samples: u16, photometric: u16, data: Vec<u8>) -> Self {
        let (bits, tiles, planar, fields, below) = (8, None, false, Vec::new(), Vec::new());
        Self { width, height, samples, bits, photometric, data, tiles, planar, fields, below }
    }

    /// With these bits for each channel.
    pub fn bits(self, bits: u16) -> Self {
        Self { bits, ..self }
    }

    /// With another field.
    pub fn field(mut self, tag: u16, value: Value) -> Self {
        self.fields.push((tag, value));
        self
    }

    /// Bytes of a sample.
    fn bytes(&self) -> usize {
        usize::from(self.bits / 8)
    }

    /// The chunks in which the data lie in the file.
    fn chunks(&self) -> Vec<Vec<u8>> {
        let channels = usize::from(self.samples);
        let planes: Vec<Vec<u8>> = if self.planar {
            let of = |channel| {
                let pixels = self.data.chunks(self.bytes() * channels);
                pixels.flat_map(|pixel| &pixel[channel * self.bytes()..][..self.bytes()]).copied().collect()
            };
            (0..channels).map(of).collect()
        } else {
            vec![self.data.clone()]
        };
        let Some((across, down)) = self.tiles else { return planes };
        let pixel = self.bytes() * if self.planar { 1 } else { channels };
        let mut chunks = Vec::new();
        for plane in planes {
            for top in (0..self.height).step_by(down as usize) {
                for left in (0..self.width).step_by(across as usize) {
                    let mut tile = vec![0; (across * down) as usize * pixel];
                    for y in top..(top + down).min(self.height) {
                        let from = (y * self.width + left) as usize * pixel;
                        let length = across.min(self.width - left) as usize * pixel;
                        tile[((y - top) * across) as usize * pixel..][..length]
                            .copy_from_slice(&plane[from..][..length]);
                    }
                    chunks.push(tile);
                }
            }
        }
        chunks
    }
}

/// A file of these pages, low bytes first or high bytes first, as TIFF or as BigTIFF.
pub fn tiff(pages: &[Page], little: bool, big: bool) -> Vec<u8> {
    let mut file = Writer { bytes: Vec::new(), little, big };
    file.bytes.extend(if little { b"II" } else { b"MM" });
    if big {
        [43, 8, 0].into_iter().for_each(|value| file.short(value));
    } else {
        file.short(42);
    }
    let mut link = file.bytes.len();
    file.offset(0);
    for page in pages {
        let (at, next) = file.page(page);
        file.set_offset(link, at);
        link = next;
    }
    file.bytes
}

struct Writer {
    bytes: Vec<u8>,
    little: bool,
    big: bool,
}

impl Writer {
    fn short(&mut self, value: u16) {
        self.bytes.extend(if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
    }

    fn long(&mut self, value: u32) {
        self.bytes.extend(if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
    }

    fn offset(&mut self, value: usize) {
        let value = value as u64;
        if self.big {
            self.bytes.extend(if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
        } else {
            self.long(value as u32);
        }
    }

    fn set_offset(&mut self, at: usize, value: usize) {
        let mut other = Self { bytes: Vec::new(), ..*self };
        other.offset(value);
        self.bytes[at..at + other.bytes.len()].copy_from_slice(&other.bytes);
    }

    fn encode(&self, value: &Value) -> (u16, usize, Vec<u8>) {
        let mut out = Self { bytes: Vec::new(), ..*self };
        match value {
            Value::Bytes(bytes) => (7, bytes.len(), bytes.clone()),
            Value::Text(text) => (2, text.len() + 1, [text.as_bytes(), &[0]].concat()),
            Value::Short(values) => {
                values.iter().for_each(|value| out.short(*value));
                (3, values.len(), out.bytes)
            }
            Value::Long(values) => {
                values.iter().for_each(|value| out.long(*value));
                (4, values.len(), out.bytes)
            }
            Value::Rational(values) => {
                values.iter().for_each(|(numerator, denominator)| {
                    out.long(*numerator);
                    out.long(*denominator);
                });
                (5, values.len(), out.bytes)
            }
        }
    }

    /// Where the directory of the page begins, and where the offset of the next one stands.
    fn page(&mut self, page: &Page) -> (usize, usize) {
        let below: Vec<u32> = page.below.iter().map(|page| self.page(page).0 as u32).collect();
        let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
        for chunk in page.chunks() {
            offsets.push(self.bytes.len() as u32);
            lengths.push(chunk.len() as u32);
            self.bytes.extend(chunk);
        }
        let mut fields = vec![
            (256, Value::Long(vec![page.width])),
            (257, Value::Long(vec![page.height])),
            (258, Value::Short(vec![page.bits; usize::from(page.samples)])),
            (259, Value::Short(vec![1])),
            (262, Value::Short(vec![page.photometric])),
            (277, Value::Short(vec![page.samples])),
            (284, Value::Short(vec![if page.planar { 2 } else { 1 }])),
        ];
        match page.tiles {
            Some((width, height)) => fields.extend([
                (322, Value::Long(vec![width])),
                (323, Value::Long(vec![height])),
                (324, Value::Long(offsets)),
                (325, Value::Long(lengths)),
            ]),
            None => fields.extend([
                (273, Value::Long(offsets)),
                (278, Value::Long(vec![page.height])),
                (279, Value::Long(lengths)),
            ]),
        }
        if !below.is_empty() {
            fields.push((330, Value::Long(below)));
        }
        fields.retain(|(tag, _)| page.fields.iter().all(|(own, _)| own != tag));
        fields.extend(page.fields.iter().cloned());
        fields.sort_by_key(|(tag, _)| *tag);
        let room = if self.big { 8 } else { 4 };
        let mut entries = Vec::new();
        for (tag, value) in &fields {
            let (kind, count, mut bytes) = self.encode(value);
            if bytes.len() > room {
                let at = self.bytes.len();
                self.bytes.extend(bytes);
                let mut out = Self { bytes: Vec::new(), ..*self };
                out.offset(at);
                bytes = out.bytes;
            }
            bytes.resize(room, 0);
            entries.push((*tag, kind, count, bytes));
        }
        let start = self.bytes.len();
        if self.big {
            self.offset(entries.len())
        } else {
            self.short(entries.len() as u16)
        }
        for (tag, kind, count, bytes) in entries {
            self.short(tag);
            self.short(kind);
            self.offset(count);
            self.bytes.extend(bytes);
        }
        let link = self.bytes.len();
        self.offset(0);
        (start, link)
    }
}
