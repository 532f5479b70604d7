//! A connection of client and worker: messages with a length before them, and open files along with them.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, send, sendmsg, sockopt::socket_peercred,
};
use serde::{Serialize, de::DeserializeOwned};

/// Longest message. The longest in use is a list of models.
const LONGEST: usize = 16 << 20;
/// Most files with a message: the pictures of a run.
const FILES: usize = 4;

pub(crate) struct Connection {
    socket: UnixStream,
}

impl Connection {
    /// Takes a connection whose other end is a process of the same user.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        let peer = socket_peercred(&socket)?.uid;
        if peer != rustix::process::geteuid() {
            let message = format!("the other end belongs to user {}", peer.as_raw());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        Ok(Self { socket })
    }

    pub fn send(&self, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut bytes = vec![0; 4];
        serde_json::to_writer(&mut bytes, message)?;
        let length = bytes.len() - 4;
        if length > LONGEST {
            return Err(io::Error::other(format!("a message of {length} bytes is too long")));
        }
        bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
            return Err(io::Error::other("too many files with a message"));
        }
        // The host may not ignore SIGPIPE, so no call may raise it.
        let slices = [IoSlice::new(&bytes)];
        let mut sent = again(|| sendmsg(&self.socket, &slices, &mut control, SendFlags::NOSIGNAL))?;
        while sent < bytes.len() {
            sent += again(|| send(&self.socket, &bytes[sent..], SendFlags::NOSIGNAL))?;
        }
        Ok(())
    }

    /// The next message; an error of the kind `UnexpectedEof` where the other end is gone.
    pub fn receive<T: DeserializeOwned>(&self) -> io::Result<(T, Vec<OwnedFd>)> {
        let mut length = [0; 4];
        let mut files = Vec::new();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = again(|| {
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut length)], &mut control, RecvFlags::CMSG_CLOEXEC)
        })?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                files.extend(received);
            }
        }
        if got.flags.contains(ReturnFlags::CTRUNC) {
            return Err(io::Error::other("a message came with more files than it may, or no more files can be opened"));
        }
        if got.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (&self.socket).read_exact(&mut length[got.bytes..])?;
        let length = u32::from_le_bytes(length) as usize;
        if length > LONGEST {
            return Err(io::Error::other(format!("a message of {length} bytes is too long")));
        }
        let mut bytes = vec![0; length];
        (&self.socket).read_exact(&mut bytes)?;
        Ok((serde_json::from_slice(&bytes)?, files))
    }

    /// True when a message, or the end of the connection, can be received.
    pub fn is_readable(&self) -> bool {
        let mut asked = [PollFd::new(&self.socket, PollFlags::IN)];
        again(|| poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Does it again where a signal interrupted it.
pub(crate) fn again<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map_err(io::Error::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Seek, Write};

    use super::*;

    fn pair() -> (Connection, Connection) {
        let (one, other) = UnixStream::pair().unwrap();
        (Connection::new(one).unwrap(), Connection::new(other).unwrap())
    }

    #[test]
    fn messages_of_any_length_arrive_with_their_files() {
        let (one, other) = pair();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"pixels").unwrap();
        // More than the socket holds at once.
        let long = "x".repeat(1 << 20);
        std::thread::scope(|scope| {
            scope.spawn(|| one.send(&long, &[file.as_fd(), file.as_fd()]).unwrap());
            let (text, mut files) = other.receive::<String>().unwrap();
            assert!(text == long && files.len() == 2);
            let mut file = File::from(files.remove(1));
            file.rewind().unwrap();
            assert_eq!(io::read_to_string(file).unwrap(), "pixels");
        });
        one.send(&"next", &[]).unwrap();
        assert!(other.is_readable());
        assert_eq!(other.receive::<String>().unwrap().0, "next");
        assert!(!other.is_readable());
    }

    #[test]
    fn the_end_and_nonsense_are_errors() {
        let (one, other) = pair();
        (&one.socket).write_all(&u32::MAX.to_le_bytes()).unwrap();
        assert!(other.receive::<String>().unwrap_err().to_string().contains("too long"));
        let (one, other) = pair();
        one.send(&5, &[]).unwrap();
        assert!(other.receive::<String>().is_err());
        drop(one);
        assert!(other.is_readable());
        assert_eq!(other.receive::<String>().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(other.send(&"no signal ends this process", &[]).is_err());
    }
}
