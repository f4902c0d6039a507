//! The straight sequence: namespaces, mounts, pivot, credentials, exec, and waiting.
//!
//! Three processes: the *helper* stays outside, the *init* is process 1 of the sandbox and makes it,
//! the *action* is what runs in it. Nothing of the image is followed while anything outside of it
//! can still be reached: what berth provides goes into the overlay's upper before the overlay exists.

use std::ffi::{CString, OsStr};
use std::io::{IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, mknodat, open, openat,
    openat2, statat, symlinkat,
};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
    open_tree, unmount,
};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg,
    socketpair,
};
use rustix::process::{
    DumpableBehavior, Gid, Pid, Resource, Rlimit, Uid, WaitOptions, WaitStatus, fchdir, getegid,
    geteuid, getrlimit, pivot_root, set_dumpable_behavior, setrlimit, setsid, umask, wait, waitpid,
};
use rustix::system::sethostname;
use rustix::thread::{
    CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::config::{Config, Network, Plan, Source};
use crate::error::{During, Error, Result, plain};
use crate::lease;
use crate::sys::{self, Signals};

/// The same for every action: a result must not depend on which machine made it.
const HOSTNAME: &str = "berth";
/// What the kernel sends the init when the helper is gone; the helper never forwards it.
const HELPER_IS_GONE: i32 = libc::SIGPWR;
/// Forwarded to the action's process group, as a terminal or a supervisor would send them.
const FORWARDED: [i32; 6] =
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];
/// Device nodes that programs expect everywhere and that give nothing away.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Parts of `/proc` that tell about the machine or act on it, hidden where the action could open them.
const PROC_MASKED: [&str; 14] = [
    "acpi",
    "asound",
    "config.gz",
    "iomem",
    "ioports",
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "latency_stats",
    "mtrr",
    "sched_debug",
    "scsi",
    "sysrq-trigger",
];
/// An image's passwd or group file beyond this is not read.
const ACCOUNTS_LIMIT: u64 = 1 << 20;

/// Whose ids the sandbox's user is outside.
#[derive(Clone, Copy)]
struct Identity {
    uid: u32,
    gid: u32,
    /// Started as root: it maps another uid, and shows the build directory with mapped owners.
    privileged: bool,
}

impl Identity {
    fn of(config: &Config) -> Identity {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        if uid != 0 {
            return Identity { uid, gid, privileged: false };
        }
        Identity { uid: config.sandbox_uid, gid: config.sandbox_gid, privileged: true }
    }
}

/// The directory that holds the action's inputs and takes its outputs.
struct InputRoot {
    path: PathBuf,
    directory: OwnedFd,
}

/// Runs the action and returns the status to exit with.
pub fn run(plan: &Plan) -> Result<u8> {
    let identity = Identity::of(&plan.config);
    // Opened before anything is mounted, so that a build directory beneath /tmp stays reachable.
    let input_root = open_input_root(plan)?;
    let lease = take_lease(plan)?;
    // The current directory is the one thing that the new mount namespace translates for us: the
    // image root is reached there without its path being walked again by anyone.
    if let Some(lease) = &lease {
        fchdir(&lease.root).during("fchdir", "rootfs")?;
    }
    // Blocked from here on, so that none is lost between the fork and the waiting.
    let signals = Signals::block().during("signalfd", "")?;
    let (outside, inside) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .during("socketpair", "")?;
    let namespaces = sys::SANDBOX_NAMESPACES | sys::PID_NAMESPACE;
    match sys::clone(namespaces).during("clone3", "namespaces")? {
        None => {
            // The helper's death must be seen as the end of this socket.
            drop(outside);
            let status = init(plan, identity, &input_root, signals, &inside)
                .unwrap_or_else(|error| report(&inside, &error));
            std::process::exit(status.into())
        }
        Some(child) => {
            drop(inside);
            let used = lease.as_ref().and_then(|lease| tell_used(plan, lease));
            supervise(plan, identity, &input_root, signals, outside, child, used)
        }
    }
}

