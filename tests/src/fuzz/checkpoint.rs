//! Any bytes as a file of weights.

use std::io::Write;
use std::path::Path;

use kds_engine::nn::{Loading, Weights};
use tch::{Device, Kind};

use super::assert_one_line;

/// Reads the bytes as a file, and as the pickle of an archive that `torch.save` could have written.
pub fn checkpoint(bytes: &[u8]) {
    file(bytes);
    file(&archive(bytes).expect("memory takes it"));
}

/// Every tensor of a file that is read can be taken in the shape that it is said to have, or is refused.
fn file(bytes: &[u8]) {
    /// Axes without strides may make any number of elements of one.
    const MOST_ELEMENTS: i64 = 1 << 20;
    let loading = Loading::new(Device::Cpu, Kind::Float);
    let weights = match Weights::new(bytes, Path::new("some.ckpt"), loading) {
        Ok(weights) => weights,
        Err(error) => return assert_one_line(&error.to_string()),
    };
    for (name, shape) in weights.shapes() {
        if shape.iter().product::<i64>() > MOST_ELEMENTS {
            continue;
        }
        match weights.root().tensor(&name, &shape) {
            Ok(tensor) => assert_eq!(tensor.size(), shape),
            Err(error) => assert_one_line(&error.to_string()),
        }
    }
}

/// An archive of this pickle and of the storage `0` of 16 floats.
fn archive(pickle: &[u8]) -> Result<Vec<u8>, rawzip::Error> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, content) in [("a/data.pkl", pickle), ("a/data/0", &[1; 64])] {
        let (mut entry, config) = archive.new_file(name).start()?;
        let mut writer = config.wrap(&mut entry);
        writer.write_all(content)?;
        let (_, descriptor) = writer.finish()?;
        entry.finish(descriptor)?;
    }
    archive.finish()?;
    Ok(bytes)
}
