//! The only module with unsafe code: the system calls for which no safe wrapper exists.

mod arena;
mod clone;
mod descriptors;
mod mount_attributes;
mod signals;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

pub use clone::{Beside, Holder, PID_NAMESPACE, SANDBOX_NAMESPACES, clone};
pub use descriptors::{close_others, close_range, inherited};
pub use mount_attributes::{
    MOUNT_NODEV, MOUNT_NOEXEC, MOUNT_NOSUID, MOUNT_READ_ONLY, map_mount, restrict_mount,
};
pub use signals::{Signals, reset_signals};

/// Leaves namespaces that this process's parent keeps.
pub fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: takes no pointers; the flags are of namespaces, not of memory or descriptors.
    check(unsafe { libc::unshare(flags) }.into()).map(drop)
}

/// Brings the loopback of this network namespace up; its addresses come with it.
pub fn raise_loopback() -> io::Result<()> {
    // SAFETY: an interface request is plain bits; it is initialised and outlives the call, and the
    // socket is owned by nobody else.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        check(socket.into())?;
        let socket = OwnedFd::from_raw_fd(socket);
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        let fd = socket.as_raw_fd();
        check(libc::ioctl(fd, libc::SIOCSIFFLAGS as _, &raw const request).into()).map(drop)
    }
}

/// Ends this process without touching what it shares with its parent.
pub fn exit_at_once(status: u8) -> ! {
    // SAFETY: takes no pointers and does not return.
    unsafe { libc::_exit(status.into()) }
}

/// Sends a signal to a process, or with a negative number to a group (-1: everything one may).
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// What all children that were waited for used, with their own (getrusage(2)): user and system time
/// in microseconds, and the most memory that one of them had, in KiB.
pub fn used_by_children() -> [i64; 3] {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills the structure, of which zeroes are a valid value, or leaves it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    [micros(usage.ru_utime), micros(usage.ru_stime), usage.ru_maxrss]
}

/// Leaves the keys of whoever started this process behind: a new session keyring, which the kernel
/// hands on like a descriptor but none of the namespaces replaces.
pub fn leave_session_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    let anonymous = std::ptr::null::<libc::c_char>();
    // SAFETY: a null name is allowed and asks for a keyring without one.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, anonymous) })
        .map(drop)
}

/// Has the kernel ask `program` about every system call from now on. A kernel that cannot asks nobody.
pub fn filter_system_calls(program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: program.len() as libc::c_ushort,
        filter: program.as_ptr().cast_mut(),
    };
    // Else kernels before 5.16 slow every process with a filter down.
    let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    // SAFETY: the program is as long as it is said to be, and is copied before the call returns.
    let done = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    };
    match check(done).map(drop) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) => Ok(()),
        other => other,
    }
}

/// Asks for a signal when the parent dies. A later change of credentials would undo it.
pub fn die_with_parent(signal: i32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) }.into()).map(drop)
}

/// Replaces this process. Returns only where that failed.
pub fn execve(path: &CStr, argv: &[CString], environment: &[CString]) -> io::Error {
    let argv = pointers(argv);
    let environment = pointers(environment);
    // SAFETY: both arrays end in a null pointer and their strings live until the call returns.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    let ends = [std::ptr::null()];
    strings.iter().map(|s| s.as_ptr()).chain(ends).collect()
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}
