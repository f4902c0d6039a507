//! What the step of a job asks for beyond its root: the flags, and what the action does about them
//! right before it becomes the program, with no right that the program lacks.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, fcntl_setfl, fstat, fstatfs, open, openat,
    readlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::fchdir;
use rustix::stdio::dup2_stdin;

use crate::command_line::{Plan, relative, usage};
use crate::error::{During, Error, Result, plain};
use crate::place::PROC;
use crate::resolve::openat2;
use crate::sandbox::{DIRECTORY, WITHIN};
use crate::secrets::SecretFlag;
use crate::upper::{self, make_directories};

/// How a path of the input root is resolved, whoever does it: through no link.
pub const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// Something of the input root that is seen at a second path.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub input: PathBuf,
    /// Absolute, in the action's root.
    pub path: PathBuf,
}

/// Something of the action's root that becomes an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Collect {
    /// Absolute, in the action's root.
    pub path: PathBuf,
    /// Whether it is provided as a directory, and not as a file.
    pub is_directory: bool,
    /// Relative to the input root.
    pub output: PathBuf,
}

/// The flags, checked.
#[derive(Clone, Debug, Default)]
pub struct Step {
    pub stdin: Option<PathBuf>,
    pub places: Vec<Place>,
    pub collects: Vec<Collect>,
    pub workdir: Option<PathBuf>,
    pub secrets: Vec<SecretFlag>,
}

