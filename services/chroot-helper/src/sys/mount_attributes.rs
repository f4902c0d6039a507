//! Attributes of mounts: mount_setattr(2).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check;

pub const MOUNT_READ_ONLY: u64 = 0x1;
pub const MOUNT_NOSUID: u64 = 0x2;
pub const MOUNT_NODEV: u64 = 0x4;
pub const MOUNT_NOEXEC: u64 = 0x8;
const MOUNT_IDMAP: u64 = 0x0010_0000;

/// `struct mount_attr` of the kernel.
#[repr(C)]
#[derive(Default)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

fn set_attributes(mount: BorrowedFd<'_>, attr: &MountAttr, recursive: bool) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a NUL-terminated literal and the structure is as long as it is said to be.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            attr,
            size_of::<MountAttr>(),
        )
    };
    check(done).map(drop)
}

/// Adds attributes to a mount, and to those below it.
pub fn restrict_mount(mount: BorrowedFd<'_>, set: u64) -> io::Result<()> {
    let attr = MountAttr { set, ..MountAttr::default() };
    set_attributes(mount, &attr, true)
}

/// Shows a detached mount's owners through the map of a user namespace.
pub fn map_mount(mount: BorrowedFd<'_>, userns: BorrowedFd<'_>, set: u64) -> io::Result<()> {
    let attr = MountAttr {
        set: set | MOUNT_IDMAP,
        userns: userns.as_raw_fd() as u64,
        ..MountAttr::default()
    };
    set_attributes(mount, &attr, false)
}
