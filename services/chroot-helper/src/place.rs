//! Inputs that are seen at a second path of the action's root.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, fstatfs, openat};
use rustix::io::Errno;

use crate::command_line::usage;
use crate::error::{During, Result};
use crate::mount::{READ_ONLY, attach_to, clone_tree};
use crate::resolve::openat2;
use crate::sandbox::{DIRECTORY, WITHIN};
use crate::step::{BENEATH, Place, inside, refusal};
use crate::upper::{create_file, make_directories};

/// `PROC_SUPER_MAGIC` of statfs(2).
pub const PROC: rustix::fs::FsWord = 0x9fa0;

/// Binds each input read-only, in the order of the flags, over what the image has there or on what is
/// made for it. Nothing of the input root is followed, and nothing of the image out of it.
pub fn bind(places: &[Place], root: &OwnedFd, input_root: &Path) -> Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    let inputs =
        openat(root, inside(input_root), DIRECTORY, Mode::empty()).during("open", input_root)?;
    for Place { input, path } in places {
        let text = || format!("the input {input:?} cannot be placed at {path:?}");
        if input_root.starts_with(path) {
            return Err(usage(format!("{}: it would hide the inputs", text())));
        }
        let found = openat2(&inputs, input, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), BENEATH)
            .map_err(|errno| refusal(errno, "open", input, text()))?;
        let kind = FileType::from_raw_mode(fstat(&found).during("stat", input)?.st_mode);
        if !matches!(kind, FileType::RegularFile | FileType::Directory) {
            return Err(usage(format!("{}: it is neither a file nor a directory", text())));
        }
        let target = find_target(root, &inside(path), kind)
            .map_err(|errno| refusal(errno, "create", path, text()))?;
        let there = FileType::from_raw_mode(fstat(&target).during("stat", path)?.st_mode);
        let is_proc = fstatfs(&target).is_ok_and(|found| found.f_type == PROC);
        if is_proc || (there == FileType::Directory) != (kind == FileType::Directory) {
            return Err(usage(format!("{}: the root has something else there", text())));
        }
        let mount = clone_tree(found.as_fd(), "", READ_ONLY)?;
        attach_to(&mount, &target, path)?;
    }
    Ok(())
}

/// What is mounted on: found, or made with all that is above it.
fn find_target(root: &OwnedFd, path: &Path, kind: FileType) -> std::result::Result<OwnedFd, Errno> {
    let find = || openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), WITHIN);
    match find() {
        Err(Errno::NOENT) => {}
        other => return other,
    }
    let mode = Mode::from_raw_mode(0o755);
    if kind == FileType::Directory {
        make_directories(root, path, mode, WITHIN).map_err(|(_, errno)| errno)?;
        return find();
    }
    let (parent, name) = (path.parent().unwrap_or(path), path.file_name().ok_or(Errno::ISDIR)?);
    make_directories(root, parent, mode, WITHIN).map_err(|(_, errno)| errno)?;
    let parent = openat2(root, inside(parent), DIRECTORY, Mode::empty(), WITHIN)?;
    create_file(&parent, Path::new(name), 0o644)?;
    find()
}
