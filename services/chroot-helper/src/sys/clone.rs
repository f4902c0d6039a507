//! Processes that are made in other ways than by fork(2).

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::process::{Pid, WaitOptions, waitpid};

use super::{check, kill};

/// Flags of `clone3` that make a sandbox.
pub const SANDBOX_NAMESPACES: u64 = (libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as u64;
/// A PID namespace: its first process is the one that `clone3` makes.
pub const PID_NAMESPACE: u64 = libc::CLONE_NEWPID as u64;

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
