//! The only file with unsafe code: the system calls for which no safe wrapper exists.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::Pid;

/// Flags of `clone3` that make a sandbox.
pub const SANDBOX_NAMESPACES: u64 =
    (libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS) as u64;
/// A PID namespace: its first process is the one that `clone3` makes.
pub const PID_NAMESPACE: u64 = libc::CLONE_NEWPID as u64;
/// A user namespace alone.
pub const USER_NAMESPACE: u64 = libc::CLONE_NEWUSER as u64;

/// A network namespace of its own.
pub const UNSHARE_NETWORK: i32 = libc::CLONE_NEWNET;
/// The second pair, in which everything mounted before is locked.
pub const UNSHARE_USER_AND_MOUNTS: i32 = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;

pub const MOUNT_READ_ONLY: u64 = 0x1;
pub const MOUNT_NOSUID: u64 = 0x2;
pub const MOUNT_NODEV: u64 = 0x4;
pub const MOUNT_NOEXEC: u64 = 0x8;
const MOUNT_IDMAP: u64 = 0x0010_0000;

/// `struct clone_args` of the kernel, first version with a cgroup.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// Forks into new namespaces. `None` is the child, which shares nothing but descriptors.
pub fn clone(flags: u64) -> io::Result<Option<Pid>> {
    let arguments = CloneArgs { flags, exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() };
    // SAFETY: no stack and no shared memory are asked for, so this is fork(), and the process has one thread.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &arguments, size_of::<CloneArgs>()) };
    check(pid).map(|pid| Pid::from_raw(pid as i32))
}

/// Leaves namespaces for new ones.
pub fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: takes no pointers; descriptors and the address space stay as they are.
    check(unsafe { libc::unshare(flags) }.into()).map(drop)
}

/// `struct mount_attr` of the kernel.
#[repr(C)]
#[derive(Default)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

fn set_attributes(mount: BorrowedFd<'_>, attr: &MountAttr, recursive: bool) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a NUL-terminated literal and the structure is as long as it is said to be.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            attr,
            size_of::<MountAttr>(),
        )
    };
    check(done).map(drop)
}

/// Adds attributes to a mount, and to those below it.
pub fn restrict_mount(mount: BorrowedFd<'_>, set: u64, recursive: bool) -> io::Result<()> {
    let attr = MountAttr { set, ..MountAttr::default() };
    set_attributes(mount, &attr, recursive)
}

/// Shows a detached mount's owners through the map of a user namespace.
pub fn map_mount(mount: BorrowedFd<'_>, userns: BorrowedFd<'_>, set: u64) -> io::Result<()> {
    let attr = MountAttr {
        set: set | MOUNT_IDMAP,
        userns: userns.as_raw_fd() as u64,
        ..MountAttr::default()
    };
    set_attributes(mount, &attr, false)
}

/// Marks every descriptor from `first` to `last` to be closed now.
pub fn close_range(first: RawFd, last: RawFd) {
    // SAFETY: called before this process opened any, or right before exec, so nobody's descriptor is taken away.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
}

/// A descriptor that the caller passed by number.
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD takes no pointer.
    check(unsafe { libc::fcntl(fd, libc::F_GETFD) }.into())?;
    // SAFETY: it is open, and nothing else in this process owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Signals as data instead of interruptions.
pub struct Signals(File);

/// A signal that came: its number, and the sender as this PID namespace knows it (0: from outside).
pub struct Received {
    pub signal: i32,
    pub sender: u32,
}

impl Signals {
    /// Blocks all signals and makes them readable.
    pub fn block() -> io::Result<Signals> {
        let mut set = empty_set();
        // SAFETY: the set is initialised and outlives each call; a null old set is allowed.
        let fd = unsafe {
            libc::sigfillset(&mut set);
            libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut());
            libc::signalfd(-1, &set, libc::SFD_CLOEXEC)
        };
        check(fd.into())?;
        // SAFETY: the kernel just made it for us.
        Ok(Signals(unsafe { File::from_raw_fd(fd) }))
    }

    /// Waits for the next signal of this process.
    pub fn next(&mut self) -> io::Result<Received> {
        let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
        self.0.read_exact(&mut info)?;
        let word = |at: usize| u32::from_ne_bytes(info[at..at + 4].try_into().unwrap_or_default());
        // ssi_signo is the first word, ssi_pid the fourth.
        Ok(Received { signal: word(0) as i32, sender: word(12) })
    }

    pub fn descriptor(&self) -> &File {
        &self.0
    }
}

/// Gives the program what a fresh process has: every signal unblocked and at its default.
pub fn reset_signals() {
    // SAFETY: SIG_DFL installs no handler; SIGKILL and SIGSTOP fail, which is right.
    unsafe {
        for signal in 1..=31 {
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::sigprocmask(libc::SIG_SETMASK, &empty_set(), std::ptr::null_mut());
    }
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: a signal set is plain bits, and none set is the empty set.
    unsafe { std::mem::zeroed() }
}

/// Sends a signal to a process, or with a negative number to a group (-1: everything one may).
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// Asks for a signal when the parent dies. A later change of credentials would undo it.
pub fn die_with_parent(signal: i32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) }.into()).map(drop)
}

/// Brings the loopback of this network namespace up; its addresses come with it.
pub fn loopback_up() -> io::Result<()> {
    // SAFETY: takes no pointers.
    let socket = check(
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }.into(),
    )?;
    // SAFETY: the kernel just made it for us.
    let socket = unsafe { OwnedFd::from_raw_fd(socket as RawFd) };
    // SAFETY: an interface request is plain bits.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request is initialised and outlives the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &request) };
    check(done.into()).map(drop)
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
