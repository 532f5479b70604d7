//! Frames as the engine takes them.

use std::ffi::c_int;

use kds_plugin_nodes::{Alpha, Channels, Depth, Format, ImageMut, ImageRef};

use crate::raw::{Api, FLOAT, Frame, GRAY, INTEGER, RGB, VideoFormat, YUV};

/// The engine's format for a clip's; the reason where there is none, with the conversion to do first.
pub fn format(format: &VideoFormat) -> Result<Format, String> {
    let channels = match format.color_family {
        GRAY => Channels::Gray,
        RGB => Channels::Rgb,
        YUV => {
            return Err("the clip is YUV; convert it to RGB first, and back afterwards: core.resize.Bicubic(clip, \
                        format=vs.RGBS, matrix_in_s='709'), with the matrix of your clip"
                .to_owned());
        }
        _ => return Err("the format of the clip changes from frame to frame; convert it to one first".to_owned()),
    };
    let depth = match (format.sample_type, format.bits_per_sample) {
        (INTEGER, 8) => Depth::U8,
        (INTEGER, 16) => Depth::U16,
        (FLOAT, 32) => Depth::F32,
        (_, bits) => {
            let names = if channels == Channels::Rgb { "vs.RGB48 or vs.RGBS" } else { "vs.GRAY16 or vs.GRAYS" };
            let kind = if format.sample_type == FLOAT { "float" } else { "integer" };
            return Err(format!(
                "clips of {bits}-bit {kind} samples are not taken; convert to {names} first: core.resize.Bicubic(clip, \
                 format=...)"
            ));
        }
    };
    Ok(Format { channels, depth })
}

fn size(api: &Api, frame: *const Frame) -> (u32, u32) {
    // SAFETY: a live frame of a video, which has a plane 0.
    let (width, height) = unsafe { ((api.get_frame_width)(frame, 0), (api.get_frame_height)(frame, 0)) };
    (u32::try_from(width).unwrap_or(0), u32::try_from(height).unwrap_or(0))
}

/// Bytes from row to row of all planes, and their number in a plane.
fn layout(api: &Api, frame: *const Frame, planes: c_int, height: u32) -> Result<(usize, usize), String> {
    // SAFETY: a live frame with these planes; VapourSynth's strides are positive.
    let strides = (0..planes).map(|plane| unsafe { (api.get_stride)(frame, plane) }.unsigned_abs());
    let strides: Vec<usize> = strides.collect();
    match strides.first() {
        Some(stride) if strides.iter().all(|other| other == stride) => Ok((*stride, stride * height as usize)),
        _ => Err("the planes of the frame have rows of different lengths; please report it".to_owned()),
    }
}

/// A frame to read.
///
/// # Safety
/// The frame is live for `'a`.
pub unsafe fn readable<'a>(api: &Api, frame: *const Frame) -> Result<ImageRef<'a>, String> {
    // SAFETY: by the contract of this function.
    let format = format(unsafe { &*(api.get_video_frame_format)(frame) })?;
    let (width, height) = size(api, frame);
    let number = format.channels.count() as c_int;
    let (stride, len) = layout(api, frame, number, height)?;
    // SAFETY: a live frame with these planes, each as long as all its rows.
    let plane = |plane| unsafe { std::slice::from_raw_parts((api.get_read_ptr)(frame, plane), len) };
    let planes: Vec<&[u8]> = (0..number).map(plane).collect();
    ImageRef::planes(&planes, format, width, height, stride, Alpha::Straight).map_err(|error| error.message)
}

/// A frame to write.
///
/// # Safety
/// The frame is live for `'a`, and nobody else has it.
pub unsafe fn writable<'a>(api: &Api, frame: *mut Frame) -> Result<ImageMut<'a>, String> {
    // SAFETY: by the contract of this function.
    let format = format(unsafe { &*(api.get_video_frame_format)(frame) })?;
    let (width, height) = size(api, frame);
    let number = format.channels.count() as c_int;
    let (stride, len) = layout(api, frame, number, height)?;
    // SAFETY: as in `readable`; the planes of a frame that nobody else has are written to by this one alone.
    let plane = |plane| unsafe { std::slice::from_raw_parts_mut((api.get_write_ptr)(frame, plane), len) };
    let mut planes: Vec<&mut [u8]> = (0..number).map(plane).collect();
    ImageMut::planes(&mut planes, format, width, height, stride, Alpha::Straight).map_err(|error| error.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(color_family: c_int, sample_type: c_int, bits_per_sample: c_int) -> Result<Format, String> {
        let (sub_sampling_w, sub_sampling_h) = (0, 0);
        let (bytes_per_sample, num_planes) = ((bits_per_sample + 7) / 8, 3);
        format(&VideoFormat {
            color_family,
            sample_type,
            bits_per_sample,
            bytes_per_sample,
            sub_sampling_w,
            sub_sampling_h,
            num_planes,
        })
    }

    #[test]
    fn formats_are_taken_or_their_conversion_is_named() {
        assert_eq!(of(RGB, INTEGER, 8), Ok(Format { channels: Channels::Rgb, depth: Depth::U8 }));
        assert_eq!(of(RGB, INTEGER, 16), Ok(Format { channels: Channels::Rgb, depth: Depth::U16 }));
        assert_eq!(of(RGB, FLOAT, 32), Ok(Format { channels: Channels::Rgb, depth: Depth::F32 }));
        assert_eq!(of(GRAY, INTEGER, 8), Ok(Format { channels: Channels::Gray, depth: Depth::U8 }));
        assert!(of(YUV, INTEGER, 8).unwrap_err().contains("format=vs.RGBS, matrix_in_s="));
        assert!(of(RGB, INTEGER, 10).unwrap_err().contains("10-bit integer"));
        assert!(of(RGB, FLOAT, 16).unwrap_err().contains("vs.RGB48 or vs.RGBS"));
        assert!(of(0, INTEGER, 0).unwrap_err().contains("changes"));
    }
}
