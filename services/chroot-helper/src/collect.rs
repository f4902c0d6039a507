//! What a step leaves in its root and wants to keep: copied into the input root, where the worker
//! looks for outputs, when all of the action is dead.
//!
//! The action chose every name and every kind, but cannot change anything any more. What is read is
//! resolved within its root, what is written beneath the input root and through no link, and nothing
//! is opened but regular files and directories.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, SeekFrom as SeekTo, Stat, fstat, fstatfs,
    ftruncate, mkdirat, openat, readlinkat, renameat, seek, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use crate::error::{Error, Result, plain};
use crate::place::PROC;
use crate::remove::remove;
use crate::resolve::openat2;
use crate::sandbox::{DIRECTORY, WITHIN};
use crate::step::{BENEATH, Collect, inside, refusal};
use crate::upper::{create_file, make_directories};

/// Directories within directories; each level holds two descriptors.
const DEEPEST: usize = 128;

/// Copies each thing to its output path; what was there goes. What cannot be copied for reasons of the
/// action's own is left out, and said on its stderr.
pub fn collect(collects: &[Collect], root: &OwnedFd, input_root: &OwnedFd) -> Result<()> {
    for collect in collects {
        let mut copy =
            Copy { path: collect.path.clone(), own: Vec::new(), left_out: None, count: 0 };
        match copy.collect(collect, root, input_root) {
            Ok(done) => done?,
            Err(errno) => copy.leave_out(errno)?,
        }
        if let Some((path, reason)) = &copy.left_out {
            let more = match copy.count {
                1 => String::new(),
                count => format!(" (and {} more)", count - 1),
            };
            let line = format!("berth-exec: {path:?} was not collected: {reason}{more}\n");
            // Nobody may be listening any more.
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }
    Ok(())
}

type Done<T = ()> = std::result::Result<T, Errno>;

/// One copy under way.
struct Copy {
    /// What is being copied now.
    path: PathBuf,
    /// Directories that this copy itself makes or moves: never copied into themselves.
    own: Vec<(u64, u64)>,
    /// The first of what was left out, and why.
    left_out: Option<(PathBuf, String)>,
    count: usize,
}

impl Copy {
    fn collect(
        &mut self,
        collect: &Collect,
        root: &OwnedFd,
        input_root: &OwnedFd,
    ) -> Done<Result<()>> {
        let source = self.find(root, &inside(&collect.path))?;
        let (output, whole) = (&collect.output, Path::new("."));
        let above = output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(whole);
        let name = Path::new(output.file_name().unwrap_or_default());
        if source.is_some() {
            let mode = Mode::from_raw_mode(0o755);
            make_directories(input_root, above, mode, BENEATH).map_err(|(_, errno)| errno)?;
        }
        let parent = match openat2(input_root, above, DIRECTORY, Mode::empty(), BENEATH) {
            Err(Errno::NOENT) if source.is_none() => return Ok(Ok(())),
            other => other?,
        };
        // An output that the action made there itself is none: it has to be what was collected.
        let aside = self.clear(&parent, name)?;
        if let Some((source, found)) = source
            && let fault @ Err(_) = self.copy_opened(source, &found, &parent, name, 0)
        {
            return Ok(fault);
        }
        aside.map_or(Ok(()), |aside| remove(&parent, Path::new(&aside)))?;
        Ok(Ok(()))
    }

    /// Opens what is to be collected: through links within the root. `None`: it is gone.
    fn find(&mut self, root: &OwnedFd, path: &Path) -> Done<Option<(OwnedFd, Stat)>> {
        // First as a name alone: to open a FIFO or a device may do something already.
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let place = match openat2(root, path, flags, Mode::empty(), WITHIN) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            other => other?,
        };
        let found = fstat(&place)?;
        // There this process shows itself.
        if fstatfs(&place)?.f_type == PROC {
            self.leave_out_because("it is in /proc");
            return Ok(None);
        }
        let Some(flags) = reading(&found) else {
            self.leave_out_because("it is neither a file nor a directory");
            return Ok(None);
        };
        Ok(Some((openat2(root, path, flags, Mode::empty(), WITHIN)?, found)))
    }

    /// Takes away what is in the output's place: a directory by another name, since what is collected
    /// may be in it.
    fn clear(&mut self, parent: &OwnedFd, name: &Path) -> Done<Option<String>> {
        let found = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            other => other?,
        };
        if !FileType::from_raw_mode(found.st_mode).is_dir() {
            return unlinkat(parent, name, AtFlags::empty()).map(|()| None);
        }
        self.own.push((found.st_dev, found.st_ino));
        let is_free = |name: &String| {
            statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).err() == Some(Errno::NOENT)
        };
        let mut names = (0_u64..).map(|number| format!(".berth-{number}"));
        let aside = names.find(is_free).unwrap_or_default();
        renameat(parent, name, parent, &aside).map(|()| Some(aside))
    }

    fn copy_opened(
        &mut self,
        source: OwnedFd,
        found: &Stat,
        parent: &OwnedFd,
        name: &Path,
        depth: usize,
    ) -> Result<()> {
        let done = match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => match make_directory(parent, name) {
                Ok(target) => return self.copy_entries(&source, &target, depth),
                Err(errno) => Err(errno),
            },
            _ => copy_file(source, found, parent, name),
        };
        done.or_else(|errno| self.leave_out(errno))
    }

    fn copy_entries(&mut self, source: &OwnedFd, target: &OwnedFd, depth: usize) -> Result<()> {
        if depth == 0 {
            match fstat(target) {
                Ok(found) => self.own.push((found.st_dev, found.st_ino)),
                Err(errno) => return self.leave_out(errno),
            }
        }
        let entries = match Dir::read_from(source) {
            Ok(entries) => entries,
            Err(errno) => return self.leave_out(errno),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(errno) => return self.leave_out(errno),
            };
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let name = Path::new(OsStr::from_bytes(name));
            self.path.push(name);
            self.copy_entry(source, name, target, depth)?;
            self.path.pop();
        }
        Ok(())
    }

    fn copy_entry(
        &mut self,
        source: &OwnedFd,
        name: &Path,
        target: &OwnedFd,
        depth: usize,
    ) -> Result<()> {
        let (opened, found) = match open_entry(source, name, target) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(()),
            Err(errno) => return self.leave_out(errno),
        };
        if self.own.contains(&(found.st_dev, found.st_ino)) {
            return Ok(());
        }
        if depth + 1 == DEEPEST {
            self.leave_out_because("it is too deep");
            return Ok(());
        }
        self.copy_opened(opened, &found, target, name, depth + 1)
    }

    /// A failure of the machine's ends all; any other leaves one thing out.
    fn leave_out(&mut self, errno: Errno) -> Result<()> {
        match refusal(errno, "collect", &self.path, "") {
            Error::Usage(_) => self.leave_out_because(&plain(&errno.into())),
            fault => return Err(fault),
        }
        Ok(())
    }

    fn leave_out_because(&mut self, reason: &str) {
        self.count += 1;
        self.left_out.get_or_insert_with(|| (self.path.clone(), reason.to_owned()));
    }
}