fn open_input_root(plan: &Plan) -> Result<InputRoot> {
    let here = std::env::current_dir().during("getcwd", "")?;
    let build = &plan.config.build_directory;
    let refuse = |reason: String| Err(Error::Usage(reason));
    if !here.ends_with(&plan.working_directory) {
        return refuse(format!(
            "the current directory {here:?} does not end in the working directory {:?}",
            plan.working_directory
        ));
    }
    let path: PathBuf = match plan.working_directory.components().count() {
        0 => here.clone(),
        depth => here.ancestors().nth(depth).unwrap_or(&here).to_owned(),
    };
    // The kernel names the current directory without links; the operator may have used some.
    let physical = std::fs::canonicalize(build).during("realpath", build)?;
    if !path.starts_with(&physical) || path == physical {
        return refuse(format!(
            "the input root {path:?} does not lie beneath build_directory {build:?}"
        ));
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat2(CWD, &path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)
        .during("open", &path)?;
    Ok(InputRoot { path, directory })
}

fn take_lease(plan: &Plan) -> Result<Option<lease::Lease>> {
    let (Source::Image { reference, hex }, Some(store)) = (&plan.source, &plan.config.store) else {
        return Ok(None);
    };
    let timeout = Duration::from_secs(plan.config.acquire_timeout_seconds);
    lease::take(store, hex, reference, plan.config.socket.as_deref(), timeout).map(Some)
}

fn tell_used(plan: &Plan, lease: &lease::Lease) -> Option<OwnedFd> {
    match (&plan.source, &plan.config.socket) {
        (Source::Image { hex, .. }, Some(socket)) if lease.found => lease::tell_used(socket, hex),
        _ => None,
    }
}

/// The helper's part: what only it may do for the sandbox, then waiting for the sandbox's end.
fn supervise(
    plan: &Plan,
    identity: Identity,
    input_root: &InputRoot,
    mut signals: Signals,
    socket: OwnedFd,
    child: Pid,
    mut used: Option<OwnedFd>,
) -> Result<u8> {
    if let Err(error) = prepare(plan, identity, input_root, &socket, child) {
        // The init ends by itself at the end of the socket.
        drop(socket);
        let _ = waitpid(Some(child), WaitOptions::empty());
        return Err(error);
    }
    let status = loop {
        let mut ready = vec![PollFd::new(signals.descriptor(), PollFlags::IN)];
        ready.extend(used.as_ref().map(|used| PollFd::new(used, PollFlags::IN)));
        let polled = poll(&mut ready, None);
        let greeted = ready.get(1).is_some_and(|fd| !fd.revents().is_empty());
        let signalled = !ready[0].revents().is_empty();
        if polled.is_err() {
            continue;
        }
        if greeted {
            // The fetcher has taken the line; a connection held longer would count against its limit.
            used = None;
        }
        if signalled {
            let received = signals.next().during("read", "signals")?;
            if received.signal == libc::SIGCHLD
                && let Some((_, status)) =
                    waitpid(Some(child), WaitOptions::NOHANG).during("waitpid", "")?
            {
                break status;
            }
            if FORWARDED.contains(&received.signal) {
                let _ = sys::kill(child.as_raw_pid(), received.signal);
            }
        }
    };
    let mut message = [0_u8; 4096];
    let mut receive = || recv(&socket, &mut message, RecvFlags::DONTWAIT);
    // An init that failed early leaves a message of ours unread, which the kernel reports first.
    let received = receive().or_else(|error| match error {
        Errno::CONNRESET => receive(),
        other => Err(other),
    });
    match received {
        Ok((length, _)) if length > 0 => {
            let message = String::from_utf8_lossy(&message[..length]);
            let (code, text) = message.split_once('\0').unwrap_or(("INTERNAL", &message));
            Err(Error::Inside { code: code.to_owned(), text: text.to_owned() })
        }
        _ => Ok(exit_status(status)),
    }
}

fn exit_status(status: WaitStatus) -> u8 {
    let killed = status.terminating_signal().map(|signal| 128 + signal);
    let code = status.exit_status().or(killed).unwrap_or(125);
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Sends a fault of the sandbox's inside to the helper, which is the one to report it.
fn report(socket: &OwnedFd, error: &Error) -> u8 {
    let mut message = format!("{}\0{error}", error.code()).into_bytes();
    message.truncate(4096);
    let _ = send(socket, &message, SendFlags::NOSIGNAL);
    125
}

fn prepare(
    plan: &Plan,
    identity: Identity,
    input_root: &InputRoot,
    socket: &OwnedFd,
    child: Pid,
) -> Result<()> {
    let proc = format!("/proc/{}", child.as_raw_pid());
    if !identity.privileged {
        // An ordinary user may map only itself, and only a group list that cannot change.
        write(CWD, format!("{proc}/setgroups"), "deny")?;
    }
    let uids = format!("{} {} 1\n", plan.uid, identity.uid);
    let gids = format!("{} {} 1\n", plan.gid, identity.gid);
    write(CWD, format!("{proc}/uid_map"), &uids)?;
    write(CWD, format!("{proc}/gid_map"), &gids)?;
    send(socket, b"g", SendFlags::NOSIGNAL).during("send", "init")?;
    if identity.is_mapped() {
        let mount = map_input_root(identity, input_root)?;
        let descriptors = [mount.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(socket, &[IoSlice::new(b"m")], &mut control, SendFlags::NOSIGNAL)
            .during("sendmsg", "init")?;
    }
    Ok(())
}

impl Identity {
    /// Whether the sandbox's user differs from the one that outputs must belong to.
    fn is_mapped(self) -> bool {
        self.privileged && self.uid != 0
    }
}

/// A bind of the input root in which the sandbox's user and the runner's are exchanged, so that what
/// the action makes belongs to the runner. All other owners stay, so that an input of a third uid can
/// be replaced, as any entry of a directory of one's own, but neither written nor changed in mode.
fn map_input_root(identity: Identity, input_root: &InputRoot) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let mount =
        open_tree(&input_root.directory, "", flags).during("open_tree", &input_root.path)?;
    let (reader, writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).during("pipe", "")?;
    // A user namespace needs a process to be made; this one lives until the pipe's end.
    let Some(holder) = sys::clone(sys::USER_NAMESPACE).during("clone3", "user namespace")? else {
        drop(writer);
        let _ = rustix::io::read(&reader, &mut [0_u8; 1]);
        std::process::exit(0)
    };
    let proc = format!("/proc/{}", holder.as_raw_pid());
    write(CWD, format!("{proc}/uid_map"), &exchange(0, identity.uid))?;
    write(CWD, format!("{proc}/gid_map"), &exchange(0, identity.gid))?;
    let name = format!("{proc}/ns/user");
    let userns =
        open(&name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during("open", &name)?;
    drop(writer);
    let attributes = sys::MOUNT_NOSUID | sys::MOUNT_NODEV;
    sys::map_mount(mount.as_fd(), userns.as_fd(), attributes)
        .during("mount_setattr", &input_root.path)?;
    let _ = waitpid(Some(holder), WaitOptions::empty());
    Ok(mount)
}

/// An id map in which two ids are exchanged and all others stay.
fn exchange(low: u32, high: u32) -> String {
    let between = high - low - 1;
    let above = u32::MAX - high - 1;
    let mut map = format!("{low} {high} 1\n{high} {low} 1\n");
    for (first, count) in [(0, low), (low + 1, between), (high + 1, above)] {
        if count > 0 {
            map += &format!("{first} {first} {count}\n");
        }
    }
    map
}

/// Gives up root for good, before something that a client chose is touched.
pub fn give_up_privileges(config: &Config) {
    let identity = Identity::of(config);
    if identity.privileged {
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        let done = set_thread_groups(&[])
            .and_then(|()| set_thread_res_gid(gid, gid, gid))
            .and_then(|()| set_thread_res_uid(uid, uid, uid));
        if done.is_err() {
            std::process::exit(125);
        }
    }
}

/// The init's part: makes the sandbox, starts the action in it, and buries what it leaves.
fn init(
    plan: &Plan,
    identity: Identity,
    input_root: &InputRoot,
    signals: Signals,
    socket: &OwnedFd,
) -> Result<u8> {
    sethostname(HOSTNAME.as_bytes()).during("sethostname", HOSTNAME)?;
    if plan.network == Network::None {
        sys::unshare(sys::UNSHARE_NETWORK).during("unshare", "network")?;
        sys::loopback_up().during("ioctl", "lo")?;
    }
    take_identity(plan, identity, socket)?;
    let mask = umask(Mode::empty());

    // The one directory of ours: everything that vanishes with the action lies in it.
    let base = mount_base(plan)?;
    let image = open(".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .during("open", "rootfs")?;
    attach(base.as_fd(), CWD, ".")?;
    fchdir(&base).during("fchdir", "base")?;
    fill_upper(plan, &base, &image, input_root)?;
    let root = mount_overlay(&image)?;
    attach(root.as_fd(), base.as_fd(), "root")?;
    let proc = mount_proc(plan, &root)?;
    mount_dev(&base, &root)?;
    mount_sys(&root)?;
    let tmp = clone_tree(base.as_fd(), "tmp", sys::MOUNT_NOSUID | sys::MOUNT_NODEV)?;
    attach(tmp.as_fd(), root.as_fd(), "tmp")?;
    bind_input_root(identity, input_root, socket, &root)?;

    // Stacks the new root on the old one and takes the old one away: nothing outside has a name now.
    fchdir(&root).during("fchdir", "root")?;
    pivot_root(".", ".").during("pivot_root", "root")?;
    unmount(".", UnmountFlags::DETACH).during("umount2", "old root")?;

    let Some(action) = sys::clone(0).during("clone3", "action")? else {
        let here = input_root.path.join(&plan.working_directory);
        let error = match enter(plan, &proc, &here, mask) {
            Ok(()) => exec(plan),
            Err(error) => std::process::exit(report(socket, &error).into()),
        };
        // The action's own fault: said on its own stderr, with its own status.
        eprintln!("berth-exec: {error}");
        std::process::exit(error.status().into())
    };
    // Nothing in the sandbox, of whatever id, may look into the init.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).during("prctl", "dumpable")?;
    reap(signals, action)
}

/// Becomes the sandbox's user, and makes sure that the sandbox cannot outlive the helper.
fn take_identity(plan: &Plan, identity: Identity, socket: &OwnedFd) -> Result<()> {
    let (go, _) = recv(socket, &mut [0_u8; 1], RecvFlags::empty()).during("recv", "helper")?;
    if go == 0 {
        std::process::exit(125);
    }
    if identity.privileged {
        let (uid, gid) = (Uid::from_raw(plan.uid), Gid::from_raw(plan.gid));
        set_thread_groups(&[]).during("setgroups", "")?;
        set_thread_res_gid(gid, gid, gid).during("setresgid", plan.gid.to_string())?;
        set_thread_res_uid(uid, uid, uid).during("setresuid", plan.uid.to_string())?;
        // The change made /proc/self root's; the action has to write its id maps there.
        set_dumpable_behavior(DumpableBehavior::Dumpable).during("prctl", "dumpable")?;
    }
    // Behind the last change of credentials, which would undo it. A signal that can be blocked: the
    // init kills and reaps all others first and dies last, so the lease ends when all are dead.
    sys::die_with_parent(HELPER_IS_GONE).during("prctl", "pdeathsig")?;
    // A helper that died before that is seen here.
    let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
    if let Ok((0, _)) = recv(socket, &mut [0_u8; 1], flags) {
        std::process::exit(125);
    }
    Ok(())
}

fn mount_base(plan: &Plan) -> Result<OwnedFd> {
    let size = plan.config.upper_size;
    // Inodes are memory too, and a limit of bytes does not count them.
    let inodes = (size / 4096).max(4096);
    mount_new(
        "tmpfs",
        &[("size", &size.to_string()), ("nr_inodes", &inodes.to_string()), ("mode", "755")],
    )
}

/// What the sandbox provides over the image, written before the image can have a say: a link in the
/// image in place of one of these is hidden by the overlay, or refused, but never followed.
fn fill_upper(plan: &Plan, base: &OwnedFd, image: &OwnedFd, input_root: &InputRoot) -> Result<()> {
    for name in [
        "u",
        "w",
        "root",
        "dev",
        "u/proc",
        "u/sys",
        "u/sys/devices",
        "u/sys/devices/system",
        "u/dev",
        "u/tmp",
    ] {
        mkdirat(base, name, Mode::from_raw_mode(0o755)).during("mkdir", name)?;
    }
    mkdirat(base, "tmp", Mode::from_raw_mode(0o1777)).during("mkdir", "tmp")?;
    make_path(base, image, Path::new("/etc"))?;
    make_path(base, image, &plan.home)?;
    make_path(base, image, &input_root.path)?;

    let host = plan.network == Network::Host;
    let names = format!("127.0.0.1\tlocalhost {HOSTNAME}\n::1\tlocalhost ip6-localhost\n");
    let hosts = if host {
        [read_machine("/etc/hosts")?, names.into_bytes()].concat()
    } else {
        names.into_bytes()
    };
    let resolv = if host { read_machine("/etc/resolv.conf")? } else { Vec::new() };
    create(base, "u/etc/hosts", &hosts)?;
    create(base, "u/etc/resolv.conf", &resolv)?;
    create(base, "u/etc/hostname", format!("{HOSTNAME}\n").as_bytes())?;

    let (name, uid, gid, home) = (&plan.name, plan.uid, plan.gid, plan.home.as_os_str().as_bytes());
    let account = [format!("{name}:x:{uid}:{gid}::").as_bytes(), home, b":/bin/sh\n"].concat();
    add_account(base, image, "passwd", uid, &account)?;
    add_account(base, image, "group", gid, format!("{name}:x:{gid}:\n").as_bytes())
}

/// Provides a directory in the upper, or in `tmp` for what lies there, component by component.
fn make_path(base: &OwnedFd, image: &OwnedFd, path: &Path) -> Result<()> {
    let relative: PathBuf =
        path.components().filter(|c| matches!(c, Component::Normal(_))).collect();
    let in_tmp = relative.starts_with("tmp");
    if ["proc", "sys", "dev"].iter().any(|top| relative.starts_with(top)) {
        return Err(layout(path, "is provided by berth-exec: move the build directory elsewhere"));
    }
    let mut in_image = !in_tmp;
    let mut prefix = PathBuf::new();
    for component in relative.components() {
        prefix.push(component);
        if in_image {
            match statat(image, &prefix, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) if FileType::from_raw_mode(found.st_mode).is_dir() => {}
                Ok(_) => {
                    return Err(layout(
                        &prefix,
                        "is not a directory, and a link there is not followed",
                    ));
                }
                Err(Errno::NOENT) => in_image = false,
                Err(error) => return Err(error).during("stat", &prefix),
            }
        }
        let target = if in_tmp { prefix.clone() } else { Path::new("u").join(&prefix) };
        match mkdirat(base, &target, Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) => {}
            other => other.during("mkdir", &prefix)?,
        }
    }
    Ok(())
}

fn layout(component: &Path, reason: &str) -> Error {
    Error::Layout { component: Path::new("/").join(component), reason: reason.to_owned() }
}

/// A file of the machine that names the network's services; a machine without it has none to name.
fn read_machine(path: &str) -> Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.during("read", path),
    }
}

