//! The action: the process that gives up what the init had, and becomes the program.

use std::ffi::{CString, OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, open};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, chdir, getrlimit, set_dumpable_behavior, setrlimit, setsid,
    umask,
};
use rustix::system::sethostname;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

use crate::command_line::Plan;
use crate::config::Network;
use crate::error::{During, Error, Result, plain};
use crate::filter;
use crate::sandbox::{DIRECTORY, HOSTNAME, WITHIN, write_file};
use crate::secrets::Secret;
use crate::step;
use crate::sys;
use crate::upper;

/// What root of an image needs to install packages, over the ids of the configured range only.
const KEPT_WITH_ID_RANGE: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID);

/// What the action's process still has of the init's.
pub struct Hold<'a> {
    pub proc: &'a OwnedFd,
    pub socket: &'a OwnedFd,
    /// Says a byte when the sandbox is finished, and ends when it will not be.
    pub gate: &'a OwnedFd,
}

/// The action's part: gives up everything that the init still had. All of it that needs no finished
/// sandbox is done while the init makes one.
pub fn enter(plan: &Plan, hold: &Hold<'_>, input_root: &Path, mask: Mode) -> Result<()> {
    // Others wait for the ends of some, and most are the init's alone.
    sys::close_others(&mut [hold.proc, hold.socket, hold.gate].map(|fd| fd.as_raw_fd()));
    let kept = kept_capabilities(plan);
    if plan.config.sub_uids.is_none() {
        let proc = hold.proc.as_fd();
        write_file(proc, "self/setgroups", "deny")?;
        write_file(proc, "self/uid_map", &format!("{0} {0} 1\n", plan.uid))?;
        write_file(proc, "self/gid_map", &format!("{0} {0} 1\n", plan.gid))?;
    }
    // Where memory runs short, an action goes before the services that it needs.
    write_file(hold.proc.as_fd(), "self/oom_score_adj", "1000")?;
    // Nothing in the sandbox, of whatever id, may look into the init, whose memory this still is.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).during("prctl", "dumpable")?;
    leave_keys()?;
    // Nothing but the action needs these, so they are made while the init is at the mounts: a network
    // takes as long as all of those.
    leave_names(plan.network)?;
    umask(mask);
    // Counted in the sandbox's own namespace: a fork bomb stops itself and nobody else.
    let limit = getrlimit(Resource::Nproc).maximum.unwrap_or(u64::MAX);
    let limit = Some(limit.min(plan.config.max_processes));
    setrlimit(Resource::Nproc, Rlimit { current: limit, maximum: limit })
        .during("setrlimit", "nproc")?;
    // No terminal of the runner's can be typed into from here.
    setsid().during("setsid", "")?;
    for number in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if !kept.contains(capability) {
            match remove_capability_from_bounding_set(capability) {
                // Beyond the last that this kernel knows.
                Err(Errno::INVAL) => break,
                other => other.during("prctl", "bounding set")?,
            }
        }
    }
    set_no_new_privs(true).during("prctl", "no_new_privs")?;
    if !plan.config.all_system_calls {
        filter::install()?;
    }
    if rustix::io::read(hold.gate, &mut [0_u8; 1]) != Ok(1) {
        sys::exit_at_once(125);
    }
    let here = input_root.join(&plan.working_directory);
    chdir(&here).during("chdir", &here)?;
    let inheritable = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable })
        .during("capset", "")?;
    make_directories(plan, input_root)?;
    step::prepare(plan, input_root)?;
    sys::reset_signals();
    sys::close_range(3, i32::MAX);
    Ok(())
}

fn kept_capabilities(plan: &Plan) -> CapabilitySet {
    match plan.config.sub_uids {
        Some(_) if plan.uid == 0 => KEPT_WITH_ID_RANGE,
        _ => CapabilitySet::empty(),
    }
}

/// Has the init do something with no other rights than the action had.
pub fn with_rights_of_action<T>(plan: &Plan, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let own = capabilities(None).during("capget", "")?;
    let effective = kept_capabilities(plan);
    set_capabilities(None, CapabilitySets { effective, ..own }).during("capset", "")?;
    let done = act();
    set_capabilities(None, own).during("capset", "")?;
    done
}

/// Makes the directories that a client expects to be there, as the action would.
fn make_directories(plan: &Plan, input_root: &Path) -> Result<()> {
    if plan.made_directories.is_empty() {
        return Ok(());
    }
    let root = open(input_root, DIRECTORY, Mode::empty()).during("open", input_root)?;
    for path in &plan.made_directories {
        match upper::make_directories(&root, path, Mode::from_raw_mode(0o777), WITHIN) {
            Ok(()) => {}
            Err((prefix, errno)) => {
                let text = format!("the directory {path:?} cannot be made: {prefix:?}");
                return Err(step::refusal(errno, "mkdir", &prefix, text));
            }
        }
    }
    Ok(())
}

