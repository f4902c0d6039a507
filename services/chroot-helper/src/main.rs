//! `berth-exec` runs one action in one root. README.md has the whole story.
#![deny(unsafe_code)]

mod action;
mod check;
mod collect;
mod command_line;
mod config;
mod error;
mod filter;
mod lease;
mod mask;
mod mount;
mod output;
mod passwd;
mod place;
mod process;
mod remove;
mod resolve;
mod sandbox;
mod secrets;
mod skeleton;
mod step;
#[allow(unsafe_code)]
mod sys;
mod upper;

use std::io::Write;
use std::process::ExitCode;

use rustix::fs::{FlockOperation, Mode, OFlags, ResolveFlags, flock, syncfs};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;

use command_line::{Command, Plan};
use error::{During, Error, Result};
use resolve::openat2;

const HELP: &str = "\
berth-exec [--config=FILE] (--image=REFERENCE [--inline=NAME] | --sandbox) [OPTION…] -- PROGRAM [ARGUMENT…]
  --config=FILE             the operator's file, absolute (default /etc/berth/exec.toml)
  --image=REFERENCE         registry/repository@sha256:<hex> or cas://<hex>/<size>: run in this image's root
  --inline=NAME             the image is in the input root, and the action's own input root is its NAME
  --sandbox                 run in the machine's own root, read-only and with the store hidden
  --working-directory=PATH  what to strip from the current directory to get the input root
  --network=host|none       the machine's network, or a loopback only
  --user=build|root|USER[:GROUP]
                            numbers, or names of the root's /etc/passwd and /etc/group
  --make-directory=PATH     made before the program starts, relative to the current directory; may be repeated
  --stdin=INPUT             a file of the input root is the standard input
  --place=INPUT:PATH        an input is seen, read-only, at this path of the root too; may be repeated
  --collect=PATH:OUTPUT     copied to the output path at the end, whatever the status; before the start an
                            empty file is there whatever the image has, or with a / at the end a directory;
                            may be repeated
  --workdir=PATH            the current directory, made where it is missing
  --secret=VARIABLE:NAME    a variable with a secret of the operator's folder, which is masked in what the
                            action prints; may be repeated
                            INPUT and OUTPUT are relative to the input root
  --infrastructure-failure-file=PATH
                            touched, relative to the current directory, when the machine is at fault
berth-exec --check [--config=FILE] [--json]     what this machine permits, and what to change
berth-exec lock (--shared|--exclusive) [--nonblocking] FD    flock; 1: would block
berth-exec peercred FD      prints pid, uid and gid of a unix socket's peer
berth-exec syncfs FD        writes the file system of FD out
Exit status: the program's own; 128+n: killed by signal n; 125: berth-exec failed;
126: the program cannot be executed; 127: the program was not found.
";

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).collect();
    let outcome = command_line::parse(arguments).and_then(perform);
    ExitCode::from(outcome.unwrap_or_else(|error| {
        complain(&error);
        error.status()
    }))
}

fn perform(command: Command) -> Result<u8> {
    match command {
        Command::Run(plan) => run(*plan),
        Command::Check { config, json } => {
            let (text, passes) = check::report(*config, json);
            print(&text).map(|_| u8::from(!passes))
        }
        Command::Lock { exclusive, nonblocking, fd } => lock(exclusive, nonblocking, fd),
        Command::PeerCred { fd } => {
            let socket = sys::inherited(fd).during("fcntl", fd.to_string())?;
            let peer = socket_peercred(&socket).during("getsockopt", fd.to_string())?;
            let (pid, uid, gid) = (peer.pid.as_raw_pid(), peer.uid.as_raw(), peer.gid.as_raw());
            print(&format!("{pid} {uid} {gid}\n"))
        }
        Command::SyncFs { fd } => {
            let file = sys::inherited(fd).during("fcntl", fd.to_string())?;
            syncfs(&file).during("syncfs", fd.to_string()).map(|()| 0)
        }
        Command::Version => print(concat!("berth-exec ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Help => print(HELP),
    }
}

/// Runs the action, and leaves the side signals of a fault where the operator asked for them.
fn run(mut plan: Plan) -> Result<u8> {
    // What a runner leaks must reach neither the action nor a file that this process opens.
    let fault_fd = plan.config.fault_fd.filter(|&fd| fd > 2);
    match fault_fd {
        Some(fd) => {
            sys::close_range(3, fd - 1);
            sys::close_range(fd + 1, i32::MAX);
        }
        None => sys::close_range(3, i32::MAX),
    }
    let fault = fault_fd.and_then(|fd| sys::inherited(fd).ok());
    if let Some(fault) = &fault {
        let flags = rustix::io::FdFlags::CLOEXEC;
        rustix::io::fcntl_setfd(fault, flags).during("fcntl", "fault_fd")?;
    }
    let here = rustix::fs::open(".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let outcome = sandbox::run(&mut plan);
    if let (Ok(_), Some(fault)) = (&outcome, &fault) {
        let [user, system, memory] = sys::used_by_children();
        // For people's eyes: that it cannot be told is no reason to fail.
        let _ = rustix::io::write(fault, format!("USAGE {user} {system} {memory}\n").as_bytes());
    }
    if let Err(error) = &outcome
        && error.status() == 125
    {
        if let Some(fault) = fault {
            let line = format!("{} {error}\n", error.code());
            // The engine may be gone; the line on stderr remains.
            let _ = rustix::io::write(&fault, line.as_bytes());
        }
        if let (Some(path), Ok(here), true) =
            (&plan.infrastructure_failure_file, here, error.is_fault_of_machine())
        {
            process::Identity::of(&plan.config).assume_outside();
            // Beneath the exec root and through no link: the path is the client's.
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let _ = openat2(&here, path, flags, Mode::from_raw_mode(0o644), resolve);
        }
    }
    outcome
}

fn lock(exclusive: bool, nonblocking: bool, fd: i32) -> Result<u8> {
    let file = sys::inherited(fd).during("fcntl", fd.to_string())?;
    let operation = match (exclusive, nonblocking) {
        (false, false) => FlockOperation::LockShared,
        (false, true) => FlockOperation::NonBlockingLockShared,
        (true, false) => FlockOperation::LockExclusive,
        (true, true) => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(&file, operation) {
        Err(Errno::WOULDBLOCK) => Ok(1),
        other => other.during("flock", fd.to_string()).map(|()| 0),
    }
}

fn print(text: &str) -> Result<u8> {
    let written = std::io::stdout().write_all(text.as_bytes());
    written.during("write", "stdout").map(|()| 0)
}

fn complain(error: &Error) {
    let line = format!("berth-exec: {error}\n").replace('\n', " ");
    let _ = std::io::stderr().write_all(format!("{}\n", line.trim_end()).as_bytes());
}
