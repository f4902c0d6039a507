//! A root of binds, for where no overlay can be: over the machine's own root, whose mounts are locked
//! and whose directories belong to others, and where a kernel refuses overlays to user namespaces.
//! And the directory on disk that takes the place of memory.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, mkdirat, mknodat, open, openat, openat2,
    readlinkat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use crate::config::{Plan, Source};
use crate::error::{During, Result};
use crate::sandbox::{
    DIRECTORY, InputRoot, NO_SETUID, READ_ONLY, WITHIN, attach, attach_to, clone_tree, make_within,
    relative,
};
use crate::sys;

/// Top entries that the sandbox makes itself. `/run` holds the machine's sockets.
const PROVIDED: [&str; 5] = ["proc", "sys", "dev", "tmp", "run"];
/// Files that the sandbox provides in `/etc`.
const FILES: [&str; 5] = ["hosts", "hostname", "resolv.conf", "passwd", "group"];

/// Makes the root: a tmpfs in which every entry of `source` is bound read-only. The directories above
/// the home and, in an image, above the input root are made anew, so that those can be added.
pub fn build(
    plan: &Plan,
    base: &OwnedFd,
    source: &OwnedFd,
    input_root: &InputRoot,
) -> Result<OwnedFd> {
    let machine = plan.source == Source::Machine;
    let root = clone_tree(base.as_fd(), "root", NO_SETUID)?;
    attach(root.as_fd(), base.as_fd(), "root")?;
    let mut needed = vec![relative(&plan.home)];
    if !machine {
        needed.push(relative(&input_root.path));
    }
    bind_entries(source, &root, Path::new(""), &needed, machine)?;
    for name in ["proc", "sys", "sys/devices", "sys/devices/system", "dev", "tmp"] {
        mkdirat(&root, name, Mode::from_raw_mode(0o755)).during("mkdir", name)?;
    }
    if machine {
        mkdirat(&root, "run", Mode::from_raw_mode(0o755)).during("mkdir", "run")?;
        restore_resolv_conf(&root)?;
        hide(plan, base, &root, input_root)?;
    }
    make_within(&root, &input_root.path)?;
    for name in FILES {
        provide(base, &root, name)?;
    }
    Ok(root)
}

fn bind_entries(
    source: &OwnedFd,
    target: &OwnedFd,
    above: &Path,
    needed: &[PathBuf],
    machine: bool,
) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listing = openat(source, ".", flags, Mode::empty()).during("open", above)?;
    for entry in Dir::read_from(&listing).during("getdents", above)? {
        let entry = entry.during("getdents", above)?;
        let name = Path::new(std::ffi::OsStr::from_bytes(entry.file_name().to_bytes()));
        let path = above.join(name);
        let provided =
            PROVIDED.iter().any(|&top| path == Path::new(top) && (machine || top != "run"));
        if name == Path::new(".") || name == Path::new("..") || provided {
            continue;
        }
        let found = statat(source, name, AtFlags::SYMLINK_NOFOLLOW).during("stat", &path)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => {
                mkdirat(target, name, Mode::from_raw_mode(0o755)).during("mkdir", &path)?;
                if needed.iter().any(|needed| needed.starts_with(&path) && *needed != path) {
                    let flags = DIRECTORY | OFlags::NOFOLLOW;
                    let from = openat(source, name, flags, Mode::empty()).during("open", &path)?;
                    let to = openat(target, name, flags, Mode::empty()).during("open", &path)?;
                    bind_entries(&from, &to, &path, needed, machine)?;
                    continue;
                }
            }
            FileType::RegularFile => {
                let mode = Mode::from_raw_mode(0o644);
                mknodat(target, name, FileType::RegularFile, mode, 0).during("mknod", &path)?;
            }
            FileType::Symlink => {
                let link = readlinkat(source, name, Vec::new()).during("readlink", &path)?;
                symlinkat(&link, target, name).during("symlink", &path)?;
                continue;
            }
            // Sockets, FIFOs and devices at the top of a root are nobody's input.
            _ => continue,
        }
        let mount = clone_tree(source.as_fd(), name, READ_ONLY)?;
        attach(mount.as_fd(), target.as_fd(), name)?;
    }
    Ok(())
}

