//! Signals of this process: blocked, read, and as they were.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::FromRawFd;

use super::check;

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
