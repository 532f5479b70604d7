//! Structs that may grow: an older caller's is shorter, a newer caller's is longer.

use crate::error::Failure;

/// A struct whose first field is `struct_size: u32`, of plain data.
///
/// # Safety
/// The type is `#[repr(C)]`, starts with `u32` and is valid for every bit pattern.
pub(crate) unsafe trait Sized32: Copy {
    /// Its name in the header.
    const NAME: &'static str;
    /// Its size in the first version of the interface.
    const FIRST_SIZE: usize;
}

/// A caller's struct: fields that the caller does not know keep the value they have in `defaults`.
///
/// # Safety
/// `pointer` is NULL or points to `struct_size` readable bytes.
pub(crate) unsafe fn read<T: Sized32>(pointer: *const T, defaults: T) -> Result<T, Failure> {
    let size = unsafe { size(pointer)? };
    let bytes = pointer.cast::<u8>();
    for offset in size_of::<T>()..size {
        // SAFETY: within `struct_size`.
        if unsafe { bytes.add(offset).read() } != 0 {
            let name = T::NAME;
            return Err(Failure::argument(format!(
                "{name} sets fields that this libkds does not know: it is older than the header"
            )));
        }
    }
    let mut value = defaults;
    // SAFETY: both sides are at least this long; T is plain data.
    unsafe { std::ptr::copy_nonoverlapping(bytes, (&raw mut value).cast::<u8>(), size.min(size_of::<T>())) };
    Ok(value)
}

/// Writes as much of `value` as the caller's struct has room for; its `struct_size` stays.
///
/// # Safety
/// `pointer` is NULL or points to `struct_size` writable bytes, the size itself set.
pub(crate) unsafe fn write<T: Sized32>(pointer: *mut T, value: &T) -> Result<(), Failure> {
    let size = unsafe { size(pointer.cast_const())? }.min(size_of::<T>());
    let skip = size_of::<u32>();
    // SAFETY: both sides are at least this long; T is plain data.
    unsafe {
        let source = std::ptr::from_ref(value).cast::<u8>();
        std::ptr::copy_nonoverlapping(source.add(skip), pointer.cast::<u8>().add(skip), size - skip);
    }
    Ok(())
}

/// The struct's size as the caller set it.
unsafe fn size<T: Sized32>(pointer: *const T) -> Result<usize, Failure> {
    let name = T::NAME;
    if pointer.is_null() {
        return Err(Failure::argument(format!("{name} is NULL")));
    }
    // SAFETY: the first field is a u32.
    let size = unsafe { pointer.cast::<u32>().read_unaligned() } as usize;
    if size < T::FIRST_SIZE || size > 16 * 1024 {
        let expected = T::FIRST_SIZE;
        return Err(Failure::argument(format!(
            "{name} has struct_size {size}; set it to sizeof({name}), at least {expected}"
        )));
    }
    Ok(size)
}
