//! Files as `torch.save` writes them, byte by byte, so that each can be made wrong.

#![allow(dead_code)]

use std::io::{Seek, SeekFrom, Write};

/// A part of a zip archive.
pub struct Part<'a> {
    pub name: &'a str,
    pub content: &'a [u8],
    /// Zeros that follow the content: a hole in the file.
    pub zeros: u64,
    /// The number of the compression method; 0 is none.
    pub method: u16,
}

impl<'a> Part<'a> {
    pub fn new(name: &'a str, content: &'a [u8]) -> Self {
        Self { name, content, zeros: 0, method: 0 }
    }
}

/// A zip archive (PKWARE APPNOTE 6.3) with sizes in 64 bits, in the folder `archive/`.
pub fn zip(parts: &[Part], file: &mut (impl Write + Seek)) {
    let mut directory = Vec::new();
    for part in parts {
        let name = format!("archive/{}", part.name);
        let start = file.stream_position().unwrap();
        let size = part.content.len() as u64 + part.zeros;
        let sum = if part.zeros == 0 { crc32fast::hash(part.content) } else { 0 };
        // Version 4.5, no flags, method, no time, sum, sizes in the extra field.
        let common = |out: &mut Vec<u8>, extra: u16| {
            out.extend(45u16.to_le_bytes());
            out.extend(0u16.to_le_bytes());
            out.extend(part.method.to_le_bytes());
            out.extend(0u32.to_le_bytes());
            out.extend(sum.to_le_bytes());
            out.extend([0xff; 8]);
            out.extend((name.len() as u16).to_le_bytes());
            out.extend(extra.to_le_bytes());
        };
        let mut local = b"PK\x03\x04".to_vec();
        common(&mut local, 20);
        local.extend(name.as_bytes());
        local.extend([1, 0, 16, 0]);
        local.extend([size, size].map(u64::to_le_bytes).concat());
        file.write_all(&local).unwrap();
        file.write_all(part.content).unwrap();
        file.seek(SeekFrom::Current(part.zeros as i64)).unwrap();

        directory.extend(b"PK\x01\x02\x2d\x00");
        common(&mut directory, 28);
        // No comment, first disk, no attributes, the offset in the extra field.
        directory.extend([0; 10]);
        directory.extend([0xff; 4]);
        directory.extend(name.as_bytes());
        directory.extend([1, 0, 24, 0]);
        directory.extend([size, size, start].map(u64::to_le_bytes).concat());
    }
    let start = file.stream_position().unwrap();
    let (count, size) = (parts.len() as u64, directory.len() as u64);
    let mut end = b"PK\x06\x06".to_vec();
    end.extend(44u64.to_le_bytes());
    end.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    end.extend([count, count, size, start].map(u64::to_le_bytes).concat());
    end.extend(b"PK\x06\x07\0\0\0\0");
    end.extend((start + size).to_le_bytes());
    end.extend(1u32.to_le_bytes());
    end.extend(b"PK\x05\x06\0\0\0\0");
    end.extend([0xff; 12]);
    end.extend([0; 2]);
    file.write_all(&directory).unwrap();
    file.write_all(&end).unwrap();
}

/// A pickle of protocol 2 that ends where it must.
pub fn pickle(body: impl AsRef<[u8]>) -> Vec<u8> {
    [b"\x80\x02", body.as_ref(), b"."].concat()
}

pub fn text(text: &str) -> Vec<u8> {
    [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

/// LONG1.
pub fn integer(value: i64) -> Vec<u8> {
    [&[0x8a, 8][..], &value.to_le_bytes()].concat()
}

pub fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(".to_vec(), items.concat(), b"t".to_vec()].concat()
}

pub fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

pub fn call(module: &str, name: &str, arguments: &[Vec<u8>]) -> Vec<u8> {
    [global(module, name), tuple(arguments), b"R".to_vec()].concat()
}

pub fn storage(class: &str, key: &str, count: i64) -> Vec<u8> {
    let id = tuple(&[text("storage"), global("torch", class), text(key), text("cpu"), integer(count)]);
    [id, b"Q".to_vec()].concat()
}

/// A tensor in a storage of floats.
pub fn tensor(key: &str, count: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let numbers = |numbers: &[i64]| tuple(&numbers.iter().copied().map(integer).collect::<Vec<_>>());
    let hooks = call("collections", "OrderedDict", &[]);
    let parts =
        [storage("FloatStorage", key, count), integer(offset), numbers(shape), numbers(strides), vec![0x89], hooks];
    call("torch._utils", "_rebuild_tensor_v2", &parts)
}

pub fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries.iter().flat_map(|(key, value)| [text(key), value.clone()].concat());
    [b"}(".to_vec(), entries.collect(), b"u".to_vec()].concat()
}

/// A file of this pickle, with these floats in the storage `0`.
pub fn file(pickle: &[u8], floats: &[f32]) -> Vec<u8> {
    let floats: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
    let parts = [Part::new("data.pkl", pickle), Part::new("byteorder", b"little"), Part::new("data/0", &floats)];
    let mut bytes = std::io::Cursor::new(Vec::new());
    zip(&parts, &mut bytes);
    bytes.into_inner()
}
