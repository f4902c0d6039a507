//! The hold on an image root: a shared lock that the kernel drops when its last holder is gone.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, flock, openat, statat};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};

use crate::error::{During, Error, Result};

/// A line of the fetcher's protocol is at most this long.
const LINE_LIMIT: usize = 4096;
/// An eviction holds its exclusive lock for a rename; longer means that the root is going away.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// An image root that stays as it is while any of the descriptors is open in any process.
pub struct Lease {
    /// `rootfs`, reached through the very directory whose lock is held.
    pub root: OwnedFd,
    _holds: Vec<OwnedFd>,
    /// Present in a root that was found without asking the fetcher.
    pub found: bool,
}

/// Takes a lease on `<store>/roots/<hex>`, asking the fetcher where the root is not there.
pub fn take(
    store: &Path,
    hex: &str,
    reference: &str,
    socket: Option<&Path>,
    timeout: Duration,
) -> Result<Lease> {
    let name = store.join("roots").join(hex);
    if let Some(lease) = try_take(&name)? {
        return Ok(lease);
    }
    let Some(socket) = socket else {
        return Err(unavailable(format!(
            "the image root of {reference} is not in the store and no root fetcher is configured \
             (hint: set socket, or pull the image first)"
        )));
    };
    let (connection, path) = acquire(socket, reference, timeout)?;
    // The connection is a lease as well, so what the fetcher named cannot go away meanwhile.
    let path = Path::new(&path);
    let parent = path.parent().unwrap_or(path);
    if let Some(mut lease) = try_take(parent)? {
        lease.found = false;
        return Ok(lease);
    }
    // A fetcher of the same protocol whose store is laid out otherwise: the connection is the lease.
    let root = openat(CWD, path, DIRECTORY, Mode::empty()).during("open", path)?;
    Ok(Lease { root, _holds: vec![connection], found: false })
}

const DIRECTORY: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn try_take(directory: &Path) -> Result<Option<Lease>> {
    // Opened once: by path a root may have been evicted and pulled again between two steps.
    let root = match openat(CWD, directory, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.during("open", directory)?,
    };
    // The store belongs to the sandbox's uid: nothing in its place may lead elsewhere or make us wait.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let lock = match openat(&root, "lock", flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.during("open", directory.join("lock"))?,
    };
    let deadline = Instant::now() + LOCK_PATIENCE;
    while let Err(error) = flock(&lock, FlockOperation::NonBlockingLockShared) {
        if error != Errno::WOULDBLOCK && error != Errno::INTR {
            return Err(error).during("flock", directory.join("lock"));
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    match statat(&root, "image.json", AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.during("stat", directory.join("image.json"))?,
    };
    let rootfs = openat(&root, "rootfs", DIRECTORY, Mode::empty())
        .during("open", directory.join("rootfs"))?;
    Ok(Some(Lease { root: rootfs, _holds: vec![lock], found: true }))
}

/// Tells the fetcher that a root is used, without waiting for anything. It is a hint: a fetcher that
/// is down or busy costs the action nothing. The connection is returned so that the greeting has
/// somewhere to go.
pub fn tell_used(socket: &Path, hex: &str) -> Option<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let connection = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    connect(&connection, &SocketAddrUnix::new(socket).ok()?).ok()?;
    let line = format!("USED {hex}\n");
    send(&connection, line.as_bytes(), SendFlags::NOSIGNAL).ok()?;
    Some(connection)
}

fn acquire(socket: &Path, reference: &str, timeout: Duration) -> Result<(OwnedFd, String)> {
    let deadline = Instant::now() + timeout;
    let down = |error: Errno| {
        unavailable(format!(
            "cannot ask the root fetcher at {socket:?} for {reference}: {} \
             (hint: is the root fetcher running, and may this user use its socket?)",
            crate::error::plain(&error.into())
        ))
    };
    let address = SocketAddrUnix::new(socket).map_err(down)?;
    let connection =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .during("socket", socket)?;
    // A full backlog makes connect() wait as well, for as long as a send may.
    set_socket_timeout(&connection, Timeout::Send, Some(timeout)).map_err(down)?;
    connect(&connection, &address).map_err(down)?;
    let mut reader = LineReader::default();
    let greeting = reader.line(connection.as_fd(), deadline).map_err(down)?;
    if greeting != "HI" {
        return Err(internal(format!("the root fetcher greeted with {greeting:?}, not HI")));
    }
    let request = format!("ACQUIRE {reference}\n");
    send(&connection, request.as_bytes(), SendFlags::NOSIGNAL).map_err(down)?;
    let answer = reader.line(connection.as_fd(), deadline).map_err(|error| match error {
        Errno::WOULDBLOCK | Errno::TIMEDOUT => unavailable(format!(
            "the root fetcher did not provide {reference} within {} s \
                 (hint: raise acquire_timeout_seconds, or look at the fetcher's log)",
            timeout.as_secs()
        )),
        other => down(other),
    })?;
    match answer.split_once(' ') {
        Some(("OK", path)) if path.starts_with('/') => Ok((connection, path.to_owned())),
        Some(("ERROR", text)) => Err(refused(reference, text)),
        _ => Err(internal(format!("the root fetcher answered {answer:?} to ACQUIRE"))),
    }
}

/// `<CODE_NAME>: <text>`, or a bare text from a fetcher that knows no codes.
fn refused(reference: &str, text: &str) -> Error {
    let is_code =
        |code: &str| !code.is_empty() && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    let (code, text) = match text.split_once(": ") {
        Some((code, text)) if is_code(code) => (code, text),
        _ => ("UNAVAILABLE", text),
    };
    let printable = |c: char| if c.is_control() { '?' } else { c };
    let text: String = text.chars().map(printable).collect();
    Error::Root {
        code: code.to_owned(),
        reason: format!("the root fetcher cannot provide {reference}: {text}"),
    }
}

fn unavailable(reason: String) -> Error {
    Error::Root { code: "UNAVAILABLE".to_owned(), reason }
}

fn internal(reason: String) -> Error {
    Error::Root { code: "INTERNAL".to_owned(), reason }
}

/// Reads bounded lines; the peer may send them in any pieces.
#[derive(Default)]
struct LineReader {
    buffer: Vec<u8>,
}

impl LineReader {
    fn line(
        &mut self,
        connection: impl AsFd,
        deadline: Instant,
    ) -> std::result::Result<String, Errno> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&b| b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.buffer.len() > LINE_LIMIT {
                return Err(Errno::MSGSIZE);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Errno::TIMEDOUT);
            }
            set_socket_timeout(&connection, Timeout::Recv, Some(left))?;
            let mut piece = [0_u8; 1024];
            let (length, _) = recv(&connection, &mut piece, RecvFlags::empty())?;
            if length == 0 {
                return Err(Errno::CONNRESET);
            }
            self.buffer.extend_from_slice(&piece[..length]);
        }
    }
}
