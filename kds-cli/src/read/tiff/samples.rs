//! Samples of every size and kind, as 8 or 16 bits or floating point.

use tiff::decoder::DecodingResult;

use super::{
    layout::{Kind, Layout},
    unpack,
};
use crate::read::broken;

/// Samples from 0 to the greatest number of their type; floating-point ones as they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Samples {
    /// 8 bits.
    U8(Vec<u8>),
    /// 16 bits.
    U16(Vec<u16>),
    /// Floating point.
    F32(Vec<f32>),
}

/// All samples of the picture, the channels of a pixel side by side.
///
/// # Errors
/// When they cannot be unpacked.
pub fn read(file: &[u8], little: bool, layout: &Layout, scaled: bool) -> anyhow::Result<Samples> {
    let (planes, _) = layout.planes();
    let of_plane = |plane| {
        let samples = widen(unpack::plane(file, little, layout, plane)?, layout, layout.samples / planes, scaled);
        let expected = layout.width as usize * layout.height as usize * layout.samples / planes;
        if samples.len() == expected { Ok(samples) } else { Err(broken(&"it has fewer samples than pixels")) }
    };
    let mut samples = of_plane(0)?;
    if planes > 1 {
        samples = samples.spread(planes);
        for plane in 1..planes {
            samples.put(&of_plane(plane)?, plane, planes);
        }
    }
    Ok(samples)
}

impl Samples {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(samples) => samples.len(),
            Self::U16(samples) => samples.len(),
            Self::F32(samples) => samples.len(),
        }
    }

    /// As the first of so many channels.
    fn spread(self, channels: usize) -> Self {
        fn spread<T: Copy + Default>(samples: &[T], channels: usize) -> Vec<T> {
            let mut all = vec![T::default(); samples.len() * channels];
            all.iter_mut().step_by(channels).zip(samples).for_each(|(to, from)| *to = *from);
            all
        }
        match self {
            Self::U8(samples) => Self::U8(spread(&samples, channels)),
            Self::U16(samples) => Self::U16(spread(&samples, channels)),
            Self::F32(samples) => Self::F32(spread(&samples, channels)),
        }
    }

    /// Puts the samples of a channel into their places.
    fn put(&mut self, plane: &Self, channel: usize, channels: usize) {
        fn put<T: Copy>(all: &mut [T], plane: &[T], channel: usize, channels: usize) {
            all.iter_mut().skip(channel).step_by(channels).zip(plane).for_each(|(to, from)| *to = *from);
        }
        match (self, plane) {
            (Self::U8(all), Self::U8(plane)) => put(all, plane, channel, channels),
            (Self::U16(all), Self::U16(plane)) => put(all, plane, channel, channels),
            (Self::F32(all), Self::F32(plane)) => put(all, plane, channel, channels),
            _ => {}
        }
    }
}

/// Unpacked numbers as samples. Unscaled, small numbers stay what they are: those of palettes.
fn widen(numbers: DecodingResult, layout: &Layout, channels: usize, scaled: bool) -> Samples {
    let bits = u32::from(layout.bits);
    match numbers {
        DecodingResult::U8(bytes) if bits == 8 && layout.kind == Kind::Signed => {
            Samples::U8(bytes.into_iter().map(|byte| byte ^ 0x80).collect())
        }
        DecodingResult::U8(bytes) if bits == 8 => Samples::U8(bytes),
        DecodingResult::U8(bytes) => {
            let row = layout.width as usize * channels;
            let row_bytes = (row * bits as usize).div_ceil(8);
            let most = (1u64 << bits) - 1;
            let numbers = bytes.chunks(row_bytes.max(1)).flat_map(|bytes| Bits { bytes, bits, at: 0 }.take(row));
            if bits < 8 {
                let (times, by) = if scaled { (255, most) } else { (1, 1) };
                Samples::U8(numbers.map(|number| (number * times / by) as u8).collect())
            } else if scaled {
                Samples::U16(numbers.map(|number| ((number * 65535 + most / 2) / most) as u16).collect())
            } else {
                Samples::U16(numbers.map(|number| number.min(65535) as u16).collect())
            }
        }
        DecodingResult::I8(numbers) => Samples::U8(numbers.into_iter().map(|number| number as u8 ^ 0x80).collect()),
        DecodingResult::U16(numbers) => Samples::U16(numbers),
        DecodingResult::I16(numbers) => {
            Samples::U16(numbers.into_iter().map(|number| number as u16 ^ 0x8000).collect())
        }
        DecodingResult::U32(numbers) => Samples::U16(numbers.into_iter().map(|number| (number >> 16) as u16).collect()),
        DecodingResult::I32(numbers) => {
            Samples::U16(numbers.into_iter().map(|number| (number >> 16) as u16 ^ 0x8000).collect())
        }
        DecodingResult::U64(numbers) => Samples::U16(numbers.into_iter().map(|number| (number >> 48) as u16).collect()),
        DecodingResult::I64(numbers) => {
            Samples::U16(numbers.into_iter().map(|number| (number >> 48) as u16 ^ 0x8000).collect())
        }
        DecodingResult::F16(numbers) => Samples::F32(numbers.into_iter().map(|number| number.to_f32()).collect()),
        DecodingResult::F32(numbers) => Samples::F32(numbers),
        DecodingResult::F64(numbers) => Samples::F32(numbers.into_iter().map(|number| number as f32).collect()),
    }
}

/// Numbers of so many bits, the highest bit first.
struct Bits<'a> {
    bytes: &'a [u8],
    bits: u32,
    at: usize,
}

impl Iterator for Bits<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let mut number = 0;
        for _ in 0..self.bits {
            let byte = self.bytes.get(self.at / 8)?;
            number = number << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_are_taken_apart() {
        let numbers = |bytes: &[u8], bits| Bits { bytes, bits, at: 0 }.collect::<Vec<_>>();
        assert_eq!(numbers(&[0b1011_0001], 1), [1, 0, 1, 1, 0, 0, 0, 1]);
        assert_eq!(numbers(&[0xab, 0xcd, 0xef], 12), [0xabc, 0xdef]);
        assert_eq!(numbers(&[0xab, 0xcd], 12), [0xabc]);
    }
}
