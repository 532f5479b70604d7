//! Structs that may grow: an older caller's is shorter, a newer caller's is longer.

use crate::error::Failure;

/// A struct whose first field is `struct_size: u32`, of plain data.
///
/// # Safety
/// The type is `#[repr(C)]`, starts with `u32` and is valid for every bit pattern.
pub(crate) unsafe trait Sized32: Copy {
    /// Its name in the header.
    const NAME: &'static str;
    /// Its size in the first version of the interface: a number that never changes, so not `size_of`, which grows.
    const FIRST_SIZE: usize;
}

/// No struct is that long: a larger size is a variable that was never set.
const MOST: usize = 16 * 1024;

/// Fills a caller's struct of `size` bytes with `defaults`, its `struct_size` with `size`, and fields that this library
/// does not know with 0.
///
/// # Safety
/// `pointer` is NULL or has `size` bytes that may be written.
pub(crate) unsafe fn init<T: Sized32>(pointer: *mut T, size: usize, defaults: &T) {
    let (skip, size) = (size_of::<u32>(), size.min(MOST));
    if pointer.is_null() || size < skip {
        return;
    }
    // SAFETY: at least four bytes may be written; the caller's promise for the rest.
    unsafe {
        pointer.cast::<u32>().write_unaligned(size as u32);
        fill(pointer, size, defaults);
    }
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

/// Writes as much of `value` as the caller's struct has room for, and 0 into fields that this library does not know; the
/// `struct_size` stays.
///
/// # Safety
/// `pointer` is NULL or points to `struct_size` writable bytes, the size itself set.
pub(crate) unsafe fn write<T: Sized32>(pointer: *mut T, value: &T) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    unsafe {
        let size = size(pointer.cast_const())?;
        fill(pointer, size, value);
    }
    Ok(())
}

/// Fields behind `struct_size`.
///
/// # Safety
/// `pointer` points to `size` writable bytes, at least four.
unsafe fn fill<T: Sized32>(pointer: *mut T, size: usize, value: &T) {
    let (skip, known) = (size_of::<u32>(), size.min(size_of::<T>()));
    let (source, target) = (std::ptr::from_ref(value).cast::<u8>(), pointer.cast::<u8>());
    // SAFETY: both sides are at least this long; T is plain data.
    unsafe {
        std::ptr::copy_nonoverlapping(source.add(skip), target.add(skip), known - skip);
        target.add(known).write_bytes(0, size - known);
    }
}

/// The struct's size as the caller set it.
unsafe fn size<T: Sized32>(pointer: *const T) -> Result<usize, Failure> {
    let name = T::NAME;
    if pointer.is_null() {
        return Err(Failure::argument(format!("{name} is NULL")));
    }
    // SAFETY: the first field is a u32.
    let size = unsafe { pointer.cast::<u32>().read_unaligned() } as usize;
    if size < T::FIRST_SIZE || size > MOST {
        let expected = T::FIRST_SIZE;
        return Err(Failure::argument(format!(
            "{name} has struct_size {size}; set it to sizeof({name}), at least {expected}"
        )));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct as three headers declare it: of the first version, of this library, and of one to come.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct First {
        struct_size: u32,
        number: u32,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Now {
        struct_size: u32,
        number: u32,
        added: u64,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Later {
        struct_size: u32,
        number: u32,
        added: u64,
        more: u64,
        last: u32,
        reserved: u32,
    }

    // SAFETY: plain data behind a u32.
    unsafe impl Sized32 for Now {
        const NAME: &'static str = "thing";
        const FIRST_SIZE: usize = 8;
    }

    const DEFAULTS: Now = Now { struct_size: 16, number: 1, added: 2 };
    const GARBAGE: u64 = 0xabab_abab_abab_abab;

    /// A caller's struct, with what lies behind it in the caller's memory.
    #[repr(C)]
    struct Caller<T> {
        value: T,
        behind: [u64; 4],
    }

    impl<T> Caller<T> {
        fn new(value: T) -> Box<Self> {
            Box::new(Self { value, behind: [GARBAGE; 4] })
        }

        fn thing(&mut self) -> *mut Now {
            std::ptr::from_mut(self).cast()
        }
    }

    impl<T> Drop for Caller<T> {
        fn drop(&mut self) {
            assert_eq!(self.behind, [GARBAGE; 4], "written behind the caller's struct");
        }
    }

    #[test]
    fn a_callers_struct_is_initialised_to_its_own_size() {
        let garbage = GARBAGE as u32;
        let mut first = Caller::new(First { struct_size: garbage, number: garbage });
        let mut later = Caller::new(Later {
            struct_size: garbage,
            number: garbage,
            added: GARBAGE,
            more: GARBAGE,
            last: garbage,
            reserved: garbage,
        });
        // SAFETY: the sizes are those of the structs.
        unsafe {
            init(first.thing(), 8, &DEFAULTS);
            init(later.thing(), 32, &DEFAULTS);
            init(std::ptr::null_mut(), 32, &DEFAULTS);
            init(first.thing(), 3, &DEFAULTS);
        }
        assert_eq!(first.value, First { struct_size: 8, number: 1 });
        assert_eq!(later.value, Later { struct_size: 32, number: 1, added: 2, more: 0, last: 0, reserved: 0 });
    }

    #[test]
    fn an_answer_fills_the_callers_struct_and_no_more() {
        let answer = Now { struct_size: 16, number: 7, added: 8 };
        let mut first = Caller::new(First { struct_size: 8, number: 0 });
        let mut now = Caller::new(Now { struct_size: 16, number: 0, added: 0 });
        let mut later =
            Caller::new(Later { struct_size: 32, number: 0, added: 0, more: GARBAGE, last: 5, reserved: 6 });
        // SAFETY: the structs state their sizes.
        unsafe {
            write(first.thing(), &answer).ok().unwrap();
            write(now.thing(), &answer).ok().unwrap();
            write(later.thing(), &answer).ok().unwrap();
        }
        assert_eq!(first.value, First { struct_size: 8, number: 7 });
        assert_eq!(now.value, answer);
        assert_eq!(later.value, Later { struct_size: 32, number: 7, added: 8, more: 0, last: 0, reserved: 0 });
    }

    #[test]
    fn a_question_keeps_defaults_where_the_caller_knows_nothing() {
        let mut first = Caller::new(First { struct_size: 8, number: 7 });
        let mut later = Caller::new(Later { struct_size: 32, number: 7, added: 8, more: 0, last: 0, reserved: 0 });
        // SAFETY: the structs state their sizes.
        unsafe {
            assert_eq!(read(first.thing(), DEFAULTS).ok().unwrap(), Now { struct_size: 8, number: 7, added: 2 });
            assert_eq!(read(later.thing(), DEFAULTS).ok().unwrap(), Now { struct_size: 32, number: 7, added: 8 });
            later.value.last = 1;
            let message = read(later.thing(), DEFAULTS).err().unwrap().message;
            assert!(message.contains("older than the header"), "{message}");
        }
    }

    #[test]
    fn a_size_that_was_never_set_is_refused_and_nothing_written() {
        for size in [0, 7, 16 * 1024 + 1, u32::MAX] {
            let mut thing = Caller::new(Now { struct_size: size, number: 3, added: 4 });
            // SAFETY: the size is refused before anything is read or written.
            let message = unsafe { write(thing.thing(), &DEFAULTS) }.err().unwrap().message;
            assert!(message.contains(&format!("struct_size {size}")), "{message}");
            assert_eq!(thing.value, Now { struct_size: size, number: 3, added: 4 });
        }
    }
}