/// Adds a line to the image's passwd or group, unless the id has one.
fn add_account(base: &OwnedFd, image: &OwnedFd, file: &str, id: u32, line: &[u8]) -> Result<()> {
    let path = Path::new("etc").join(file);
    // A FIFO must not make us wait, nor a link lead out of the image.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut text = Vec::new();
    if let Ok(found) = openat2(image, &path, flags, Mode::empty(), resolve)
        && fstat(&found).is_ok_and(|s| FileType::from_raw_mode(s.st_mode).is_file())
    {
        let mut limited = std::fs::File::from(found).take(ACCOUNTS_LIMIT);
        limited.read_to_end(&mut text).during("read", &path)?;
    }
    let wanted = id.to_string();
    let has = |line: &[u8]| line.split(|&b| b == b':').nth(2) == Some(wanted.as_bytes());
    if text.split(|&b| b == b'\n').any(has) {
        return Ok(());
    }
    if text.last().is_some_and(|&b| b != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(line);
    create(base, &format!("u/etc/{file}"), &text)
}

fn create(base: &OwnedFd, path: &str, content: &[u8]) -> Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(base, path, flags, Mode::from_raw_mode(0o644)).during("create", path)?;
    rustix::io::write(&file, content).during("write", path).map(drop)
}

fn mount_overlay(image: &OwnedFd) -> Result<OwnedFd> {
    let lower = format!("/proc/self/fd/{}", image.as_raw_fd());
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).during("mount", "overlay")?;
    // User namespaces may not write the trusted attributes that an overlay uses otherwise.
    fsconfig_set_flag(&context, "userxattr").during("mount", "overlay: userxattr")?;
    for (key, value) in [("lowerdir", lower.as_str()), ("upperdir", "u"), ("workdir", "w")] {
        fsconfig_set_string(&context, key, value).during("mount", format!("overlay: {key}"))?;
    }
    fsconfig_create(&context).during("mount", "overlay")?;
    finish_mount(&context, "overlay")
}

