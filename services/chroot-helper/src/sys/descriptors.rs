//! Descriptors by their numbers.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use super::check;

/// Marks every descriptor from `first` to `last` to be closed now.
pub fn close_range(first: RawFd, last: RawFd) {
    // SAFETY: called before this process opened any, or right before exec, so nobody's descriptor is taken away.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
}

/// Closes all descriptors above 2 but these.
pub fn close_others(kept: &mut [RawFd]) {
    kept.sort_unstable();
    let mut first = 3;
    for &mut fd in kept {
        if first < fd {
            close_range(first, fd - 1);
        }
        first = first.max(fd + 1);
    }
    close_range(first, i32::MAX);
}

/// A descriptor that the caller passed by number.
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD takes no pointer.
    check(unsafe { libc::fcntl(fd, libc::F_GETFD) }.into())?;
    // SAFETY: it is open, and nothing else in this process owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