/// Where the machine's resolv.conf is a link into `/run`, a place for ours to be bound on.
fn restore_resolv_conf(root: &OwnedFd) -> Result<()> {
    match std::fs::canonicalize("/etc/resolv.conf") {
        Ok(path) if path.starts_with("/run") => {
            make_within(root, path.parent().unwrap_or(&path))?;
            let (name, mode) = (relative(&path), Mode::from_raw_mode(0o644));
            mknodat(root, &name, FileType::RegularFile, mode, 0).during("mknod", &name)
        }
        _ => Ok(()),
    }
}

/// Covers what an action without an image must not see: the images of others, the fetcher's socket,
/// other actions, and what the operator lists.
fn hide(plan: &Plan, base: &OwnedFd, root: &OwnedFd, input_root: &InputRoot) -> Result<()> {
    let config = &plan.config;
    let socket = config.socket.as_deref().and_then(Path::parent);
    let listed = config.hide.iter().map(PathBuf::as_path);
    let hidden = config.store.as_deref().into_iter().chain(socket).chain(listed);
    for (number, path) in hidden.chain([&*input_root.build]).enumerate() {
        let path = relative(path);
        let found = openat2(root, &path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), WITHIN);
        let target = match found {
            // What this user cannot reach, the action cannot either.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => continue,
            other => other.during("open", &path)?,
        };
        let found = fstat(&target).during("stat", &path)?;
        let cover = if FileType::from_raw_mode(found.st_mode).is_dir() {
            let name = format!("hidden{number}");
            mkdirat(base, &name, Mode::from_raw_mode(0o755)).during("mkdir", &name)?;
            clone_tree(base.as_fd(), &name, NO_SETUID)?
        } else {
            clone_tree(CWD, "/dev/null", sys::MOUNT_READ_ONLY | sys::MOUNT_NOSUID)?
        };
        attach_to(&cover, &target, &path)?;
    }
    Ok(())
}

/// Binds a file that was written for the upper over the root's own, where it has one.
fn provide(base: &OwnedFd, root: &OwnedFd, name: &str) -> Result<()> {
    let file = match clone_tree(base.as_fd(), Path::new("u/etc").join(name), NO_SETUID) {
        Ok(file) => file,
        // An image that knows the user keeps its own.
        Err(_) => return Ok(()),
    };
    let path = Path::new("etc").join(name);
    match openat2(root, &path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), WITHIN) {
        Ok(target) => attach_to(&file, &target, &path),
        Err(_) => Ok(()),
    }
}

/// A directory on disk in place of memory.
pub struct Disk {
    pub parent: OwnedFd,
    pub name: String,
}

impl Disk {
    /// Makes one beneath the operator's directory.
    pub fn make(upper: &Path) -> Result<Disk> {
        let parent = open(upper, DIRECTORY, Mode::empty()).during("open", upper)?;
        // Unique among all that live, and told apart from what a crash left behind.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let name = format!("action-{}", now.unwrap_or_default().as_nanos());
        mkdirat(&parent, &name, Mode::from_raw_mode(0o700)).during("mkdir", upper.join(&name))?;
        Ok(Disk { parent, name })
    }

    /// Removes it, when nothing runs in it any more.
    pub fn remove(&self) {
        // Mount points of the init's own namespace cannot be removed.
        for place in ["/dev", "/tmp"] {
            let _ = unmount(place, UnmountFlags::DETACH);
        }
        // Nothing can be done about what stays but to leave it to the operator, who owns the disk.
        let _ = remove(&self.parent, Path::new(&self.name));
    }
}

/// Removes a tree that an action filled: by descriptors, and through no link.
fn remove(parent: &OwnedFd, name: &Path) -> std::result::Result<(), Errno> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        other => return other,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(parent, name, flags, Mode::empty())?;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = Path::new(std::ffi::OsStr::from_bytes(entry.file_name().to_bytes()));
        if name != Path::new(".") && name != Path::new("..") {
            remove(&directory, name)?;
        }
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR)
}