impl Step {
    /// Takes a flag if it is one of these.
    pub fn set(&mut self, name: &[u8], value: &OsStr) -> Result<bool> {
        match name {
            b"--stdin" => self.stdin = Some(input_path(value, "--stdin")?),
            b"--place" => self.places.push(place(value)?),
            b"--collect" => self.collects.push(collect(value)?),
            b"--workdir" => self.workdir = Some(absolute(value, "--workdir", value)?),
            b"--secret" => self.secrets.push(SecretFlag::parse(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn place(value: &OsStr) -> Result<Place> {
    let bytes = value.as_bytes();
    let Some(at) = bytes.iter().position(|&b| b == b':') else {
        return Err(malformed("--place", "<input path>:</path in root>", value));
    };
    let path = absolute(OsStr::from_bytes(&bytes[at + 1..]), "--place", value)?;
    // Those are the sandbox's, and without the root there is nothing.
    let first = path.components().nth(1).map(Component::as_os_str);
    if first.is_none_or(|name| ["proc", "sys", "dev"].iter().any(|own| name == *own)) {
        return Err(malformed("--place", "a path outside of /proc, /sys and /dev", value));
    }
    Ok(Place { input: input_path(OsStr::from_bytes(&bytes[..at]), "--place")?, path })
}

fn collect(value: &OsStr) -> Result<Collect> {
    let bytes = value.as_bytes();
    let Some(at) = bytes.iter().rposition(|&b| b == b':') else {
        return Err(malformed("--collect", "</path in root>:<output path>", value));
    };
    let path = absolute(OsStr::from_bytes(&bytes[..at]), "--collect", value)?;
    if path == Path::new("/") {
        return Err(malformed("--collect", "a path below the root", value));
    }
    let output = input_path(OsStr::from_bytes(&bytes[at + 1..]), "--collect")?;
    Ok(Collect { path, is_directory: bytes[..at].ends_with(b"/"), output })
}

fn input_path(value: &OsStr, flag: &str) -> Result<PathBuf> {
    match relative(value, flag)? {
        path if path.as_os_str().is_empty() => Err(malformed(flag, "the path of an input", value)),
        path => Ok(path),
    }
}

fn absolute(path: &OsStr, flag: &str, value: &OsStr) -> Result<PathBuf> {
    let path = Path::new(path);
    if path.is_absolute() && path.components().all(|c| c != Component::ParentDir) {
        return Ok(path.components().collect());
    }
    Err(malformed(flag, "an absolute path without \"..\"", value))
}

fn malformed(flag: &str, wanted: &str, value: &OsStr) -> Error {
    usage(format!("{flag} must be {wanted}: current value is {value:?}"))
}

/// A failure that is the client's to mend, unless the machine is out of what everybody needs.
pub fn refusal(errno: Errno, call: &'static str, path: &Path, text: impl Display) -> Error {
    match errno {
        Errno::NOSPC
        | Errno::DQUOT
        | Errno::IO
        | Errno::MFILE
        | Errno::NFILE
        | Errno::NOMEM
        | Errno::STALE => {
            Error::Syscall { call, target: OsString::from(path), source: errno.into() }
        }
        _ => usage(format!("{text}: {}", plain(&errno.into()))),
    }
}

/// Makes the action's standard input, its places for outputs and its current directory.
pub fn prepare(plan: &Plan, input_root: &Path) -> Result<()> {
    let Step { stdin, collects, workdir, .. } = &plan.step;
    if let Some(path) = stdin {
        open_stdin(input_root, path)?;
    }
    if collects.is_empty() && workdir.is_none() {
        return Ok(());
    }
    let root = open("/", DIRECTORY, Mode::empty()).during("open", "/")?;
    for collect in collects {
        provide(&root, collect)?;
    }
    if let Some(path) = workdir {
        // Through no magic link: some of this process's descriptors are not the action's.
        let inside = inside(path);
        make_directories(&root, &inside, Mode::from_raw_mode(0o777), WITHIN)
            .and_then(|()| {
                openat2(&root, &inside, DIRECTORY, Mode::empty(), WITHIN)
                    .and_then(fchdir)
                    .map_err(|errno| (inside.clone(), errno))
            })
            .map_err(|(_, errno)| {
                let text = format!("the working directory {path:?} cannot be had");
                refusal(errno, "chdir", path, text)
            })?;
    }
    Ok(())
}

fn open_stdin(input_root: &Path, path: &Path) -> Result<()> {
    let root = open(input_root, DIRECTORY, Mode::empty()).during("open", input_root)?;
    // Never waits, whatever is there.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let text = || format!("the standard input {path:?} cannot be opened");
    let file = openat2(&root, path, flags, Mode::empty(), BENEATH)
        .map_err(|errno| refusal(errno, "open", path, text()))?;
    let found = fstat(&file).during("stat", path)?;
    if !FileType::from_raw_mode(found.st_mode).is_file() {
        return Err(usage(format!("the standard input {path:?} must be a regular file")));
    }
    fcntl_setfl(&file, OFlags::empty()).during("fcntl", path)?;
    dup2_stdin(&file).during("dup2", "stdin")
}

/// Makes what will be collected: a directory where there is none, and an empty file whatever the image
/// has there, so that nothing of the image passes for an output.
fn provide(root: &OwnedFd, collect: &Collect) -> Result<()> {
    let path = inside(&collect.path);
    let made = match collect.is_directory {
        true => make_directories(root, &path, Mode::from_raw_mode(0o777), WITHIN),
        false => provide_file(root, &path),
    };
    made.map_err(|(prefix, errno)| {
        let path = &collect.path;
        let text = format!("{path:?}, which is to be collected, cannot be made: {prefix:?}");
        refusal(errno, "create", path, text)
    })
}

type Made<T = ()> = std::result::Result<T, (PathBuf, Errno)>;

/// Makes an empty file of the action's own. What is there is taken away rather than emptied: its inode
/// may be shared with others.
fn provide_file(root: &OwnedFd, path: &Path) -> Made {
    let path = behind_links(root, path)?;
    let directory = path.parent().unwrap_or(&path);
    make_directories(root, directory, Mode::from_raw_mode(0o777), WITHIN)?;
    let make = || {
        let name = Path::new(path.file_name().ok_or(Errno::ISDIR)?);
        let place = openat2(root, nonempty(directory), DIRECTORY, Mode::empty(), WITHIN)?;
        match unlinkat(&place, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => upper::create_file(&place, name, 0o666).map(drop),
            // In a directory that the action may not change, its file is the action's to change.
            Err(Errno::ACCESS | Errno::PERM) => {
                let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
                openat(&place, name, flags | OFlags::CLOEXEC, Mode::empty()).map(drop)
            }
            Err(errno) => Err(errno),
        }
    };
    make().map_err(|errno| (path.clone(), errno))
}

/// Where links of the image lead to in the end: the program may write to either name.
fn behind_links(root: &OwnedFd, path: &Path) -> Made<PathBuf> {
    let mut path = path.to_owned();
    // As many as the kernel follows.
    for _ in 0..40 {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(found) = openat2(root, &path, flags, Mode::empty(), WITHIN) else {
            return Ok(path);
        };
        let read = || {
            if !FileType::from_raw_mode(fstat(&found)?.st_mode).is_symlink() {
                return Ok(None);
            }
            // Those say where a file is outside, or what else it is.
            if fstatfs(&found)?.f_type == PROC {
                return Err(Errno::PERM);
            }
            readlinkat(&found, "", Vec::new()).map(Some)
        };
        match read().map_err(|errno| (path.clone(), errno))? {
            Some(link) => path = path.with_file_name(OsStr::from_bytes(link.to_bytes())),
            None => return Ok(path),
        }
    }
    Err((path, Errno::LOOP))
}

/// An absolute path as seen from the root, which itself has a name as well.
pub fn inside(path: &Path) -> PathBuf {
    nonempty(&upper::relative(path)).to_owned()
}

fn nonempty(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}
