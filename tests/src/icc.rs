//! Colour profiles, written byte by byte: three primaries and one exponent, as the first version of the format has it.

/// Primaries of Adobe RGB (1998) under the white of profiles, as X, Y and Z.
pub const ADOBE_RGB: [[f64; 3]; 3] =
    [[0.609_74, 0.311_11, 0.019_47], [0.205_28, 0.625_67, 0.060_87], [0.149_19, 0.063_22, 0.744_57]];
/// Its exponent.
pub const ADOBE_GAMMA: f64 = 2.199_218_75;
/// Primaries of sRGB under the white of profiles.
pub const SRGB: [[f64; 3]; 3] =
    [[0.436_07, 0.222_49, 0.013_92], [0.385_15, 0.716_87, 0.097_08], [0.143_07, 0.060_61, 0.714_10]];

const WHITE: [f64; 3] = [0.9642, 1.0, 0.8249];

/// A profile of these primaries and this exponent.
pub fn rgb(primaries: [[f64; 3]; 3], gamma: f64) -> Vec<u8> {
    let curve = curve(gamma);
    let [red, green, blue] = primaries.map(xyz);
    profile(
        b"RGB ",
        &[
            (b"desc", description()),
            (b"cprt", [b"text\0\0\0\0".as_slice(), b"none\0"].concat()),
            (b"wtpt", xyz(WHITE)),
            (b"rXYZ", red),
            (b"gXYZ", green),
            (b"bXYZ", blue),
            (b"rTRC", curve.clone()),
            (b"gTRC", curve.clone()),
            (b"bTRC", curve),
        ],
    )
}

/// A profile of grey of this exponent.
pub fn grey(gamma: f64) -> Vec<u8> {
    profile(
        b"GRAY",
        &[
            (b"desc", description()),
            (b"cprt", [b"text\0\0\0\0".as_slice(), b"none\0"].concat()),
            (b"wtpt", xyz(WHITE)),
            (b"kTRC", curve(gamma)),
        ],
    )
}

fn profile(space: &[u8; 4], tags: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut header = vec![0; 128];
    header[8] = 2;
    header[12..16].copy_from_slice(b"mntr");
    header[16..20].copy_from_slice(space);
    header[20..24].copy_from_slice(b"XYZ ");
    header[36..40].copy_from_slice(b"acsp");
    let [x, y, z] = WHITE.map(fixed);
    header[68..80].copy_from_slice(&[x, y, z].concat());
    let mut table = (tags.len() as u32).to_be_bytes().to_vec();
    let mut data = Vec::new();
    let start = 128 + 4 + 12 * tags.len();
    for (name, content) in tags {
        table.extend(*name);
        table.extend(((start + data.len()) as u32).to_be_bytes());
        table.extend((content.len() as u32).to_be_bytes());
        data.extend(content);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    let mut profile = [header, table, data].concat();
    let length = (profile.len() as u32).to_be_bytes();
    profile[..4].copy_from_slice(&length);
    profile
}

fn fixed(value: f64) -> [u8; 4] {
    ((value * 65536.0).round() as i32).to_be_bytes()
}

fn xyz(values: [f64; 3]) -> Vec<u8> {
    [b"XYZ \0\0\0\0".to_vec(), values.map(fixed).concat()].concat()
}

fn curve(gamma: f64) -> Vec<u8> {
    [b"curv\0\0\0\0\0\0\0\x01".as_slice(), &((gamma * 256.0).round() as u16).to_be_bytes()].concat()
}

fn description() -> Vec<u8> {
    let name = b"test\0";
    let mut tag = b"desc\0\0\0\0".to_vec();
    tag.extend((name.len() as u32).to_be_bytes());
    tag.extend(name);
    // The same in Unicode and for the Macintosh: empty.
    tag.extend([0; 4 + 4 + 2 + 1 + 67]);
    tag
}
