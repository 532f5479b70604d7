//! From one interface to the other: calls, owners, strings, images.

use std::ffi::{CStr, CString, c_char};
use std::mem::ManuallyDrop;
use std::ptr::null_mut;

use abi_stable::std_types::{RErr, ROk, RString, RVec};
use kds_plugin_api::restorer::interface::Answer;
use kds_plugin_api::{Error, Image, ImageMut, Status};

use crate::error::{Failure, KDS_OK, kds_error, kds_error_free, kds_error_message};
use crate::freeing::drop_quietly;
use crate::guard::guard;
use crate::image::kds_image;
use crate::structs::Sized32;

/// Passage of every call of a host, as `guard` is of every C export: no panic gets out.
pub fn answer<T>(body: impl FnOnce() -> Result<T, Failure>) -> Answer<T> {
    let (mut value, mut error) = (None, null_mut());
    let store = || {
        value = Some(body()?);
        Ok(())
    };
    // SAFETY: `error` may be written.
    let status = unsafe { guard(&raw mut error, store) };
    match value {
        Some(value) => ROk(value),
        None => RErr(Error::new(Status(status), take_message(error))),
    }
}

/// Calls an export; its error object becomes a failure again.
pub fn call(export: impl FnOnce(*mut *mut kds_error) -> i32) -> Result<(), Failure> {
    let mut error = null_mut();
    match export(&raw mut error) {
        KDS_OK => Ok(()),
        status => Err(Failure::new(status, take_message(error))),
    }
}

/// Calls an export that makes an object.
///
/// # Safety
/// On success the export has written what `Box::into_raw` gave.
pub unsafe fn made<T, O: From<Box<T>>>(
    export: impl FnOnce(*mut *mut T, *mut *mut kds_error) -> i32,
) -> Result<O, Failure> {
    let mut object = null_mut();
    call(|error| export(&raw mut object, error))?;
    // SAFETY: the caller's promise.
    Ok(unsafe { Box::from_raw(object) }.into())
}

/// An object that the C interface made. As `kds_*_free`, it lets no panic out when it is dropped.
pub struct Owned<T>(ManuallyDrop<Box<T>>);

impl<T> Owned<T> {
    pub fn new(object: Box<T>) -> Self {
        Self(ManuallyDrop::new(object))
    }

    pub fn pointer(&self) -> *const T {
        &raw const **self.0
    }
}

impl<T> From<Box<T>> for Owned<T> {
    fn from(object: Box<T>) -> Self {
        Self::new(object)
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        drop_quietly(unsafe { ManuallyDrop::take(&mut self.0) });
    }
}

/// Frees an error object of a failed call, or NULL.
fn take_message(error: *mut kds_error) -> RString {
    // SAFETY: this function owns the object.
    unsafe {
        let message = copy(kds_error_message(error));
        kds_error_free(error);
        message
    }
}

/// A string for the C interface.
pub fn pass(name: &str, text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| Failure::argument(format!("{name} has a NUL in it")))
}

/// A string of the C interface.
///
/// # Safety
/// `text` is NULL or a live string.
pub unsafe fn copy(text: *const c_char) -> RString {
    // SAFETY: the caller's promise.
    if text.is_null() { RString::new() } else { unsafe { CStr::from_ptr(text) }.to_string_lossy().into() }
}

/// Words of the C interface, separated by commas.
///
/// # Safety
/// `text` is NULL or a live string.
pub unsafe fn words(text: *const c_char) -> RVec<RString> {
    // SAFETY: the caller's promise.
    let text = unsafe { copy(text) };
    text.split(',').filter(|word| !word.is_empty()).map(RString::from).collect()
}

/// A struct of the C interface with its size set and zeros everywhere else.
pub fn blank<T: Sized32>() -> T {
    // SAFETY: the trait promises that every pattern of bits is valid, and that the size comes first.
    unsafe {
        let mut value: T = std::mem::zeroed();
        (&raw mut value).cast::<u32>().write(size_of::<T>() as u32);
        value
    }
}

