//! The helper outside and the init that is process 1 of the sandbox: what each does besides mounts,
//! and how they end.

use std::fmt::Write;
use std::io::{IoSlice, IoSliceMut};
use std::iter;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags, fstatfs, open};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, recv, recvmsg, send, sendmsg, shutdown,
};
use rustix::process::{
    DumpableBehavior, Gid, Pid, Uid, WaitOptions, WaitStatus, getegid, geteuid,
    set_dumpable_behavior, wait, waitpid,
};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::command_line::Plan;
use crate::config::{Config, IdRange, Proc};
use crate::error::{During, Error, Result};
use crate::mount::NO_SETUID;
use crate::output::Output;
use crate::sandbox::{InputRoot, write_file};
use crate::sys::{self, Holder, Signals};

/// What the kernel sends the init when the helper is gone; the helper never forwards it.
const HELPER_IS_GONE: i32 = libc::SIGPWR;
/// Forwarded to the action's process group, as a terminal or a supervisor would send them.
const FORWARDED: [i32; 6] =
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];
/// `FUSE_SUPER_MAGIC` of statfs(2).
const FUSE: rustix::fs::FsWord = 0x6573_5546;
/// Longest fault that is sent out of the sandbox.
const FAULT_LIMIT: usize = 4096;

/// Whose ids the sandbox's user is outside.
#[derive(Clone, Copy)]
pub struct Identity {
    uid: u32,
    gid: u32,
    /// Started as root: it maps another uid, and shows the build directory with mapped owners.
    privileged: bool,
}

impl Identity {
    pub fn of(config: &Config) -> Identity {
        match (geteuid().as_raw(), getegid().as_raw()) {
            (0, _) => {
                Identity { uid: config.sandbox_uid, gid: config.sandbox_gid, privileged: true }
            }
            (uid, gid) => Identity { uid, gid, privileged: false },
        }
    }

    /// The sandbox's user outside, where that is another than the helper's.
    pub fn owner(self) -> Option<(Uid, Gid)> {
        self.is_mapped().then(|| (Uid::from_raw(self.uid), Gid::from_raw(self.gid)))
    }

    /// Whether the sandbox's user differs from the one that outputs must belong to.
    pub fn is_mapped(self) -> bool {
        self.privileged && self.uid != 0
    }

    /// Gives up root for good, before something that a client chose is touched.
    pub fn assume_outside(self) {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let assume = || {
            set_thread_groups(&[])?;
            set_thread_res_gid(gid, gid, gid)?;
            set_thread_res_uid(uid, uid, uid)
        };
        if self.privileged && assume().is_err() {
            sys::exit_at_once(125);
        }
    }
}

/// The helper's part: what only it may do for the sandbox, then waiting for the sandbox's end.
/// `used` tells the fetcher that the root is used, and returns the connection. `output` is what the
/// action prints, where that goes through the helper.
pub fn supervise(
    plan: &Plan,
    identity: Identity,
    input_root: &InputRoot,
    mut signals: Signals,
    (socket, init): (OwnedFd, Pid),
    mut output: Option<Output>,
    used: impl FnOnce() -> Option<OwnedFd>,
) -> Result<u8> {
    let prepared = prepare(plan, identity, input_root, &socket, init);
    if prepared.is_err() {
        // The init ends by itself at the end of the socket.
        let _ = shutdown(&socket, Shutdown::Write);
        let _ = waitpid(Some(init), WaitOptions::empty());
        // What it has to say is why we could not go on, where it failed first.
        return fault(&socket).map_or(prepared.map(|()| 125), Err);
    }
    let mut used = used();
    let status = loop {
        let others = used.is_some() || output.is_some();
        if others && !is_signalled(&signals, &mut used, &mut output) {
            continue;
        }
        let received = signals.next().during("read", "signals")?;
        if FORWARDED.contains(&received.signal) {
            let _ = sys::kill(init.as_raw_pid(), received.signal);
        }
        if let Ok(Some((_, status))) = waitpid(Some(init), WaitOptions::NOHANG) {
            break status;
        }
    };
    if plan.config.proc == Proc::Container {
        // An action that killed its init has made its processes ours.
        bury_children();
    }
    let printed = output.map_or(Ok(()), Output::finish);
    fault(&socket).map_or_else(|| printed.map(|()| exit_status(status)), Err)
}

/// Waits for anything to happen, and sees to everything but the signals.
fn is_signalled(
    signals: &Signals,
    used: &mut Option<OwnedFd>,
    output: &mut Option<Output>,
) -> bool {
    let mut ready = vec![PollFd::new(signals.descriptor(), PollFlags::IN)];
    ready.extend(used.iter().map(|connection| PollFd::new(connection, PollFlags::IN)));
    ready.extend(output.iter().flat_map(Output::sources));
    let _ = poll(&mut ready, None);
    let is_ready = |at: usize| ready.get(at).is_some_and(|fd| !fd.revents().is_empty());
    let (signalled, greeted) = (is_ready(0), used.is_some() && is_ready(1));
    if greeted {
        // The fetcher has the line; held longer, the connection would count against its limit.
        *used = None;
    }
    if let Some(output) = output {
        output.pump();
    }
    signalled
}