fn mount_new(kind: &str, options: &[(&str, &str)]) -> Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).during("mount", kind)?;
    for (key, value) in options {
        fsconfig_set_string(&context, *key, *value).during("mount", format!("{kind}: {key}"))?;
    }
    fsconfig_create(&context).during("mount", kind)?;
    finish_mount(&context, kind)
}

fn finish_mount(context: &OwnedFd, kind: &str) -> Result<OwnedFd> {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).during("mount", kind)
}

/// A detached bind of a directory or file, restricted before anyone can reach it.
fn clone_tree(directory: BorrowedFd<'_>, path: &str, attributes: u64) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let mount = open_tree(directory, path, flags).during("open_tree", path)?;
    if attributes != 0 {
        sys::restrict_mount(mount.as_fd(), attributes, true).during("mount_setattr", path)?;
    }
    Ok(mount)
}

/// Mounts on a path of which every component is ours.
fn attach(mount: BorrowedFd<'_>, directory: BorrowedFd<'_>, path: &str) -> Result<()> {
    move_mount(mount, "", directory, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .during("move_mount", path)
}

/// A fresh `/proc` of the sandbox's own processes, with the machine's settings read-only.
fn mount_proc(plan: &Plan, root: &OwnedFd) -> Result<OwnedFd> {
    let proc = mount_new("proc", &[])?;
    attach(proc.as_fd(), root.as_fd(), "proc")?;
    if !plan.config.nested_user_namespaces {
        // One more is the action's; with none below it, the kernel's least tried code stays shut.
        write(proc.as_fd(), "sys/user/max_user_namespaces", "1")?;
    }
    let settings = clone_tree(
        proc.as_fd(),
        "sys",
        sys::MOUNT_READ_ONLY | sys::MOUNT_NOSUID | sys::MOUNT_NODEV | sys::MOUNT_NOEXEC,
    )?;
    attach(settings.as_fd(), proc.as_fd(), "sys")?;
    Ok(proc)
}

/// A `/dev` of the few nodes that every program expects, taken from the machine's.
fn mount_dev(base: &OwnedFd, root: &OwnedFd) -> Result<()> {
    let dev = clone_tree(base.as_fd(), "dev", sys::MOUNT_NOSUID)?;
    attach(dev.as_fd(), root.as_fd(), "dev")?;
    for name in DEVICES {
        let node = clone_tree(CWD, &format!("/dev/{name}"), 0)?;
        mknodat(&dev, name, FileType::RegularFile, Mode::from_raw_mode(0o666), 0)
            .during("mknod", name)?;
        attach(node.as_fd(), dev.as_fd(), name)?;
    }
    mkdirat(&dev, "shm", Mode::from_raw_mode(0o1777)).during("mkdir", "/dev/shm")?;
    mkdirat(&dev, "pts", Mode::from_raw_mode(0o755)).during("mkdir", "/dev/pts")?;
    let pts = mount_new("devpts", &[("ptmxmode", "0666"), ("mode", "0620")])?;
    attach(pts.as_fd(), dev.as_fd(), "pts")?;
    for (name, target) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlinkat(target, &dev, name).during("symlink", name)?;
    }
    Ok(())
}

