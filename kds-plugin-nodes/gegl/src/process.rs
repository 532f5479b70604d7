//! Computing: pixels of the input pad to pixels of the output pad.

use std::ffi::c_int;
use std::ops::ControlFlow;
use std::ptr::null_mut;

use kds_plugin_nodes::mask::{load, store};
use kds_plugin_nodes::{Channels, Depth, Error, Format, Node, Packed, Task, caught};

use crate::buffer;
use crate::operation::{Source, state};
use crate::raw::{self, Functions, Operation, Pointer, Rectangle};
use crate::{tell, tell_progress};

/// Of `kds:restore` and `kds:upscale`.
pub unsafe extern "C" fn filter(
    operation: *mut Operation,
    input: Pointer,
    output: Pointer,
    part: *const Rectangle,
    _: c_int,
) -> c_int {
    // SAFETY: as GEGL passes them.
    unsafe { run(operation, input, null_mut(), output, part) }
}

/// Of `kds:inpaint`.
pub unsafe extern "C" fn composer(
    operation: *mut Operation,
    input: Pointer,
    mask: Pointer,
    output: Pointer,
    part: *const Rectangle,
    _: c_int,
) -> c_int {
    // SAFETY: as GEGL passes them.
    unsafe { run(operation, input, mask, output, part) }
}

/// Computes; where that fails the person is told, and the pixels of the input are passed on.
///
/// # Safety
/// A live operation in a graph, live buffers or null, and a rectangle.
unsafe fn run(
    operation: *mut Operation,
    input: Pointer,
    mask: Pointer,
    output: Pointer,
    part: *const Rectangle,
) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        let (Some(part), Ok(functions)) = (part.as_ref().copied(), raw::functions()) else { return 0 };
        if input.is_null() || output.is_null() {
            return 1;
        }
        let source = Source::of(operation, functions);
        let call = Call { operation, input, mask, output, part, source, functions };
        let task = state(operation).task;
        let done = caught(|| call.restore()).or_else(|message| {
            tell(task, &format!("{message}; the picture is passed on as it is"));
            caught(|| call.pass_on())
        });
        match done {
            Ok(()) => 1,
            Err(message) => {
                tell(task, &message);
                0
            }
        }
    }
}

/// A request for a part of the result.
struct Call<'a> {
    operation: *mut Operation,
    input: Pointer,
    mask: Pointer,
    output: Pointer,
    part: Rectangle,
    source: Source,
    functions: &'a Functions,
}

