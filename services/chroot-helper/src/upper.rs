//! What the sandbox puts over an image: directories to mount on, and files that name the machine and
//! the user. Written where the image has no say yet.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, statat};
use rustix::io::Errno;

use crate::command_line::Plan;
use crate::config::Network;
use crate::error::{During, Error, Result};
use crate::passwd::ACCOUNTS_LIMIT;
use crate::resolve::openat2;
use crate::sandbox::{DIRECTORY, HOSTNAME, WITHIN};

/// What the sandbox provides over the image, written before the image can have a say: a link in the
/// image in place of one of these is hidden by the overlay, or refused, but never followed.
pub fn fill(plan: &Plan, base: &OwnedFd, image: &OwnedFd, input_root: &Path) -> Result<()> {
    for name in ["proc", "sys", "dev", "tmp"] {
        // An image's own directory serves as well; anything else there is hidden by one of ours.
        if name == "sys" || !is_directory(image, name) {
            let path = Path::new("u").join(name);
            mkdirat(base, &path, Mode::from_raw_mode(0o755)).during("mkdir", name)?;
        }
    }
    for path in ["u/sys/devices", "u/sys/devices/system"] {
        mkdirat(base, path, Mode::from_raw_mode(0o755)).during("mkdir", path)?;
    }
    make_path(base, image, Path::new("/etc"))?;
    make_path(base, image, input_root)?;
    // An image may well have /home as a link; it is made later, then.
    let _ = plan.made_home().map(|home| make_path(base, image, home));

    let host = plan.network == Network::Host;
    let mut hosts = if host { read_machine("/etc/hosts")? } else { Vec::new() };
    hosts.extend(format!("127.0.0.1\tlocalhost {HOSTNAME}\n::1\tlocalhost\n").bytes());
    let resolv = if host { read_machine("/etc/resolv.conf")? } else { Vec::new() };
    create(base, "hosts", &hosts)?;
    create(base, "resolv.conf", &resolv)?;
    create(base, "hostname", format!("{HOSTNAME}\n").as_bytes())?;

    let (name, uid, gid) = (&plan.name, plan.uid, plan.gid);
    let home = plan.home.as_os_str().as_bytes();
    let account = [format!("{name}:x:{uid}:{gid}::").as_bytes(), home, b":/bin/sh\n"].concat();
    add_account(base, image, "passwd", uid, &account)?;
    add_account(base, image, "group", gid, format!("{name}:x:{gid}:\n").as_bytes())
}

fn is_directory(image: &OwnedFd, name: &str) -> bool {
    statat(image, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_dir())
}

/// Provides a directory in the upper, or in `tmp` for what lies there, component by component.
fn make_path(base: &OwnedFd, image: &OwnedFd, path: &Path) -> Result<()> {
    let relative = relative(path);
    if ["proc", "sys", "dev"].iter().any(|top| relative.starts_with(top)) {
        return Err(layout(path, "is provided by berth-exec and cannot hold the build directory"));
    }
    let in_tmp = relative.starts_with("tmp");
    let mut in_image = !in_tmp;
    let mut prefix = PathBuf::new();
    for component in relative.components() {
        prefix.push(component);
        if in_image {
            match statat(image, &prefix, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) if FileType::from_raw_mode(found.st_mode).is_dir() => {}
                Ok(_) => {
                    return Err(layout(&prefix, "is not a directory (links are not followed)"));
                }
                Err(Errno::NOENT) => in_image = false,
                Err(error) => return Err(error).during("stat", &prefix),
            }
        }
        let target = if in_tmp { prefix.clone() } else { Path::new("u").join(&prefix) };
        match mkdirat(base, &target, Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) => {}
            other => other.during("mkdir", &prefix)?,
        }
    }
    Ok(())
}

/// Provides a directory in the finished root, through links of the image but never out of it.
pub fn make_within(root: &OwnedFd, path: &Path) -> Result<()> {
    make_directories(root, &relative(path), Mode::from_raw_mode(0o755), WITHIN)
        .map_err(|(prefix, _)| layout(&prefix, "is not a directory"))
}

/// Makes what is missing of a relative path, resolved as `how` says: through links within `root` but
/// never out of it, or through none. Tells the component that cannot be had, and why.
pub fn make_directories(
    root: &OwnedFd,
    path: &Path,
    mode: Mode,
    how: ResolveFlags,
) -> std::result::Result<(), (PathBuf, Errno)> {
    // The usual case: it is there.
    if openat2(root, path, DIRECTORY, Mode::empty(), how).is_ok() {
        return Ok(());
    }
    let mut prefix = PathBuf::new();
    let here = openat(root, ".", DIRECTORY, Mode::empty());
    let mut parent = here.map_err(|error| (prefix.clone(), error))?;
    for component in path.components() {
        prefix.push(component);
        let find = || openat2(root, &prefix, DIRECTORY, Mode::empty(), how);
        parent = match find() {
            // What a link leads to may be missing as well, and is not made: then there is a name already.
            Err(Errno::NOENT) => {
                mkdirat(&parent, component.as_os_str(), mode).and_then(|()| find())
            }
            other => other,
        }
        .map_err(|error| (prefix.clone(), error))?;
    }
    Ok(())
}

/// An absolute path as seen from its root.
pub fn relative(path: &Path) -> PathBuf {
    path.components().filter(|c| matches!(c, Component::Normal(_))).collect()
}

fn layout(component: &Path, reason: &str) -> Error {
    Error::Layout { component: Path::new("/").join(component), reason: reason.to_owned() }
}

/// A file of the machine that names the network's services; a machine without it has none to name.
fn read_machine(path: &str) -> Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.during("read", path),
    }
}

/// Adds a line to the image's passwd or group, unless the id has one.
fn add_account(base: &OwnedFd, image: &OwnedFd, file: &str, id: u32, line: &[u8]) -> Result<()> {
    let path = Path::new("etc").join(file);
    // A FIFO must not make us wait, nor a link lead out of the image.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut text = Vec::new();
    if let Ok(found) = openat2(image, &path, flags, Mode::empty(), WITHIN)
        && fstat(&found).is_ok_and(|s| FileType::from_raw_mode(s.st_mode).is_file())
    {
        let mut limited = std::fs::File::from(found).take(ACCOUNTS_LIMIT);
        limited.read_to_end(&mut text).during("read", &path)?;
    }
    let wanted = id.to_string();
    let has = |line: &[u8]| line.split(|&b| b == b':').nth(2) == Some(wanted.as_bytes());
    if text.split(|&b| b == b'\n').any(has) {
        return Ok(());
    }
    if text.last().is_some_and(|&b| b != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(line);
    create(base, file, &text)
}

/// Makes a file that nobody has made yet.
pub fn create_file(
    directory: &OwnedFd,
    name: &Path,
    mode: u32,
) -> std::result::Result<OwnedFd, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::from_raw_mode(mode))
}

fn create(base: &OwnedFd, name: &str, content: &[u8]) -> Result<()> {
    let path = Path::new("u/etc").join(name);
    let file = create_file(base, &path, 0o644).during("create", name)?;
    rustix::io::write(&file, content).during("write", name).map(drop)
}
