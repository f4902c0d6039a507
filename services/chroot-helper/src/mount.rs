//! The mounts of a sandbox, each made detached and restricted before anyone can reach it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    Access, AtFlags, CWD, FileType, Mode, ResolveFlags, accessat, fstat, mkdirat, mknodat, statat,
    symlinkat,
};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use crate::command_line::Plan;
use crate::config::Proc;
use crate::error::{During, Result};
use crate::resolve::openat2;
use crate::sandbox::{DIRECTORY, InputRoot, WITHIN, write_file};
use crate::sys;
use crate::upper::relative;

/// Device nodes that programs expect everywhere and that give nothing away.
pub const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Parts of `/proc` that tell about the machine or act on it.
const PROC_MASKED: [&str; 9] = [
    "acpi",
    "asound",
    "kcore",
    "keys",
    "latency_stats",
    "sched_debug",
    "scsi",
    "sysrq-trigger",
    "timer_list",
];

pub const NO_SETUID: u64 = sys::MOUNT_NOSUID | sys::MOUNT_NODEV;
pub const READ_ONLY: u64 = NO_SETUID | sys::MOUNT_READ_ONLY;

/// Mounts `u` and `w` of the current directory over the image.
pub fn mount_overlay(base: &OwnedFd, image: &OwnedFd) -> Result<OwnedFd> {
    let lower = format!("/proc/self/fd/{}", image.as_raw_fd());
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).during("mount", "overlay")?;
    // A user namespace may not write the trusted attributes that an overlay uses otherwise.
    fsconfig_set_flag(&context, "userxattr").during("mount", "overlay: userxattr")?;
    for (key, value) in [("lowerdir", lower.as_str()), ("upperdir", "u"), ("workdir", "w")] {
        fsconfig_set_string(&context, key, value).during("mount", format!("overlay: {key}"))?;
    }
    let root = finish_mount(&context, "overlay")?;
    attach(root.as_fd(), base.as_fd(), "root")?;
    Ok(root)
}

/// A detached mount of a new file system.
pub fn mount_new(kind: &str, options: &[(&str, &str)]) -> Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).during("mount", kind)?;
    for (key, value) in options {
        fsconfig_set_string(&context, *key, *value).during("mount", format!("{kind}: {key}"))?;
    }
    finish_mount(&context, kind)
}

fn finish_mount(context: &OwnedFd, kind: &str) -> Result<OwnedFd> {
    fsconfig_create(context).during("mount", kind)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).during("mount", kind)
}

/// A detached bind of a directory or file, restricted before anyone can reach it.
pub fn clone_tree(
    directory: BorrowedFd<'_>,
    path: impl AsRef<Path>,
    attributes: u64,
) -> Result<OwnedFd> {
    let path = path.as_ref();
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW
        | OpenTreeFlags::AT_RECURSIVE;
    let mount = open_tree(directory, path, flags).during("open_tree", path)?;
    if attributes != 0 {
        sys::restrict_mount(mount.as_fd(), attributes).during("mount_setattr", path)?;
    }
    Ok(mount)
}

/// Mounts on a path of which every component is ours.
pub fn attach(
    mount: BorrowedFd<'_>,
    directory: BorrowedFd<'_>,
    path: impl AsRef<Path>,
) -> Result<()> {
    let path = path.as_ref();
    move_mount(mount, "", directory, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .during("move_mount", path)
}

/// Mounts on what is open.
pub fn attach_to(mount: &OwnedFd, target: &OwnedFd, name: &Path) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags).during("move_mount", name)
}

pub fn open_proc(plan: &Plan) -> Result<OwnedFd> {
    match plan.config.proc {
        Proc::Fresh => mount_new("proc", &[]),
        Proc::Container => clone_tree(CWD, "/proc", NO_SETUID),
    }
}

