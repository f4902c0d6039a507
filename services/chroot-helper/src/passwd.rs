//! Users by name, as the root's own passwd and group know them.

use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat};

use crate::command_line::{Plan, usage};
use crate::error::{During, Error, Result};
use crate::resolve::openat2;
use crate::sandbox::WITHIN;

/// More of an image's passwd or group file is not read.
pub const ACCOUNTS_LIMIT: u64 = 1 << 20;

/// A user and perhaps a group, of which at least one is a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    pub user: String,
    pub group: Option<String>,
}

impl Names {
    /// Reads `user[:group]`.
    pub fn parse(text: &str) -> Option<Names> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let is_name = |name: &str| {
            let is_number = name.bytes().all(|b| b.is_ascii_digit());
            let is_word = |b: u8| b > b' ' && b != b':' && b != b'/' && b != 127;
            name.len() <= 255
                && name.bytes().all(is_word)
                && !name.starts_with('-')
                && (!is_number || id(name).is_some())
        };
        let are_names = is_name(user) && group.is_none_or(is_name);
        are_names.then(|| Names { user: user.to_owned(), group: group.map(str::to_owned) })
    }
}

/// Settles the ids of a user who was given by name.
pub fn resolve(plan: &mut Plan, root: &OwnedFd) -> Result<()> {
    let Some(Names { user, group }) = plan.names.take() else { return Ok(()) };
    match id(&user) {
        Some(uid) => (plan.uid, plan.gid) = (uid, uid),
        // It is the same everywhere, also where there is no passwd.
        None if user == "root" => plan.become_root(),
        None => {
            let accounts = read_accounts(root, "etc/passwd")?;
            let fields = find(&accounts, &user).ok_or_else(|| missing("user", &user, "passwd"))?;
            let number =
                |at: usize| fields.get(at).and_then(|f| std::str::from_utf8(f).ok()).and_then(id);
            let (Some(uid), Some(gid)) = (number(2), number(3)) else {
                return Err(missing("user", &user, "passwd"));
            };
            (plan.uid, plan.gid, plan.name) = (uid, gid, user);
            if let Some(home) = fields.get(5).and_then(|home| home_of(home)) {
                // An image's word: set as HOME, but nothing that the sandbox would have to make.
                (plan.home, plan.makes_home) = (home, false);
            }
        }
    }
    if let Some(group) = group {
        plan.gid = match id(&group) {
            Some(gid) => gid,
            None if group == "root" => 0,
            None => {
                let groups = read_accounts(root, "etc/group")?;
                let fields = find(&groups, &group);
                let number =
                    fields.and_then(|fields| id(std::str::from_utf8(fields.get(2)?).ok()?));
                number.ok_or_else(|| missing("group", &group, "group"))?
            }
        };
    }
    Ok(())
}

/// A number as `--user` takes it; the largest is "leave it" to the kernel.
pub fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&id| id != u32::MAX)
}

fn missing(kind: &str, name: &str, file: &str) -> Error {
    usage(format!("the {kind} {name:?} is not in /etc/{file} of the root: name one, or a number"))
}

fn home_of(field: &[u8]) -> Option<PathBuf> {
    let path = Path::new(OsStr::from_bytes(field));
    let is_plain = path.is_absolute() && path.components().all(|c| c != Component::ParentDir);
    is_plain.then(|| path.to_owned())
}

/// The fields of the first line whose first field is `name`.
fn find<'a>(accounts: &'a [u8], name: &str) -> Option<Vec<&'a [u8]>> {
    let lines = accounts.split(|&b| b == b'\n');
    let mut fields = lines.map(|line| line.split(|&b| b == b':').collect::<Vec<_>>());
    fields.find(|fields| fields[0] == name.as_bytes())
}

/// Reads a file of the root that names users, with whatever rights the caller has: through no link,
/// waiting for nothing, and not beyond the limit.
fn read_accounts(root: &OwnedFd, path: &str) -> Result<Vec<u8>> {
    let refuse = |reason: &str| Error::Layout {
        component: Path::new("/").join(path),
        reason: reason.to_owned(),
    };
    // First as a name alone: to open a device may do something already.
    let open = |flags: OFlags| {
        let resolve = WITHIN | ResolveFlags::NO_SYMLINKS;
        openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
    };
    let found = open(OFlags::PATH).map_err(|_| {
        refuse("cannot be read for names of users (links are not followed): give numbers")
    })?;
    let found = fstat(&found).during("stat", path)?;
    if !FileType::from_raw_mode(found.st_mode).is_file() {
        return Err(refuse("is not a regular file: give numbers for users"));
    }
    let file = open(OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY).during("open", path)?;
    let mut text = Vec::new();
    let mut limited = std::fs::File::from(file).take(ACCOUNTS_LIMIT);
    limited.read_to_end(&mut text).during("read", path)?;
    // A line that is cut is none.
    if text.len() as u64 == ACCOUNTS_LIMIT {
        text.truncate(text.iter().rposition(|&b| b == b'\n').unwrap_or(0));
    }
    Ok(text)
}