/// The view's fields for the C interface, which checks them.
macro_rules! c_image {
    ($image:expr, $data:expr) => {
        kds_image {
            format: $image.format.0,
            width: $image.width,
            height: $image.height,
            stride: $image.stride,
            data: $data,
            len: $image.bytes.len(),
            alpha: $image.alpha.0,
            ..blank()
        }
    };
}

pub fn readable(image: &Image<'_>) -> kds_image {
    c_image!(image, image.bytes.as_ptr().cast_mut().cast())
}

pub fn writable(image: &mut ImageMut<'_>) -> kds_image {
    c_image!(image, image.bytes.as_mut_ptr().cast())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::{KDS_BUSY, KDS_PANIC};

    static ENDS: AtomicUsize = AtomicUsize::new(0);

    /// Counts its ends, and panics at each.
    struct Ending;

    impl Drop for Ending {
        fn drop(&mut self) {
            ENDS.fetch_add(1, Ordering::Relaxed);
            panic!("cannot end");
        }
    }

    #[test]
    fn failures_and_panics_become_errors_whose_memory_is_freed() {
        assert_eq!(answer(|| Ok(7)).into_result(), Ok(7));
        let error = answer::<()>(|| Err(Failure::new(KDS_BUSY, "one\nline\0"))).into_result().unwrap_err();
        assert_eq!((error.status, error.message.as_str()), (Status::BUSY, "one line "));
        let error = answer::<()>(|| panic!("a {}", "defect")).into_result().unwrap_err();
        assert_eq!(error.status, Status::PANIC);
        assert!(error.message.contains("a defect;"), "{error}");
        let failure = call(|error| {
            // SAFETY: `error` may be written.
            unsafe { guard(error, || panic!("of the export")) }
        });
        assert!(failure.is_err_and(|failure| failure.status == KDS_PANIC && failure.message.contains("of the export")));
    }

    #[test]
    fn an_object_that_cannot_end_well_ends_once_and_quietly() {
        let export = |out: *mut *mut Ending, _: *mut *mut kds_error| {
            // SAFETY: `made` gives room for a pointer.
            unsafe { out.write(Box::into_raw(Box::new(Ending))) };
            KDS_OK
        };
        // SAFETY: the export writes what `Box::into_raw` gave.
        let owned: Owned<Ending> = unsafe { made(export) }.ok().unwrap();
        assert!(!owned.pointer().is_null());
        assert_eq!(ENDS.load(Ordering::Relaxed), 0);
        drop(owned);
        assert_eq!(ENDS.load(Ordering::Relaxed), 1);
        // SAFETY: nothing is written, and nothing made.
        let failed: Result<Owned<Ending>, _> = unsafe { made(|_, _| KDS_BUSY) };
        assert!(failed.is_err_and(|failure| failure.status == KDS_BUSY));
    }

    #[test]
    fn strings_are_copied_and_words_taken_apart() {
        // SAFETY: NUL-terminated.
        unsafe {
            assert_eq!(copy(std::ptr::null()), "");
            assert_eq!(copy(c"caf\xc3\xa9".as_ptr()), "caf\u{e9}");
            assert_eq!(copy(c"\xff!".as_ptr()), "\u{fffd}!");
            assert_eq!(words(c"a,,bc".as_ptr()).as_slice(), ["a", "bc"]);
        }
        assert!(pass("name", "a\0b").err().unwrap().message.contains("name has a NUL"));
    }

    #[test]
    fn views_of_slices_are_images_of_the_c_interface() {
        let mut samples = [1u16, 2, 3, 4, 5, 6];
        let image = readable(&Image::rgb(1, 2, &samples));
        assert_eq!((image.format, image.width, image.height, image.stride, image.len), (18, 1, 2, 6, 12));
        assert_eq!(image.data.cast_const().cast(), samples.as_ptr());
        let image = writable(&mut ImageMut::rgb(1, 2, &mut samples));
        // SAFETY: the memory of the samples, which has room for six.
        unsafe { image.data.cast::<u16>().add(5).write(9) };
        assert_eq!(samples, [1, 2, 3, 4, 5, 9]);
    }
}
