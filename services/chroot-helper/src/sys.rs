//! The only file with unsafe code: the system calls for which no safe wrapper exists.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, WaitOptions, waitpid};

/// Flags of `clone3` that make a sandbox.
pub const SANDBOX_NAMESPACES: u64 = (libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as u64;
/// A PID namespace: its first process is the one that `clone3` makes.
pub const PID_NAMESPACE: u64 = libc::CLONE_NEWPID as u64;

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

/// Memory for the stack of a process that shares the rest of its parent's.
const STACK: usize = 64 << 10;

/// A process beside this one, which shares its memory: copying it would cost more than all the rest
/// of a fork. When this is dropped the process is killed, since it uses what its parent then gives up.
pub struct Beside<'a> {
    pub pid: Pid,
    _stack: Vec<u128>,
    _child: PhantomData<&'a mut ()>,
}

impl<'a> Beside<'a> {
    /// Starts `child`, in a user namespace of its own where `own` asks for it. Both go on at the same
    /// time, so the child may do nothing but ask the kernel until it is told to go on.
    pub fn start<F: FnMut() -> i32>(own: bool, child: &'a mut F) -> io::Result<Beside<'a>> {
        extern "C" fn call<F: FnMut() -> i32>(child: *mut libc::c_void) -> libc::c_int {
            // SAFETY: it is the pointer given below, and its owner keeps it until this process is gone.
            unsafe { (*child.cast::<F>())() }
        }
        let flags = libc::SIGCHLD | if own { libc::CLONE_NEWUSER } else { 0 };
        let (pid, stack) = share_memory(call::<F>, flags, (child as *mut F).cast())?;
        Ok(Beside { pid, _stack: stack, _child: PhantomData })
    }

    /// Lets go of a process that has been waited for.
    pub fn ended(self) {
        std::mem::forget(self);
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        let _ = kill(self.pid.as_raw_pid(), libc::SIGKILL);
        let _ = waitpid(Some(self.pid), WaitOptions::empty());
    }
}

/// A process that holds a user namespace, whose maps are still to be written, until it is dropped.
pub struct Holder {
    pub pid: Pid,
    gate: Option<OwnedFd>,
    _gates: Box<[RawFd; 2]>,
    _stack: Vec<u128>,
}

impl Holder {
    pub fn of_user_namespace() -> io::Result<Holder> {
        let (its_gate, gate) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let mut gates = Box::new([its_gate.as_raw_fd(), gate.as_raw_fd()]);
        let argument = (&raw mut *gates).cast();
        // No signal at its end: it is waited for by name.
        let (pid, stack) = share_memory(hold, libc::CLONE_NEWUSER, argument)?;
        Ok(Holder { pid, gate: Some(gate), _gates: gates, _stack: stack })
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.gate = None;
        let options = WaitOptions::from_bits_retain(libc::__WALL as u32);
        let _ = waitpid(Some(self.pid), options);
    }
}

extern "C" fn hold(gates: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the parent keeps them in place and unchanged until this process is gone; the descriptors
    // are copies of this process's own, and the byte is on its own stack.
    unsafe {
        let [gate, others] = *gates.cast::<[RawFd; 2]>();
        libc::syscall(libc::SYS_close, others);
        let mut byte = 0_u8;
        libc::syscall(libc::SYS_read, gate, &raw mut byte, 1);
    }
    0
}

/// Forks without copying memory. The stack and the argument must stay until the child is gone.
fn share_memory(
    child: extern "C" fn(*mut libc::c_void) -> libc::c_int,
    flags: libc::c_int,
    argument: *mut libc::c_void,
) -> io::Result<(Pid, Vec<u128>)> {
    let mut stack = Vec::<u128>::with_capacity(STACK / 16);
    // SAFETY: the end of the stack is aligned, and the callers keep it and the argument.
    let pid = unsafe {
        let end = stack.as_mut_ptr().add(STACK / 16).cast();
        libc::clone(child, end, libc::CLONE_VM | flags, argument)
    };
    check(pid.into())?;
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
    Ok((pid, stack))
}

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
pub fn restrict_mount(mount: BorrowedFd<'_>, set: u64) -> io::Result<()> {
    let attr = MountAttr { set, ..MountAttr::default() };
    set_attributes(mount, &attr, true)
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

/// Closes all descriptors above 2 but these.
pub fn close_others(kept: &mut [RawFd]) {
    kept.sort_unstable();
    let mut first = 3;
    for &mut fd in kept {
        if first < fd {
            close_range(first, fd - 1);
        }
        first = first.max(fd + 1);
    }
    close_range(first, i32::MAX);
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
    // SAFETY: SIG_DFL installs no handler; the two left out always are at their default.
    unsafe {
        for signal in (1..=31).filter(|n| ![libc::SIGKILL, libc::SIGSTOP].contains(n)) {
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

/// Memory that is never given back: this process is short, and a C library's allocator asks the kernel
/// a dozen times where one static area does.
struct Arena {
    area: UnsafeCell<MaybeUninit<[u8; ARENA]>>,
    used: AtomicUsize,
}

/// Enough for everything but an unusual command line; what exceeds it goes to the C library.
const ARENA: usize = 1 << 20;

#[global_allocator]
static ALLOCATOR: Arena =
    Arena { area: UnsafeCell::new(MaybeUninit::uninit()), used: AtomicUsize::new(0) };

// SAFETY: `used` is atomic, and every part of the area is handed out once.
unsafe impl Sync for Arena {}

// SAFETY: blocks are aligned, do not overlap, and live for ever, or are the system allocator's.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let area = self.area.get().cast::<u8>();
        let wanted = layout.size() + layout.align();
        let used = self.used.fetch_add(wanted, Ordering::Relaxed);
        if used.saturating_add(wanted) > ARENA {
            self.used.fetch_sub(wanted, Ordering::Relaxed);
            // SAFETY: the caller's promises are the system allocator's.
            return unsafe { System.alloc(layout) };
        }
        // SAFETY: the block and its padding lie within the area.
        unsafe {
            let start = area.add(used);
            start.add(start.align_offset(layout.align()))
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let area = self.area.get() as usize;
        if !(area..area + ARENA).contains(&(block as usize)) {
            // SAFETY: it is not of the area, so the system allocator gave it.
            unsafe { System.dealloc(block, layout) }
        }
    }
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}