/// The action's own host name, message queues and shared memory, and a network of which only the
/// loopback is up, or the machine's.
pub fn leave_names(network: Network) -> Result<()> {
    let names = libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    match network {
        Network::Host => sys::unshare(names).during("unshare", "ipc, uts")?,
        Network::None => {
            sys::unshare(names | libc::CLONE_NEWNET).during("unshare", "ipc, uts, network")?;
            sys::raise_loopback().during("ioctl", "loopback")?;
        }
    }
    sethostname(HOSTNAME.as_bytes()).during("sethostname", HOSTNAME)
}

/// Takes the runner's keys away from the action.
fn leave_keys() -> Result<()> {
    match sys::leave_session_keyring() {
        // A kernel without keys, or a filter that keeps all of us from them.
        Err(error)
            if matches!(
                Errno::from_io_error(&error),
                Some(Errno::NOSYS | Errno::PERM | Errno::ACCESS)
            ) =>
        {
            Ok(())
        }
        other => other.during("keyctl", "session keyring"),
    }
}

/// Starts the program as `execvp` would, in the root and with the action's own environment, which is
/// looked at here for the first time. Returns only where that failed.
pub fn exec(plan: &Plan) -> Error {
    let program = OsStr::from_bytes(plan.argv[0].as_bytes());
    let variable = |(name, value): (OsString, OsString)| {
        CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
    };
    let is_secret = |name: &OsStr| plan.secrets.iter().any(|s| name == s.variable.as_str());
    let own = std::env::vars_os().filter(|(name, _)| !is_secret(name));
    let mut environment: Vec<CString> = own.filter_map(variable).collect();
    environment.extend(plan.secrets.iter().filter_map(Secret::entry));
    if std::env::var_os("HOME").is_none() && !is_secret(OsStr::new("HOME")) {
        let home = [b"HOME=".as_slice(), plan.home.as_os_str().as_bytes()].concat();
        environment.extend(CString::new(home).ok());
    }
    let mut source = io::Error::from_raw_os_error(libc::ENOENT);
    let mut tried = PathBuf::from(program);
    for candidate in candidates(program) {
        let Ok(path) = CString::new(candidate.as_os_str().as_bytes()) else { continue };
        let error = sys::execve(&path, &plan.argv, &environment);
        let missing = matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NOTDIR));
        if missing && !candidate.exists() {
            continue;
        }
        (source, tried) = (error, candidate);
        if Errno::from_io_error(&source) != Some(Errno::ACCESS) {
            break;
        }
    }
    let reason = explain(&tried, &source);
    Error::Exec { program: program.to_owned(), reason, source }
}

fn candidates(program: &OsStr) -> Vec<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return vec![program.into()];
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path).map(|directory| directory.join(program)).collect()
}

/// Why a program that may well exist does not start.
fn explain(path: &Path, error: &io::Error) -> String {
    let mut head = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(4096).read_to_end(&mut head);
    }
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) if !head.is_empty() => {
            let name = interpreter(&head).unwrap_or_default();
            format!("its interpreter {:?} is not in the root", OsStr::from_bytes(&name))
        }
        Some(Errno::NOENT) => "not found in the root".to_owned(),
        Some(Errno::NOEXEC) if head.starts_with(b"\x7fELF") => {
            "it is built for another architecture".to_owned()
        }
        Some(Errno::NOEXEC) => "it is neither a program nor a script with a #! line".to_owned(),
        _ => plain(error),
    }
}

/// The interpreter that a script or a 64-bit program names in its first bytes.
fn interpreter(head: &[u8]) -> Option<Vec<u8>> {
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|&b| b == b'\n').next()?.trim_ascii();
        return line.split(|b| b.is_ascii_whitespace()).next().map(<[u8]>::to_vec);
    }
    let number = |at: usize, size: usize| {
        let bytes = head.get(at..at.checked_add(size)?)?;
        let value = bytes.iter().rev().fold(0_u64, |sum, &b| sum << 8 | u64::from(b));
        usize::try_from(value).ok()
    };
    // Of the ELF header: where the program headers are, how long each is, and how many there are.
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for entry in (0..count).map(|i| table.saturating_add(i * size)) {
        const PT_INTERP: usize = 3;
        if number(entry, 4)? == PT_INTERP {
            let start = number(entry.checked_add(8)?, 8)?;
            let name = head.get(start..start.checked_add(number(entry.checked_add(32)?, 8)?)?)?;
            return Some(name.strip_suffix(b"\0").unwrap_or(name).to_vec());
        }
    }
    None
}
