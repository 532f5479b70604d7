//! Pixels in memory that client and worker share. It has no name, and is gone when neither uses it any more.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kds_memory::System;
use memmap2::MmapMut;
use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create,
};

use super::connection::again;
use crate::{Error, Status};

pub(crate) struct SharedPixels {
    file: OwnedFd,
    bytes: MmapMut,
}

impl SharedPixels {
    /// So many bytes, all zero; an error where they cannot be had.
    pub fn new(len: usize) -> Result<Self, Error> {
        let create = || {
            // The kernel gives pages until there are none, and then ends a process, not always this one.
            if len as u64 > System::default().available() {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            let file = memfd_create("kds-pixels", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
            // A page that is not there when it is written to ends the process, so all of them are asked for now.
            again(|| fallocate(&file, FallocateFlags::empty(), 0, len as u64))?;
            fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
            Self::map(file, len)
        };
        create().map_err(|error: io::Error| {
            let message = format!(
                "no memory for a picture of {len} bytes to share with the worker ({error}): close programs, or restore a \
                 smaller part"
            );
            Error::new(Status::OutOfMemory, message)
        })
    }

    /// Memory made by the other process; it must have at least this size and be sealed against shrinking.
    pub fn received(file: OwnedFd, len: usize) -> io::Result<Self> {
        if !fcntl_get_seals(&file)?.contains(SealFlags::SHRINK) {
            return Err(io::Error::other("the memory of a picture may shrink"));
        }
        if usize::try_from(fstat(&file)?.st_size).is_ok_and(|size| size < len) {
            return Err(io::Error::other("the memory of a picture is too small for it"));
        }
        Self::map(file, len)
    }

    fn map(file: OwnedFd, len: usize) -> io::Result<Self> {
        // SAFETY: the file cannot shrink. The other process, of the same user, may write to it; it does not while this one
        // uses it, and any bytes are pixels.
        let bytes = unsafe { memmap2::MmapOptions::new().len(len).map_mut(&file) }?;
        Ok(Self { file, bytes })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl AsFd for SharedPixels {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_writes_the_other_reads() {
        let mut ours = SharedPixels::new(5000).unwrap();
        let file = ours.file.try_clone().unwrap();
        let theirs = SharedPixels::received(file, 5000).unwrap();
        ours.bytes_mut()[4999] = 7;
        assert_eq!(theirs.bytes()[4998..], [0, 7]);
    }

    #[test]
    fn memory_that_may_vanish_is_refused() {
        let ours = SharedPixels::new(5000).unwrap();
        assert!(SharedPixels::received(ours.file.try_clone().unwrap(), 5001).is_err());
        assert!(SharedPixels::received(tempfile::tempfile().unwrap().into(), 0).is_err());
        let open = memfd_create("kds-test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        assert!(SharedPixels::received(open, 1).is_err());
        assert_eq!(SharedPixels::new(1 << 60).err().unwrap().status, Status::OutOfMemory);
    }
}