/// How something is opened to be copied; `None`: it is not copied.
fn reading(found: &Stat) -> Option<OFlags> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => Some(flags),
        FileType::Directory => Some(flags | OFlags::DIRECTORY),
        _ => None,
    }
}

/// Opens an entry to be copied. A link is copied at once, and what is neither file nor directory, or
/// mounted, is passed over.
fn open_entry(source: &OwnedFd, name: &Path, target: &OwnedFd) -> Done<Option<(OwnedFd, Stat)>> {
    let found = statat(source, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(found.st_mode) == FileType::Symlink {
        let link = readlinkat(source, name, Vec::new())?;
        return symlinkat(&link, target, name).map(|()| None);
    }
    let Some(flags) = reading(&found) else { return Ok(None) };
    match openat2(source, name, flags, Mode::empty(), BENEATH | ResolveFlags::NO_XDEV) {
        Err(Errno::XDEV) => Ok(None),
        other => Ok(Some((other?, found))),
    }
}

fn make_directory(parent: &OwnedFd, name: &Path) -> Done<OwnedFd> {
    mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
    openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
}

/// Copies a file with its holes; of its mode it keeps who may execute it.
fn copy_file(source: OwnedFd, found: &Stat, parent: &OwnedFd, name: &Path) -> Done {
    let target = create_file(parent, name, 0o644 | found.st_mode & 0o111)?;
    let done = copy_content(&File::from(source), &File::from(target), found);
    if done.is_err() {
        // Rather none than a part of it.
        let _ = unlinkat(parent, name, AtFlags::empty());
    }
    done.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

fn copy_content(mut source: &File, mut target: &File, found: &Stat) -> io::Result<()> {
    let length = u64::try_from(found.st_size).unwrap_or(0);
    let mut at = 0;
    while at < length {
        // A file system that knows no holes says that all is data.
        let start = match seek(source, SeekTo::Data(at)) {
            Err(Errno::NXIO) => break,
            other => other.unwrap_or(at),
        };
        let end = seek(source, SeekTo::Hole(start)).unwrap_or(length);
        source.seek(SeekFrom::Start(start))?;
        target.seek(SeekFrom::Start(start))?;
        let copied = io::copy(&mut source.take(end - start), &mut target)?;
        if copied == 0 {
            break;
        }
        at = start + copied;
    }
    Ok(ftruncate(target, length)?)
}
