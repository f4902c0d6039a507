//! Paths that are resolved within a directory.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Each takes microseconds; even a machine that does nothing but mount and rename lets one through.
const ATTEMPTS: usize = 10_000;

/// openat2(2), tried again where a path with `..` in it, as links of images have, met a rename or a mount
/// anywhere on the machine: the kernel cannot tell then whether it stayed within, and says EAGAIN.
pub fn openat2<Fd: AsFd>(
    directory: Fd,
    path: impl AsRef<Path>,
    flags: OFlags,
    mode: Mode,
    how: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let path = path.as_ref();
    for _ in 1..ATTEMPTS {
        match rustix::fs::openat2(&directory, path, flags, mode, how) {
            Err(Errno::AGAIN) => std::thread::yield_now(),
            other => return other,
        }
    }
    rustix::fs::openat2(&directory, path, flags, mode, how)
}