/// What went wrong inside, if anything did.
fn fault(socket: &OwnedFd) -> Option<Error> {
    let mut message = [0_u8; FAULT_LIMIT];
    let mut receive = || recv(socket, &mut message, RecvFlags::DONTWAIT);
    // An init that failed early leaves a message of ours unread, which the kernel reports first.
    let (length, _) = receive().or_else(|_| receive()).ok()?;
    let message = String::from_utf8_lossy(&message[..length]);
    let (code, text) = message.split_once('\0')?;
    Some(Error::Inside { code: code.to_owned(), text: text.to_owned() })
}

fn exit_status(status: WaitStatus) -> u8 {
    let killed = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(killed).and_then(|code| u8::try_from(code).ok()).unwrap_or(125)
}

/// Sends a fault of the sandbox's inside to the helper, which is the one to report it.
pub fn report(socket: &OwnedFd, error: &Error) -> u8 {
    let mut message = format!("{}\0{error}", error.code()).into_bytes();
    message.truncate(FAULT_LIMIT);
    let _ = send(socket, &message, SendFlags::NOSIGNAL);
    125
}

fn prepare(
    plan: &Plan,
    identity: Identity,
    input_root: &InputRoot,
    socket: &OwnedFd,
    init: Pid,
) -> Result<()> {
    write_id_maps(plan, identity, init)?;
    send(socket, b"m", SendFlags::NOSIGNAL).during("send", "init")?;
    if identity.is_mapped() {
        let mounts = map_input_root(identity, input_root)?;
        let image = mounts.image.iter();
        let descriptors: Vec<_> =
            iter::once(&mounts.input_root).chain(image).map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(socket, &[IoSlice::new(b"i")], &mut control, SendFlags::NOSIGNAL)
            .during("sendmsg", "init")?;
    }
    Ok(())
}

/// Gives the init's user namespace its ids, which only a process outside of it may do.
pub fn write_id_maps(plan: &Plan, identity: Identity, init: Pid) -> Result<()> {
    let proc = format!("/proc/{}", init.as_raw_pid());
    if !identity.privileged {
        // An ordinary user may map only itself, and only with a group list that cannot change.
        write_file(CWD, &format!("{proc}/setgroups"), "deny")?;
    }
    let uids = id_map(plan.uid, identity.uid, plan.config.sub_uids);
    let gids = id_map(plan.gid, identity.gid, plan.config.sub_gids);
    write_file(CWD, &format!("{proc}/uid_map"), &uids)?;
    write_file(CWD, &format!("{proc}/gid_map"), &gids)
}

/// The action's id, and around it those of the configured range.
fn id_map(inside: u32, outside: u32, range: Option<IdRange>) -> String {
    let mut map = format!("{inside} {outside} 1\n");
    let Some(IdRange { first, count }) = range else { return map };
    let below = inside.min(count);
    let above = inside.saturating_add(1)..count;
    for part in [0..below, above].into_iter().filter(|part| !part.is_empty()) {
        let (start, length) = (part.start, part.end - part.start);
        let _ = writeln!(map, "{start} {} {length}", first.saturating_add(start));
    }
    map
}

/// What only the helper may mount for the sandbox.
pub struct Mapped {
    pub input_root: OwnedFd,
    /// The image that the input root lies in, where it can be had so.
    pub image: Option<OwnedFd>,
}

/// Binds in which the sandbox's user and the runner's are exchanged, so that what the action makes
/// belongs to the runner. All other owners stay, so that an input of a third uid can be replaced, as
/// any entry of a directory of one's own, but neither written nor changed in mode.
pub fn map_input_root(identity: Identity, input_root: &InputRoot) -> Result<Mapped> {
    // A mount takes its map from a user namespace, and that takes a process to be made.
    let holder = Holder::of_user_namespace().during("clone", "user namespace")?;
    let proc = format!("/proc/{}", holder.pid.as_raw_pid());
    write_file(CWD, &format!("{proc}/uid_map"), &exchange(0, identity.uid))?;
    write_file(CWD, &format!("{proc}/gid_map"), &exchange(0, identity.gid))?;
    let name = format!("{proc}/ns/user");
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let userns = open(&name, flags, Mode::empty()).during("open", &name)?;
    let image = input_root.image.as_ref();
    Ok(Mapped {
        input_root: bind_mapped(&input_root.directory, &userns, &input_root.path)?,
        // Without it the image's files have other owners, and are there to be read.
        image: image.and_then(|image| bind_mapped(image, &userns, &input_root.path).ok()),
    })
}