impl Call<'_> {
    /// # Safety
    /// As [`run`] has been called.
    unsafe fn restore(&self) -> Result<(), String> {
        let Some(area) = self.source.area else { return Ok(()) };
        if !self.source.is_finite {
            return Err("the input has no end; limit it first, by gegl:crop before this operation".to_owned());
        }
        // SAFETY: by the contract of this function.
        unsafe {
            let state = state(self.operation);
            let node = state.node()?;
            let mut picture = self.read(self.input, area, self.source.channels)?;
            let mask = (state.task == Task::Inpaint).then(|| self.holes(&mut picture)).transpose()?;
            let mut progress = |share| {
                tell_progress(self.operation, share);
                ControlFlow::Continue(())
            };
            let place = self.source.result(state);
            let size = |length: c_int| u32::try_from(length).unwrap_or(0);
            let restored =
                restored(&node, &picture, mask.as_ref(), (size(place.width), size(place.height)), &mut progress);
            self.write(&restored.map_err(|error| error.message)?, place)
        }
    }

    /// White where the picture is to be filled: the mask, or else what is transparent in the picture, which becomes opaque.
    ///
    /// # Safety
    /// As [`run`] has been called.
    unsafe fn holes(&self, picture: &mut Packed) -> Result<Packed, String> {
        let holes = if self.mask.is_null() {
            picture.take_holes().map_err(|error| error.message)?
        } else {
            let format = Format { channels: Channels::Gray, depth: Depth::F32 };
            let mut holes = Packed::new(format, picture.width, picture.height).map_err(|error| error.message)?;
            // SAFETY: by the contract of this function.
            let mask = unsafe { self.read(self.mask, self.source.area.unwrap_or_default(), Channels::GrayAlpha)? };
            for (hole, pixel) in holes.bytes_mut().chunks_exact_mut(4).zip(mask.bytes().chunks_exact(8)) {
                let of = |sample| load(Depth::F32, sample);
                store(Depth::F32, (of(pixel) * of(&pixel[4..])).clamp(0.0, 1.0), hole);
            }
            holes
        };
        if holes.is_black() {
            return Err(
                "there is nothing to fill: the mask on the pad aux is black, or there is none and no pixel is \
                        transparent"
                    .to_owned(),
            );
        }
        Ok(holes)
    }

    /// The pixels of the input, each as often as the result is larger.
    ///
    /// # Safety
    /// As [`run`] has been called.
    unsafe fn pass_on(&self) -> Result<(), String> {
        // SAFETY: by the contract of this function.
        unsafe {
            let area = self.source.area.unwrap_or_default();
            let place = self.source.result(state(self.operation));
            if place == area {
                return self.write(&self.read(self.input, self.part, self.source.channels)?, self.part);
            }
            self.write(&enlarged(&self.read(self.input, area, self.source.channels)?, place)?, place)
        }
    }

    /// # Safety
    /// A live buffer.
    unsafe fn read(&self, buffer: Pointer, part: Rectangle, channels: Channels) -> Result<Packed, String> {
        // SAFETY: by the contract of this function; the format belongs to the input.
        unsafe { buffer::read(buffer, part, channels, self.source.format, self.functions) }
    }

    /// # Safety
    /// As [`run`] has been called.
    unsafe fn write(&self, picture: &Packed, place: Rectangle) -> Result<(), String> {
        // SAFETY: by the contract of this function; the format belongs to the input.
        unsafe { buffer::write(self.output, self.part, picture, place, self.source.format, self.functions) }
    }
}

/// A picture of the size that was announced.
fn restored(
    node: &Node,
    picture: &Packed,
    mask: Option<&Packed>,
    (width, height): (u32, u32),
    progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
) -> Result<Packed, Error> {
    let mut restored = Packed::new(picture.format, width, height)?;
    let mask = mask.map(Packed::view).transpose()?;
    node.restore(picture.view()?, mask, restored.view_mut()?, None, Some(progress))?;
    Ok(restored)
}

/// The picture in another size, each pixel that which is nearest.
fn enlarged(picture: &Packed, place: Rectangle) -> Result<Packed, String> {
    let size = |length: c_int| u32::try_from(length).unwrap_or(0);
    let (width, height) = (size(place.width), size(place.height));
    let mut larger = Packed::new(picture.format, width, height).map_err(|error| error.message)?;
    let pixel = picture.format.bytes();
    let (from_row, to_row) = (picture.width as usize * pixel, width as usize * pixel);
    let nearest = |at: usize, to: u32, from: u32| at * from as usize / to as usize;
    for (y, row) in larger.bytes_mut().chunks_exact_mut(to_row).enumerate() {
        let source = &picture.bytes()[nearest(y, height, picture.height) * from_row..][..from_row];
        for (x, to) in row.chunks_exact_mut(pixel).enumerate() {
            to.copy_from_slice(&source[nearest(x, width, picture.width) * pixel..][..pixel]);
        }
    }
    Ok(larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_enlarged_pixel_by_pixel() {
        let format = Format { channels: Channels::Gray, depth: Depth::F32 };
        let mut picture = Packed::new(format, 2, 1).unwrap();
        store(Depth::F32, 0.25, picture.bytes_mut());
        store(Depth::F32, 0.75, &mut picture.bytes_mut()[4..]);
        let larger = enlarged(&picture, Rectangle { x: 0, y: 0, width: 4, height: 2 }).unwrap();
        let values: Vec<_> = larger.bytes().chunks_exact(4).map(|sample| load(Depth::F32, sample)).collect();
        assert_eq!(values, [0.25, 0.25, 0.75, 0.75, 0.25, 0.25, 0.75, 0.75]);
    }
}
