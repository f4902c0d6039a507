//! The end of directories that an action filled.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, chmodat, openat, renameat, unlinkat};
use rustix::io::Errno;

/// Removes a tree that an action filled: through no link, and however deep it is. Directories within
/// directories are moved up to the top before they are looked into, so that neither the stack nor the
/// open descriptors grow with the depth.
pub fn remove(parent: &OwnedFd, name: &Path) -> std::result::Result<(), Errno> {
    let top = enter(parent, name)?;
    let mut moved = 0_u64;
    loop {
        let names = names_in(&top)?;
        if names.is_empty() {
            return unlinkat(parent, name, AtFlags::REMOVEDIR);
        }
        for name in names {
            if unlink(&top, &name)? {
                continue;
            }
            let directory = enter(&top, name.as_c_str())?;
            for inner in names_in(&directory)? {
                if !unlink(&directory, &inner)? {
                    move_up(&directory, &inner, &top, &mut moved)?;
                }
            }
            unlinkat(&top, &name, AtFlags::REMOVEDIR)?;
        }
    }
}

/// Whether there is nothing left of it: it was no directory.
fn unlink(directory: &OwnedFd, name: &CStr) -> std::result::Result<bool, Errno> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => Ok(false),
        other => other.map(|()| true),
    }
}

/// Gives a directory a name at the top. To move one takes the right to write to it.
fn move_up(
    from: &OwnedFd,
    name: &CStr,
    top: &OwnedFd,
    moved: &mut u64,
) -> std::result::Result<(), Errno> {
    let _ = chmodat(from, name, Mode::RWXU, AtFlags::empty());
    loop {
        *moved += 1;
        match renameat(from, name, top, format!("moved-{moved}")) {
            // The action has used the name itself.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            other => return other,
        }
    }
}

/// Opens a directory for reading, whatever mode the action gave it. Where that cannot be changed, the
/// next call says so.
fn enter<P: rustix::path::Arg + Copy>(
    parent: &OwnedFd,
    name: P,
) -> std::result::Result<OwnedFd, Errno> {
    let _ = chmodat(parent, name, Mode::RWXU, AtFlags::empty());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

fn names_in(directory: &OwnedFd) -> std::result::Result<Vec<CString>, Errno> {
    let names = Dir::read_from(directory)?.map(|entry| Ok(entry?.file_name().to_owned()));
    let is_entry = |name: &CString| !matches!(name.to_bytes(), b"." | b"..");
    names.filter(|name| name.as_ref().map_or(true, is_entry)).collect()
}