fn bind_mapped(directory: &OwnedFd, userns: &OwnedFd, path: &Path) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let mount = open_tree(directory, "", flags).during("open_tree", path)?;
    match sys::map_mount(mount.as_fd(), userns.as_fd(), NO_SETUID) {
        // There the server says whom its files belong to, whoever makes them.
        Err(_) if fstatfs(directory).is_ok_and(|found| found.f_type == FUSE) => {
            sys::restrict_mount(mount.as_fd(), NO_SETUID).during("mount_setattr", path)?;
        }
        other => other.during("mount_setattr", path)?,
    }
    Ok(mount)
}

/// An id map in which two ids are exchanged and all others stay.
fn exchange(low: u32, high: u32) -> String {
    let mut map = format!("{low} {high} 1\n");
    if low < high {
        let _ = writeln!(map, "{high} {low} 1");
    }
    for range in [0..low, low + 1..high, high + 1..u32::MAX] {
        if !range.is_empty() {
            let _ = writeln!(map, "{0} {0} {1}", range.start, range.end - range.start);
        }
    }
    map
}

/// Waits for the id maps, becomes the sandbox's user, and sees to it that the sandbox cannot outlive
/// the helper.
pub fn become_sandbox_user(plan: &Plan, identity: Identity, socket: &OwnedFd) -> Result<()> {
    let (length, _) = recv(socket, &mut [0_u8; 1], RecvFlags::empty()).during("recv", "helper")?;
    if length == 0 {
        sys::exit_at_once(125);
    }
    if identity.privileged {
        let (uid, gid) = (Uid::from_raw(plan.uid), Gid::from_raw(plan.gid));
        set_thread_groups(&[]).during("setgroups", "")?;
        set_thread_res_gid(gid, gid, gid).during("setresgid", plan.gid.to_string())?;
        set_thread_res_uid(uid, uid, uid).during("setresuid", plan.uid.to_string())?;
        // The change made /proc/self root's; the action has to write its id maps there.
        set_dumpable_behavior(DumpableBehavior::Dumpable).during("prctl", "dumpable")?;
    }
    // Behind the last change of credentials, which would undo it. A signal that is blocked: the init
    // kills and reaps all others first and dies last, so the lease ends when all are dead.
    sys::die_with_parent(HELPER_IS_GONE).during("prctl", "pdeathsig")?;
    Ok(())
}

/// Ends the init where the helper died before its death would have been a signal. All that the helper
/// sends must have been received: what is left unread hides the end of the socket.
pub fn end_with_helper(socket: &OwnedFd) {
    if let Ok((0, _)) = recv(socket, &mut [0_u8; 1], RecvFlags::DONTWAIT) {
        sys::exit_at_once(125);
    }
}

/// Takes the mounts that the helper made.
pub fn receive_mounts(socket: &OwnedFd) -> Result<Mapped> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0_u8; 1];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)
        .during("recvmsg", "helper")?;
    match control.drain().next() {
        Some(RecvAncillaryMessage::ScmRights(mut descriptors)) => {
            descriptors.next().map(|input_root| Mapped { input_root, image: descriptors.next() })
        }
        _ => None,
    }
    // The helper has failed or died, and says so itself.
    .map_or_else(|| sys::exit_at_once(125), Ok)
}

/// Waits as process 1 must: forwards signals, reaps everything, ends with the action.
/// `helper` is the helper's pid as seen here, 0 across PID namespaces. `None`: that is gone.
pub fn reap(mut signals: Signals, action: Pid, helper: u32, proc: Proc) -> Result<Option<u8>> {
    let status = 'waiting: loop {
        let received = signals.next().during("read", "signals")?;
        if received.signal == libc::SIGCHLD {
            while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
                if pid == action {
                    break 'waiting Some(status);
                }
            }
        }
        // What the action itself sends to process 1 is nobody's order.
        if received.sender != helper {
            continue;
        }
        if received.signal == HELPER_IS_GONE {
            break None;
        }
        if FORWARDED.contains(&received.signal) {
            // Before it leads a group of its own, it takes the signal along into the program.
            let group = sys::kill(-action.as_raw_pid(), received.signal);
            let _ = group.or_else(|_| sys::kill(action.as_raw_pid(), received.signal));
        }
    };
    // Whatever the action left behind ends with it, and before the lease does.
    match proc {
        // Without a child, process 1 is alone in its namespace.
        Proc::Fresh if matches!(wait(WaitOptions::NOHANG), Err(Errno::CHILD)) => {}
        Proc::Fresh => {
            let _ = sys::kill(-1, libc::SIGKILL);
            while wait(WaitOptions::empty()).is_ok() {}
        }
        Proc::Container => bury_children(),
    }
    Ok(status.map(exit_status))
}

/// Kills what this process has for children, and what they leave to it, until there are none.
fn bury_children() {
    while let Ok(list) = std::fs::read_to_string("/proc/thread-self/children") {
        for pid in list.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let _ = sys::kill(pid, libc::SIGKILL);
        }
        if wait(WaitOptions::empty()).is_err() {
            break;
        }
    }
}