/// Of `/sys` only what programs ask when they size themselves; the rest tells about the machine, and
/// binding all of it would double the mounts that a start has to copy.
fn mount_sys(root: &OwnedFd) -> Result<()> {
    if let Ok(system) = clone_tree(
        CWD,
        "/sys/devices/system",
        sys::MOUNT_READ_ONLY | sys::MOUNT_NOSUID | sys::MOUNT_NODEV | sys::MOUNT_NOEXEC,
    ) {
        attach(system.as_fd(), root.as_fd(), "sys/devices/system")?;
    }
    Ok(())
}

/// Binds the input root at its own absolute path.
fn bind_input_root(
    identity: Identity,
    input_root: &InputRoot,
    socket: &OwnedFd,
    root: &OwnedFd,
) -> Result<()> {
    let mount =
        if identity.is_mapped() { receive_mount(socket)? } else { reopen_input_root(input_root)? };
    let relative = input_root.path.strip_prefix("/").unwrap_or(&input_root.path);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    let target = openat2(root, relative, flags, Mode::empty(), resolve).during("open", relative)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(&mount, "", &target, "", flags).during("move_mount", relative)
}

fn receive_mount(socket: &OwnedFd) -> Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0_u8; 1];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)
        .during("recvmsg", "helper")?;
    let mut messages = control.drain();
    match messages.next() {
        Some(RecvAncillaryMessage::ScmRights(mut descriptors)) => descriptors.next(),
        _ => None,
    }
    // The helper has failed or died, and says so itself.
    .map_or_else(|| std::process::exit(125), Ok)
}

