//! Arguments of the C interface made of arbitrary bytes: strings, and structs that begin with their size.

use std::ffi::{CStr, CString, c_char};

use arbitrary::{Arbitrary, Result, Unstructured};
use kds_parameters::table;

/// One time in four something, and nothing when the bytes are used up.
pub fn seldom<'a, T: Arbitrary<'a>>(bytes: &mut Unstructured<'a>) -> Result<Option<T>> {
    if bytes.int_in_range(0..=3u8)? == 3 { bytes.arbitrary().map(Some) } else { Ok(None) }
}

/// Words that mean something to some function.
const WORDS: &[&str] = &[
    "tiny",
    "kds-photo-x4",
    "fill",
    "nonesuch",
    "auto",
    "cpu",
    "cuda",
    "cuda:255",
    "f32",
    "bf16",
    "f16",
    "0",
    "1",
    "2",
    "3",
    "4",
    "8",
    "64",
    "1000",
    "-1",
    "0.5",
    "1e-300",
    "1e308",
    "NaN",
    "inf",
    " 2 ",
    "",
    "auto*2",
    "auto*1e300",
    "1KiB",
    "16000000TiB",
    "ddim",
    "dpm++2m",
    "euler",
    "heun",
    "leading",
    "trailing",
    "linspace",
    "karras",
    "gaussian",
    "epanechnikov",
    "laplacian",
    "linear",
    "cosine",
    "nearest",
    "mean",
    "medoid",
    "sharpest",
    "index:0",
    "index:63",
    "index:65535",
    "line\nbreak",
    "9223372036854775807",
];

/// A string argument.
#[derive(Debug, Arbitrary)]
pub enum Text {
    /// One of [`WORDS`].
    Word(u8),
    /// The name of a parameter.
    Parameter(u8),
    /// Any bytes, to the first zero.
    Bytes(Vec<u8>),
    /// No string.
    Null,
}

impl Text {
    /// The string, `None` for NULL.
    pub fn string(&self) -> Option<CString> {
        let until_zero = |bytes: &[u8]| CString::new(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).ok();
        match self {
            Self::Word(index) => until_zero(WORDS[usize::from(*index) % WORDS.len()].as_bytes()),
            Self::Parameter(index) => until_zero(table()[usize::from(*index) % table().len()].name.as_bytes()),
            Self::Bytes(bytes) => until_zero(bytes),
            Self::Null => None,
        }
    }
}

/// The pointer to a string that may be none.
pub fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
}

/// Asserts that the library's string is UTF-8 and gives it.
///
/// # Safety
/// `text` is NULL or NUL-terminated.
pub unsafe fn library_string<'a>(text: *const c_char) -> &'a str {
    assert!(!text.is_null(), "a string of the library is NULL");
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().expect("a string of the library is UTF-8")
}

/// What is wrong with a `struct_size`, where it is not the size of the struct.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Size {
    /// So many bytes fewer.
    Less(u8),
    /// So many bytes more, all zero: a newer header.
    Newer(u8),
    /// So many bytes more, and something is set in them.
    Unknown(u8),
    /// Any number.
    Any(u32),
    /// There is no struct at all.
    Null,
}

/// Fills what the library has no business to write.
const UNTOUCHED: u8 = 0xa5;

/// A struct in memory that is exactly as long as its `struct_size` says.
pub struct Record {
    bytes: Option<Box<[u8]>>,
    before: Option<Box<[u8]>>,
    known: usize,
}

impl Record {
    /// One that is written by the library.
    pub fn empty<T>(size: Option<Size>) -> Self {
        Self::new(&vec![UNTOUCHED; size_of::<T>()], size)
    }

    /// One that holds this value, whose first field is its size, in so many bytes.
    ///
    /// # Safety
    /// `T` has no padding between its fields.
    pub unsafe fn of<T: Copy>(value: &T, size: Option<Size>) -> Self {
        // SAFETY: the caller's promise.
        Self::new(unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }, size)
    }

    fn new(value: &[u8], size: Option<Size>) -> Self {
        let known = value.len();
        let mut bytes = value.to_vec();
        let said = match size {
            None => known as u32,
            Some(Size::Less(bytes)) => (known as u32).saturating_sub(u32::from(bytes)),
            Some(Size::Newer(more) | Size::Unknown(more)) => known as u32 + u32::from(more),
            Some(Size::Any(said)) => said,
            Some(Size::Null) => return Self { bytes: None, before: None, known },
        };
        // No size above is believed by the library, so it reads the size alone. Four bytes are always there.
        let length = if said > 16 * 1024 { known } else { (said as usize).max(4) };
        bytes.resize(length, if matches!(size, Some(Size::Unknown(_))) { UNTOUCHED } else { 0 });
        bytes[..4].copy_from_slice(&said.to_ne_bytes());
        let bytes = bytes.into_boxed_slice();
        Self { before: Some(bytes.clone()), bytes: Some(bytes), known }
    }

    /// Where it lies; NULL where there is none.
    pub fn pointer<T>(&mut self) -> *mut T {
        self.bytes.as_mut().map_or(std::ptr::null_mut(), |bytes| bytes.as_mut_ptr().cast())
    }

    /// Asserts that the library wrote nothing.
    pub fn assert_untouched(&self) {
        assert_eq!(self.bytes, self.before, "a struct was written by a call that failed");
    }

    /// Asserts that the library wrote its own fields, and 0 into those that it does not know; gives the value, with 0 in
    /// the fields that an older header does not have.
    ///
    /// # Safety
    /// `T` is plain data, valid for every bit pattern.
    pub unsafe fn written<T: Copy>(&self) -> T {
        let (bytes, before) = (self.bytes.as_ref().unwrap(), self.before.as_ref().unwrap());
        assert!(bytes.len() >= 16, "a struct of {} bytes was taken", bytes.len());
        assert_eq!(bytes[..4], before[..4], "struct_size was changed");
        let mut value = bytes.to_vec();
        let unknown = value.split_off(self.known.min(bytes.len()));
        assert!(unknown.iter().all(|byte| *byte == 0), "fields of a newer header keep what was there");
        value.resize(self.known, 0);
        // SAFETY: as long as T; the caller's promise.
        unsafe { value.as_ptr().cast::<T>().read_unaligned() }
    }
}
