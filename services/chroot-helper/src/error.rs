//! What can go wrong before the action runs, and what to tell whom about it.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

/// A failure of the helper, or of starting the program.
///
/// Displayed it is one line: what failed, the cause, and a hint where one is known.
#[derive(Debug)]
pub enum Error {
    /// The kernel refused a step of the sequence.
    Syscall { call: &'static str, target: OsString, source: io::Error },
    /// The command line is wrong: the router and this helper disagree.
    Usage(String),
    /// The operator's file is wrong.
    Config { path: PathBuf, reason: String },
    /// The image root cannot be had; the code is the root fetcher's, or ours where it does not answer.
    Root { code: String, reason: String },
    /// The image or the input root has something where a directory of ours belongs.
    Layout { component: PathBuf, reason: String },
    /// The program itself cannot be started: status 126 or 127, and not our fault.
    Exec { program: OsString, reason: String, source: io::Error },
    /// A fault of a process within the sandbox, as it was sent out.
    Inside { code: String, text: String },
}

/// The helper's results.
pub type Result<T> = std::result::Result<T, Error>;

/// Names the call and its object where a system call fails.
pub trait During<T> {
    /// Keeps the `io::Error`; adds the call and what it was for.
    fn during(self, call: &'static str, target: impl Into<OsString>) -> Result<T>;
}

impl<T, E: Into<io::Error>> During<T> for std::result::Result<T, E> {
    fn during(self, call: &'static str, target: impl Into<OsString>) -> Result<T> {
        self.map_err(|error| Error::Syscall { call, target: target.into(), source: error.into() })
    }
}

impl Error {
    /// The exit status, as `env` and `chroot` of coreutils choose it.
    pub fn status(&self) -> u8 {
        match self {
            Error::Exec { source, .. } if source.kind() == io::ErrorKind::NotFound => 127,
            Error::Exec { .. } => 126,
            _ => 125,
        }
    }

    /// The gRPC code name for the fault descriptor: chosen by who must act.
    pub fn code(&self) -> &str {
        match self {
            Error::Usage(_) => "INVALID_ARGUMENT",
            Error::Config { .. } | Error::Layout { .. } | Error::Exec { .. } => {
                "FAILED_PRECONDITION"
            }
            Error::Root { code, .. } | Error::Inside { code, .. } => code,
            Error::Syscall { source, .. } => match Errno::from_io_error(source) {
                // A machine that forbids a step forbids it to the retry as well.
                Some(Errno::PERM | Errno::ACCESS | Errno::NOSYS) => "FAILED_PRECONDITION",
                Some(Errno::NOSPC | Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::DQUOT) => {
                    "RESOURCE_EXHAUSTED"
                }
                _ => "UNAVAILABLE",
            },
        }
    }

    /// Whether the machine is at fault, and not the action, its image or its command line.
    pub fn is_fault_of_machine(&self) -> bool {
        match self {
            Error::Syscall { .. } | Error::Config { .. } => true,
            Error::Root { code, .. } | Error::Inside { code, .. } => {
                matches!(&**code, "UNAVAILABLE" | "RESOURCE_EXHAUSTED" | "INTERNAL" | "DATA_LOSS")
            }
            _ => false,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        let Error::Syscall { call, source, .. } = self else {
            return None;
        };
        let errno = Errno::from_io_error(source)?;
        Some(match (*call, errno) {
            // What the default profiles of Docker and podman answer, each in its way.
            ("clone3", Errno::NOSYS) | ("sethostname", Errno::PERM) => {
                "the container's seccomp profile forbids what a sandbox is made of: run the runner \
                 with seccomp unconfined"
            }
            ("clone3", Errno::PERM | Errno::ACCESS) => {
                "user namespaces are not permitted here; berth-exec --check names the cause"
            }
            ("clone3" | "unshare", Errno::NOSPC | Errno::USERS) => {
                "too many namespaces: raise user.max_user_namespaces and its siblings, or nest less"
            }
            ("clone3", Errno::AGAIN) => "too many processes: raise the runner's pids limit",
            ("write", Errno::PERM) => {
                "mapping the sandbox's ids takes CAP_SETUID and CAP_SETGID of a runner that is root, \
                 and CAP_SETFCAP where sandbox_uid is 0"
            }
            ("mount", Errno::PERM | Errno::ACCESS) => {
                "this machine forbids a mount within a user namespace; berth-exec --check names the cause"
            }
            ("mount_setattr", Errno::INVAL | Errno::PERM | Errno::OPNOTSUPP) => {
                "the build directory's file system cannot be bound with mapped ids: run the runner as an \
                 ordinary user, or set sandbox_uid and sandbox_gid to the runner's own"
            }
            (_, Errno::NOSYS) => "the kernel is older than 5.12",
            (_, Errno::NOSPC) => "no space left: upper_size, or the disk of upper, is too small",
            _ => return None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Syscall { call, target, source } => {
                write!(f, "{call}({target:?}) failed: {}", plain(source))?
            }
            Error::Usage(reason) => write!(f, "{reason} (see berth-exec --help)")?,
            Error::Config { path, reason } => write!(f, "{}: {reason}", path.display())?,
            Error::Root { reason, .. } => write!(f, "{reason}")?,
            Error::Layout { component, reason } => {
                write!(f, "{component:?} of the image root {reason}")?;
            }
            Error::Exec { program, reason, .. } => write!(f, "cannot run {program:?}: {reason}")?,
            Error::Inside { text, .. } => write!(f, "{text}")?,
        }
        self.hint().map_or(Ok(()), |hint| write!(f, " (hint: {hint})"))
    }
}

/// The system's text without Rust's "(os error n)".
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