fn reopen_input_root(input_root: &InputRoot) -> Result<OwnedFd> {
    // The helper's descriptor belongs to the mount namespace outside; this one's must be opened anew,
    // and be the same directory.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let path = &input_root.path;
    let again =
        openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).during("open", path)?;
    let identity = |fd: &OwnedFd| fstat(fd).map(|s| (s.st_dev, s.st_ino)).during("stat", path);
    if identity(&again)? != identity(&input_root.directory)? {
        return Err(Errno::STALE).during("open", path);
    }
    clone_tree(again.as_fd(), "", sys::MOUNT_NOSUID | sys::MOUNT_NODEV)
}

/// The action's part: gives up everything that the init still had.
fn enter(plan: &Plan, proc: &OwnedFd, here: &Path, mask: Mode) -> Result<()> {
    // In namespaces of its own all that was mounted is locked: it can be neither unmounted nor
    // remounted, which as user 0 of the first namespace it could, and so write the shared image.
    sys::unshare(sys::UNSHARE_USER_AND_MOUNTS).during("unshare", "user and mounts")?;
    write(proc.as_fd(), "self/setgroups", "deny")?;
    write(proc.as_fd(), "self/uid_map", &format!("{0} {0} 1\n", plan.uid))?;
    write(proc.as_fd(), "self/gid_map", &format!("{0} {0} 1\n", plan.gid))?;
    rustix::process::chdir(here).during("chdir", here)?;
    umask(mask);
    // Counted in the sandbox's own namespace: a fork bomb stops itself and nobody else.
    let limit =
        getrlimit(Resource::Nproc).maximum.unwrap_or(u64::MAX).min(plan.config.max_processes);
    let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(Resource::Nproc, limit).during("setrlimit", "nproc")?;
    // No terminal of the runner's can be typed into from here.
    setsid().during("setsid", "")?;
    for capability in CapabilitySet::all().iter() {
        match remove_capability_from_bounding_set(capability) {
            // Older kernels know fewer.
            Err(Errno::INVAL) => {}
            other => other.during("prctl", "bounding set")?,
        }
    }
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).during("capset", "")?;
    set_no_new_privs(true).during("prctl", "no_new_privs")?;
    sys::reset_signals();
    Ok(())
}