/// Shows a `/proc` in which the machine's settings are read-only and its secrets are covered.
pub fn mount_proc(plan: &Plan, proc: &OwnedFd, root: &OwnedFd) -> Result<()> {
    attach(proc.as_fd(), root.as_fd(), "proc")?;
    if !plan.config.nested_user_namespaces {
        // None but the action's own: the kernel's least tried code stays shut.
        let limit = if plan.config.sub_uids.is_some() { "0" } else { "1" };
        let limited = write_file(proc.as_fd(), "sys/user/max_user_namespaces", limit);
        // A container's /proc/sys may be read-only already.
        if plan.config.proc == Proc::Fresh {
            limited?;
        }
    }
    let settings = clone_tree(proc.as_fd(), "sys", READ_ONLY | sys::MOUNT_NOEXEC)?;
    attach(settings.as_fd(), proc.as_fd(), "sys")?;
    for name in PROC_MASKED {
        // What the action's uid cannot open anyway needs no cover; each costs as much as a file. The
        // machine's own /proc has the same names, and has them at hand.
        let path = format!("/proc/{name}");
        let allows = |access| accessat(CWD, &path, access, AtFlags::EACCESS);
        match allows(Access::READ_OK) {
            Err(Errno::NOENT) => continue,
            Err(_) if allows(Access::WRITE_OK).is_err() => continue,
            _ => {}
        }
        let cover = match statat(proc, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode).is_dir() => {
                clone_tree(CWD, "empty", READ_ONLY)?
            }
            _ => clone_tree(CWD, "/dev/null", 0)?,
        };
        attach(cover.as_fd(), proc.as_fd(), name)?;
    }
    Ok(())
}

/// A `/dev` of the few nodes that every program expects, taken from the machine's.
pub fn mount_dev<const N: usize>(
    base: &OwnedFd,
    root: &OwnedFd,
    devices: [(&str, Result<OwnedFd>); N],
) -> Result<()> {
    let dev = clone_tree(base.as_fd(), "dev", sys::MOUNT_NOSUID)?;
    attach(dev.as_fd(), root.as_fd(), "dev")?;
    for (name, node) in devices {
        let mode = Mode::from_raw_mode(0o666);
        mknodat(&dev, name, FileType::RegularFile, mode, 0).during("mknod", name)?;
        attach(node?.as_fd(), dev.as_fd(), name)?;
    }
    mkdirat(&dev, "shm", Mode::from_raw_mode(0o1777)).during("mkdir", "/dev/shm")?;
    mkdirat(&dev, "pts", Mode::from_raw_mode(0o755)).during("mkdir", "/dev/pts")?;
    let pts = mount_new("devpts", &[("ptmxmode", "0666"), ("mode", "0620")])?;
    attach(pts.as_fd(), dev.as_fd(), "pts")?;
    for (name, target) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlinkat(target, &dev, name).during("symlink", name)?;
    }
    Ok(())
}

/// Of `/sys` only what programs ask when they size themselves; the rest tells about the machine, and
/// binding all of it would double the mounts that a start has to copy. Absent where it is not
/// permitted: nothing fails for want of it.
pub fn mount_sys(root: &OwnedFd) -> Result<()> {
    match clone_tree(CWD, "/sys/devices/system", READ_ONLY | sys::MOUNT_NOEXEC) {
        Ok(system) => attach(system.as_fd(), root.as_fd(), "sys/devices/system"),
        Err(_) => Ok(()),
    }
}

/// Binds the input root where the action finds it: at the path that it has outside, or in its image.
pub fn bind_input_root(mount: OwnedFd, inside: &Path, root: &OwnedFd) -> Result<()> {
    attach_to(&mount, &open_inside(root, inside)?, inside)
}

/// Opens the input root, or the directory that it is bound on, by its path in the action's root.
pub fn open_inside(root: &OwnedFd, inside: &Path) -> Result<OwnedFd> {
    let path = relative(inside);
    let resolve = WITHIN | ResolveFlags::NO_SYMLINKS;
    openat2(root, &path, DIRECTORY, Mode::empty(), resolve).during("open", &path)
}

/// The helper's descriptor belongs to the mount namespace outside, and what this one binds must be
/// opened anew: the same directory, or nothing.
pub fn reopen_input_root(input_root: &InputRoot) -> Result<OwnedFd> {
    let path = &input_root.path;
    let again = openat2(CWD, path, DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS)
        .during("open", path)?;
    let identity = |fd: &OwnedFd| fstat(fd).map(|s| (s.st_dev, s.st_ino)).during("stat", path);
    if identity(&again)? != identity(&input_root.directory)? {
        return Err(Errno::STALE).during("open", path);
    }
    clone_tree(again.as_fd(), "", NO_SETUID)
}
