//! A root of binds, for where no overlay can be: over the machine's own root, whose mounts are locked
//! and whose directories belong to others, and where a kernel refuses overlays to user namespaces.
//! And the directory on disk that takes the place of memory.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, mkdirat, mknodat, open, openat, readlinkat,
    statat, symlinkat,
};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use crate::command_line::{Plan, Source};
use crate::error::{During, Result};
use crate::mount::{NO_SETUID, READ_ONLY, attach, attach_to, clone_tree};
use crate::remove::remove;
use crate::resolve::openat2;
use crate::sandbox::{DIRECTORY, InputRoot, WITHIN};
use crate::sys;
use crate::upper::{make_within, relative};

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
    let mut needed: Vec<PathBuf> = plan.made_home().map(relative).into_iter().collect();
    let mut skipped: Vec<PathBuf> = ["proc", "sys", "dev", "tmp"].map(PathBuf::from).into();
    // `/run` holds the machine's sockets.
    if machine {
        skipped.push(PathBuf::from("run"));
    } else {
        needed.push(relative(&input_root.inside));
        // In an image that was merged into the input root, the action's own is bound in its place.
        skipped.push(relative(&input_root.inside));
        for path in provided(base) {
            needed.push(path.clone());
            skipped.push(path);
        }
    }
    bind_entries(source, &root, Path::new(""), &needed, &skipped)?;
    for name in ["proc", "sys", "sys/devices", "sys/devices/system", "dev", "tmp"] {
        mkdirat(&root, name, Mode::from_raw_mode(0o755)).during("mkdir", name)?;
    }
    if machine {
        mkdirat(&root, "run", Mode::from_raw_mode(0o755)).during("mkdir", "run")?;
        restore_resolv_conf(&root)?;
        hide(plan, base, &root, input_root)?;
    }
    make_within(&root, &input_root.inside)?;
    make_within(&root, Path::new("/etc"))?;
    for path in provided(base) {
        provide(base, &root, &path)?;
    }
    Ok(root)
}

fn bind_entries(
    source: &OwnedFd,
    target: &OwnedFd,
    above: &Path,
    needed: &[PathBuf],
    skipped: &[PathBuf],
) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listing = openat(source, ".", flags, Mode::empty()).during("open", above)?;
    for entry in Dir::read_from(&listing).during("getdents", above)? {
        let entry = entry.during("getdents", above)?;
        let name = Path::new(std::ffi::OsStr::from_bytes(entry.file_name().to_bytes()));
        let path = above.join(name);
        if name == Path::new(".") || name == Path::new("..") || skipped.contains(&path) {
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
                    bind_entries(&from, &to, &path, needed, skipped)?;
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
/// other actions, secrets, and what the operator lists.
fn hide(plan: &Plan, base: &OwnedFd, root: &OwnedFd, input_root: &InputRoot) -> Result<()> {
    let config = &plan.config;
    let socket = config.socket.as_deref().and_then(Path::parent);
    let listed = config.hide.iter().chain(&config.secrets).map(PathBuf::as_path);
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

/// The files that were written for the upper: an image that knows the user keeps its accounts.
fn provided(base: &OwnedFd) -> Vec<PathBuf> {
    let written =
        |path: &PathBuf| statat(base, Path::new("u").join(path), AtFlags::SYMLINK_NOFOLLOW).is_ok();
    FILES.iter().map(|name| Path::new("etc").join(name)).filter(written).collect()
}

/// Binds a file that was written for the upper over the root's own, or where it has none.
fn provide(base: &OwnedFd, root: &OwnedFd, path: &Path) -> Result<()> {
    let file = clone_tree(base.as_fd(), Path::new("u").join(path), NO_SETUID)?;
    let find = || openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), WITHIN);
    let target = match find() {
        Err(Errno::NOENT) => {
            let parent =
                openat2(root, "etc", DIRECTORY, Mode::empty(), WITHIN).during("open", "etc")?;
            let (name, mode) = (path.file_name().unwrap_or_default(), Mode::from_raw_mode(0o644));
            match mknodat(&parent, name, FileType::RegularFile, mode, 0).and_then(|()| find()) {
                // The machine's own /etc cannot be added to, and what it lacks it can do without.
                Err(Errno::ROFS | Errno::EXIST) => return Ok(()),
                other => other,
            }
        }
        other => other,
    };
    attach_to(&file, &target.during("open", path)?, path)
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
        // What is a mount point in the init's own namespace cannot be removed, so all of them go,
        // those on top first; the root itself stays.
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        for place in mounts.lines().rev().filter_map(|line| line.split(' ').nth(4)) {
            let _ = unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
        }
        // Nothing can be done about what stays but to leave it to the operator, who owns the disk.
        let _ = remove(&self.parent, Path::new(&self.name));
    }
}