/// Starts the program as `execvp` would, in the root and with the action's own environment.
fn exec(plan: &Plan) -> Error {
    sys::close_range(3, i32::MAX);
    let program = OsStr::from_bytes(plan.argv[0].as_bytes());
    let variable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
    };
    let mut environment: Vec<CString> = std::env::vars_os().filter_map(variable).collect();
    if std::env::var_os("HOME").is_none() {
        let home = [b"HOME=".as_slice(), plan.home.as_os_str().as_bytes()].concat();
        environment.extend(CString::new(home).ok());
    }
    let mut result = std::io::Error::from(std::io::ErrorKind::NotFound);
    let mut tried = PathBuf::from(program);
    for candidate in candidates(program) {
        let Ok(path) = CString::new(candidate.as_os_str().as_bytes()) else { continue };
        let error = sys::execve(&path, &plan.argv, &environment);
        let missing = matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NOTDIR));
        if !missing || candidate.exists() {
            (result, tried) = (error, candidate);
            if Errno::from_io_error(&result) != Some(Errno::ACCESS) {
                break;
            }
        }
    }
    Error::Exec { reason: explain(&tried, &result), program: program.to_owned(), source: result }
}

fn candidates(program: &OsStr) -> Vec<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return vec![program.into()];
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path).map(|directory| directory.join(program)).collect()
}

/// Why a program that may well exist does not start.
fn explain(path: &Path, error: &std::io::Error) -> String {
    let mut head = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(4096).read_to_end(&mut head);
    }
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) if !head.is_empty() => {
            let name = interpreter(&head).unwrap_or_default();
            format!("its interpreter {:?} is not in the root", OsStr::from_bytes(&name))
        }
        Some(Errno::NOEXEC) if head.starts_with(b"\x7fELF") => {
            "it is built for another architecture".to_owned()
        }
        Some(Errno::NOEXEC) => "it is neither a program nor a script with a #! line".to_owned(),
        _ if error.kind() == std::io::ErrorKind::NotFound => "not found in the root".to_owned(),
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
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for entry in (0..count).map(|i| table.saturating_add(i * size)) {
        // PT_INTERP
        if number(entry, 4)? == 3 {
            let start = number(entry.checked_add(8)?, 8)?;
            let name = head.get(start..start.checked_add(number(entry.checked_add(32)?, 8)?)?)?;
            return Some(name.strip_suffix(b"\0").unwrap_or(name).to_vec());
        }
    }
    None
}

/// Waits as process 1 must: forwards signals, reaps everything, ends with the action.
fn reap(mut signals: Signals, action: Pid) -> Result<u8> {
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
        if received.sender != 0 {
            continue;
        }
        if received.signal == HELPER_IS_GONE {
            break None;
        }
        if FORWARDED.contains(&received.signal) {
            let group = sys::kill(-action.as_raw_pid(), received.signal);
            // Before setsid there is no such group.
            let _ = group.or_else(|_| sys::kill(action.as_raw_pid(), received.signal));
        }
    };
    // Whatever the action left behind ends with it.
    let _ = sys::kill(-1, libc::SIGKILL);
    while wait(WaitOptions::empty()).is_ok() {}
    Ok(status.map_or(125, exit_status))
}

/// Writes a kernel file in one piece.
fn write(directory: BorrowedFd<'_>, path: impl AsRef<Path>, content: &str) -> Result<()> {
    let path = path.as_ref();
    let file = openat(directory, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .during("open", path)?;
    rustix::io::write(&file, content.as_bytes()).during("write", path).map(drop)
}
