//! The straight sequence that makes a sandbox: namespaces, mounts, pivot, action.
//!
//! Nothing of the image is followed while anything outside of it can still be reached: what berth
//! provides goes into the overlay's upper before the overlay exists, and every path that an image
//! or a client had a hand in is resolved within its root, by the kernel, through no link.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustix::fs::{
    Access, AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, accessat, fstat, mkdirat, mknodat,
    open, openat, openat2, statat, symlinkat,
};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
    open_tree, unmount,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{fchdir, getppid, pivot_root, set_child_subreaper, umask};
use rustix::system::sethostname;

use crate::config::{Network, Plan, Proc, Source};
use crate::error::{During, Error, Result};
use crate::lease::{self, Lease};
use crate::process::{self, Identity};
use crate::skeleton::{self, Disk};
use crate::sys::{self, Holder, Signals};

/// The same for every action: a result must not depend on which machine made it.
const HOSTNAME: &str = "berth";
/// Device nodes that programs expect everywhere and that give nothing away.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Parts of `/proc` that tell about the machine or act on it.
const PROC_MASKED: [&str; 9] = [
    "acpi",
    "asound",
    "kcore",
    "keys",
    "latency_stats",
    "sched_debug",
    "scsi",
    "sysrq-trigger",
    "timer_list",
];
/// An image's passwd or group file beyond this is not read.
const ACCOUNTS_LIMIT: u64 = 1 << 20;

pub const NO_SETUID: u64 = sys::MOUNT_NOSUID | sys::MOUNT_NODEV;
pub const READ_ONLY: u64 = NO_SETUID | sys::MOUNT_READ_ONLY;
pub const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// How a path that an image had a hand in is resolved.
pub const WITHIN: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// The directory that holds the action's inputs and takes its outputs.
pub struct InputRoot {
    pub path: PathBuf,
    pub directory: OwnedFd,
    /// The build directory as the kernel names it.
    pub build: PathBuf,
}

/// Runs the action and returns the status to exit with.
pub fn run(plan: &Plan) -> Result<u8> {
    let identity = Identity::of(&plan.config);
    // Opened before anything is mounted, so that a build directory beneath /tmp stays reachable.
    let input_root = open_input_root(plan)?;
    let lease = take_lease(plan)?;
    // The current directory is the one thing that a new mount namespace translates for us: the image
    // root is reached there without its path being walked again by anyone.
    if let Some(lease) = &lease {
        fchdir(&lease.root).during("fchdir", "rootfs")?;
    }
    // Blocked from here on, so that none is lost between the fork and the waiting.
    let signals = Signals::block().during("signalfd", "")?;
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    let (outside, inside) =
        socketpair(family, kind, SocketFlags::CLOEXEC, None).during("socketpair", "")?;
    let mut namespaces = sys::SANDBOX_NAMESPACES;
    match plan.config.proc {
        Proc::Fresh => namespaces |= sys::PID_NAMESPACE,
        // Orphans of the action must come to us, since no namespace ends them.
        Proc::Container => set_child_subreaper(Some(rustix::process::getpid()))
            .during("prctl", "child_subreaper")?,
    }
    let Some(init) = sys::clone(namespaces).during("clone3", "namespaces")? else {
        // The helper's death must be seen as the end of this socket.
        drop(outside);
        let status = make(plan, identity, &input_root, signals, &inside)
            .unwrap_or_else(|error| process::report(&inside, &error));
        sys::exit_at_once(status)
    };
    drop(inside);
    let used = lease.as_ref().and_then(|lease| tell_used(plan, lease));
    process::supervise(plan, identity, &input_root, signals, (outside, init), used)
}

fn open_input_root(plan: &Plan) -> Result<InputRoot> {
    let here = std::env::current_dir().during("getcwd", "")?;
    let build = &plan.config.build_directory;
    let directory = &plan.working_directory;
    if !here.ends_with(directory) {
        return Err(Error::Usage(format!(
            "the current directory {here:?} does not end in the working directory {directory:?}"
        )));
    }
    let path = here.ancestors().nth(directory.components().count()).unwrap_or(&here).to_owned();
    // The kernel names the current directory without links; the operator may have used some.
    let beneath = |build: &Path| path.starts_with(build) && path != build;
    let physical = if beneath(build) { Ok(build.clone()) } else { std::fs::canonicalize(build) };
    let build = match physical {
        Ok(build) if beneath(&build) => build,
        _ => {
            return Err(Error::Usage(format!(
                "the input root {path:?} must lie beneath build_directory {build:?}"
            )));
        }
    };
    let directory = openat2(CWD, &path, DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS)
        .during("open", &path)?;
    Ok(InputRoot { path, directory, build })
}

fn take_lease(plan: &Plan) -> Result<Option<Lease>> {
    let (Source::Image { reference, hex }, Some(store)) = (&plan.source, &plan.config.store) else {
        return Ok(None);
    };
    let timeout = Duration::from_secs(plan.config.acquire_timeout_seconds);
    lease::take(store, hex, reference, plan.config.socket.as_deref(), timeout).map(Some)
}

fn tell_used(plan: &Plan, lease: &Lease) -> Option<OwnedFd> {
    match (&plan.source, &plan.config.socket) {
        (Source::Image { hex, .. }, Some(socket)) if lease.found => lease::tell_used(socket, hex),
        _ => None,
    }
}

/// The init's part: makes the sandbox, starts the action in it, and buries what it leaves.
fn make(
    plan: &Plan,
    identity: Identity,
    input_root: &InputRoot,
    signals: Signals,
    socket: &OwnedFd,
) -> Result<u8> {
    let helper = getppid().map_or(0, |pid| pid.as_raw_pid().unsigned_abs());
    if plan.config.proc == Proc::Container {
        set_child_subreaper(Some(rustix::process::getpid())).during("prctl", "child_subreaper")?;
    }
    leave_keys()?;
    // A network namespace takes as long to make as all the rest, so it is made meanwhile.
    let mut network = match plan.network {
        Network::None => Some(Holder::of_network().during("clone", "network")?),
        Network::Host => None,
    };
    // The helper writes the id maps meanwhile: first what needs no ids.
    sethostname(HOSTNAME.as_bytes()).during("sethostname", HOSTNAME)?;
    let proc = open_proc(plan)?;
    let devices = DEVICES.map(|name| (name, clone_tree(CWD, format!("/dev/{name}"), 0)));
    process::become_sandbox_user(plan, identity, socket)?;
    let mask = umask(Mode::empty());

    let source = match plan.source {
        Source::Image { .. } => open(".", DIRECTORY, Mode::empty()).during("open", "rootfs")?,
        Source::Machine => open("/", DIRECTORY, Mode::empty()).during("open", "/")?,
    };
    // Opened before anything is mounted over its path.
    let own_mount = match identity.is_mapped() {
        true => None,
        false => Some(reopen_input_root(input_root)?),
    };
    // The one directory of ours: everything that vanishes with the action lies in it.
    let (base, disk) = open_base(plan)?;
    fchdir(&base).during("fchdir", "base")?;
    for name in ["u", "w", "root", "empty", "dev", "tmp"] {
        let mode = Mode::from_raw_mode(if name == "tmp" { 0o1777 } else { 0o755 });
        mkdirat(&base, name, mode).during("mkdir", name)?;
    }
    fill_upper(plan, &base, &source, input_root)?;
    let root = match plan.source {
        // Some kernels and security modules refuse an overlay in a user namespace.
        Source::Image { .. } => mount_overlay(&base, &source)
            .or_else(|_| skeleton::build(plan, &base, &source, input_root))?,
        Source::Machine => skeleton::build(plan, &base, &source, input_root)?,
    };
    // Where a link of the image stands in its way.
    make_within(&root, &plan.home)?;
    mount_proc(plan, &proc, &root)?;
    mount_dev(&base, &root, devices)?;
    mount_sys(&root)?;
    attach(clone_tree(base.as_fd(), "tmp", NO_SETUID)?.as_fd(), root.as_fd(), "tmp")?;
    let mount = own_mount.map_or_else(|| process::receive_mount(socket), Ok)?;
    bind_input_root(mount, input_root, &root)?;
    if let Some(network) = &mut network {
        network.enter_network().during("unshare", "network")?;
    }

    // Stacks the new root on the old one and takes the old one away: nothing outside has a name now.
    fchdir(&root).during("fchdir", "root")?;
    pivot_root(".", ".").during("pivot_root", "root")?;
    unmount(".", UnmountFlags::DETACH).during("umount2", "old root")?;
    drop(network);

    let here = input_root.path.join(&plan.working_directory);
    let mut action = || match process::enter(plan, &proc, &here, mask) {
        Ok(()) => {
            let error = process::exec(plan);
            // The action's own fault: said on its own stderr, with its own status.
            eprintln!("berth-exec: {error}");
            error.status().into()
        }
        Err(error) => process::report(socket, &error).into(),
    };
    // In a user namespace of its own, without capabilities in the one that owns the mounts, the
    // action can neither unmount nor remount them, which as its user 0 it could, and so write the
    // shared image. A mount namespace that it makes itself gets all of them locked. With a range of
    // ids it stays in the first, where losing CAP_SYS_ADMIN has the same effect.
    let own = plan.config.sub_uids.is_none();
    process::end_with_helper(socket);
    let action = sys::spawn(own, &mut action).during("clone", "action")?;
    let status = process::reap(signals, action, helper, plan.config.proc);
    if let Some(disk) = disk {
        disk.remove();
    }
    status
}

/// Takes the runner's keys away from the sandbox.
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

/// The tmpfs that vanishes with the mount namespace, or a directory on disk to be removed.
fn open_base(plan: &Plan) -> Result<(OwnedFd, Option<Disk>)> {
    let upper = &plan.config.upper;
    if upper != Path::new("tmpfs") {
        let disk = Disk::make(upper)?;
        let base =
            openat(&disk.parent, &disk.name, DIRECTORY, Mode::empty()).during("open", upper)?;
        return Ok((base, Some(disk)));
    }
    let size = plan.config.upper_size;
    // Inodes are memory too, and a limit of bytes does not count them.
    let inodes = (size / 4096).max(4096);
    let options =
        [("size", &*size.to_string()), ("nr_inodes", &*inodes.to_string()), ("mode", "755")];
    let base = mount_new("tmpfs", &options)?;
    // On a place that is not looked at again: the image root's own, or the one directory that an action
    // without an image gets a new one of in any case.
    let place = if plan.source == Source::Machine { "/tmp" } else { "." };
    attach(base.as_fd(), CWD, place)?;
    Ok((base, None))
}

/// What the sandbox provides over the image, written before the image can have a say: a link in the
/// image in place of one of these is hidden by the overlay, or refused, but never followed.
fn fill_upper(plan: &Plan, base: &OwnedFd, image: &OwnedFd, input_root: &InputRoot) -> Result<()> {
    for name in ["proc", "sys", "sys/devices", "sys/devices/system", "dev", "tmp"] {
        let path = Path::new("u").join(name);
        mkdirat(base, &path, Mode::from_raw_mode(0o755)).during("mkdir", name)?;
    }
    make_path(base, image, Path::new("/etc"))?;
    make_path(base, image, &input_root.path)?;
    // An image may well have /home as a link; it is made later, then.
    let _ = make_path(base, image, &plan.home);

    let host = plan.network == Network::Host;
    let mut hosts = if host { read_machine("/etc/hosts")? } else { Vec::new() };
    hosts.extend(format!("127.0.0.1\tlocalhost {HOSTNAME}\n::1\tlocalhost\n").bytes());
    let resolv = if host { read_machine("/etc/resolv.conf")? } else { Vec::new() };
    create(base, "hosts", &hosts)?;
    create(base, "resolv.conf", &resolv)?;
    create(base, "hostname", format!("{HOSTNAME}\n").as_bytes())?;

    let (name, uid, gid) = (&plan.name, plan.uid, plan.gid);
    let home = plan.home.as_os_str().as_bytes();
    let account = [format!("{name}:x:{uid}:{gid}::").as_bytes(), home, b":/bin/sh\n"].concat();
    add_account(base, image, "passwd", uid, &account)?;
    add_account(base, image, "group", gid, format!("{name}:x:{gid}:\n").as_bytes())
}

/// Provides a directory in the upper, or in `tmp` for what lies there, component by component.
fn make_path(base: &OwnedFd, image: &OwnedFd, path: &Path) -> Result<()> {
    let relative = relative(path);
    if ["proc", "sys", "dev"].iter().any(|top| relative.starts_with(top)) {
        return Err(layout(path, "is provided by berth-exec and cannot hold the build directory"));
    }
    let in_tmp = relative.starts_with("tmp");
    let mut in_image = !in_tmp;
    let mut prefix = PathBuf::new();
    for component in relative.components() {
        prefix.push(component);
        if in_image {
            match statat(image, &prefix, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) if FileType::from_raw_mode(found.st_mode).is_dir() => {}
                Ok(_) => {
                    return Err(layout(&prefix, "is not a directory (links are not followed)"));
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

/// Provides a directory in the finished root, through links of the image but never out of it.
pub fn make_within(root: &OwnedFd, path: &Path) -> Result<()> {
    let path = relative(path);
    // The usual case: it is there.
    if openat2(root, &path, DIRECTORY, Mode::empty(), WITHIN).is_ok() {
        return Ok(());
    }
    let mut prefix = PathBuf::new();
    let mut parent = openat(root, ".", DIRECTORY, Mode::empty()).during("open", "root")?;
    for component in path.components() {
        prefix.push(component);
        let find = || openat2(root, &prefix, DIRECTORY, Mode::empty(), WITHIN);
        parent = match find() {
            // What a link leads to may be missing as well, and is not made: then there is a name already.
            Err(Errno::NOENT) => {
                mkdirat(&parent, component.as_os_str(), Mode::from_raw_mode(0o755))
                    .and_then(|()| find())
            }
            other => other,
        }
        .map_err(|_| layout(&prefix, "is not a directory"))?;
    }
    Ok(())
}

/// An absolute path as seen from its root.
pub fn relative(path: &Path) -> PathBuf {
    path.components().filter(|c| matches!(c, Component::Normal(_))).collect()
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
    let mut text = Vec::new();
    if let Ok(found) = openat2(image, &path, flags, Mode::empty(), WITHIN)
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
    create(base, file, &text)
}

fn create(base: &OwnedFd, name: &str, content: &[u8]) -> Result<()> {
    let path = Path::new("u/etc").join(name);
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(base, &path, flags, Mode::from_raw_mode(0o644)).during("create", name)?;
    rustix::io::write(&file, content).during("write", name).map(drop)
}

/// Mounts `u` and `w` of the current directory over the image.
pub fn mount_overlay(base: &OwnedFd, image: &OwnedFd) -> Result<OwnedFd> {
    let lower = format!("/proc/self/fd/{}", image.as_raw_fd());
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).during("mount", "overlay")?;
    // A user namespace may not write the trusted attributes that an overlay uses otherwise.
    fsconfig_set_flag(&context, "userxattr").during("mount", "overlay: userxattr")?;
    for (key, value) in [("lowerdir", lower.as_str()), ("upperdir", "u"), ("workdir", "w")] {
        fsconfig_set_string(&context, key, value).during("mount", format!("overlay: {key}"))?;
    }
    let root = finish_mount(&context, "overlay")?;
    attach(root.as_fd(), base.as_fd(), "root")?;
    Ok(root)
}

/// A detached mount of a new file system.
pub fn mount_new(kind: &str, options: &[(&str, &str)]) -> Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).during("mount", kind)?;
    for (key, value) in options {
        fsconfig_set_string(&context, *key, *value).during("mount", format!("{kind}: {key}"))?;
    }
    finish_mount(&context, kind)
}

fn finish_mount(context: &OwnedFd, kind: &str) -> Result<OwnedFd> {
    fsconfig_create(context).during("mount", kind)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).during("mount", kind)
}

/// A detached bind of a directory or file, restricted before anyone can reach it.
pub fn clone_tree(
    directory: BorrowedFd<'_>,
    path: impl AsRef<Path>,
    attributes: u64,
) -> Result<OwnedFd> {
    let path = path.as_ref();
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW
        | OpenTreeFlags::AT_RECURSIVE;
    let mount = open_tree(directory, path, flags).during("open_tree", path)?;
    if attributes != 0 {
        sys::restrict_mount(mount.as_fd(), attributes).during("mount_setattr", path)?;
    }
    Ok(mount)
}

/// Mounts on a path of which every component is ours.
pub fn attach(
    mount: BorrowedFd<'_>,
    directory: BorrowedFd<'_>,
    path: impl AsRef<Path>,
) -> Result<()> {
    let path = path.as_ref();
    move_mount(mount, "", directory, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .during("move_mount", path)
}

/// Mounts on what is open.
pub fn attach_to(mount: &OwnedFd, target: &OwnedFd, name: &Path) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags).during("move_mount", name)
}

fn open_proc(plan: &Plan) -> Result<OwnedFd> {
    match plan.config.proc {
        Proc::Fresh => mount_new("proc", &[]),
        Proc::Container => clone_tree(CWD, "/proc", NO_SETUID),
    }
}

/// Shows a `/proc` in which the machine's settings are read-only and its secrets are covered.
fn mount_proc(plan: &Plan, proc: &OwnedFd, root: &OwnedFd) -> Result<()> {
    attach(proc.as_fd(), root.as_fd(), "proc")?;
    if !plan.config.nested_user_namespaces {
        // None but the action's own: the kernel's least tried code stays shut.
        let limit = if plan.config.sub_uids.is_some() { "0" } else { "1" };
        let limited = write_file(proc.as_fd(), "sys/user/max_user_namespaces", limit);
        // A container's /proc/sys may be read-only already.
        if plan.config.proc == Proc::Fresh {
            limited?;
        }
    }
    let settings = clone_tree(proc.as_fd(), "sys", READ_ONLY | sys::MOUNT_NOEXEC)?;
    attach(settings.as_fd(), proc.as_fd(), "sys")?;
    for name in PROC_MASKED {
        // What the action's uid cannot open anyway needs no cover; each costs as much as a file. The
        // machine's own /proc has the same names, and has them at hand.
        let path = format!("/proc/{name}");
        let allows = |access| accessat(CWD, &path, access, AtFlags::EACCESS);
        match allows(Access::READ_OK) {
            Err(Errno::NOENT) => continue,
            Err(_) if allows(Access::WRITE_OK).is_err() => continue,
            _ => {}
        }
        let cover = match statat(proc, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode).is_dir() => {
                clone_tree(CWD, "empty", READ_ONLY)?
            }
            _ => clone_tree(CWD, "/dev/null", 0)?,
        };
        attach(cover.as_fd(), proc.as_fd(), name)?;
    }
    Ok(())
}

/// A `/dev` of the few nodes that every program expects, taken from the machine's.
fn mount_dev<const N: usize>(
    base: &OwnedFd,
    root: &OwnedFd,
    devices: [(&str, Result<OwnedFd>); N],
) -> Result<()> {
    let dev = clone_tree(base.as_fd(), "dev", sys::MOUNT_NOSUID)?;
    attach(dev.as_fd(), root.as_fd(), "dev")?;
    for (name, node) in devices {
        let mode = Mode::from_raw_mode(0o666);
        mknodat(&dev, name, FileType::RegularFile, mode, 0).during("mknod", name)?;
        attach(node?.as_fd(), dev.as_fd(), name)?;
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
/// binding all of it would double the mounts that a start has to copy. Absent where it is not
/// permitted: nothing fails for want of it.
fn mount_sys(root: &OwnedFd) -> Result<()> {
    match clone_tree(CWD, "/sys/devices/system", READ_ONLY | sys::MOUNT_NOEXEC) {
        Ok(system) => attach(system.as_fd(), root.as_fd(), "sys/devices/system"),
        Err(_) => Ok(()),
    }
}

/// Binds the input root at its own absolute path.
fn bind_input_root(mount: OwnedFd, input_root: &InputRoot, root: &OwnedFd) -> Result<()> {
    let path = relative(&input_root.path);
    let resolve = WITHIN | ResolveFlags::NO_SYMLINKS;
    let target = openat2(root, &path, DIRECTORY, Mode::empty(), resolve).during("open", &path)?;
    attach_to(&mount, &target, &path)
}

/// The helper's descriptor belongs to the mount namespace outside, and what this one binds must be
/// opened anew: the same directory, or nothing.
fn reopen_input_root(input_root: &InputRoot) -> Result<OwnedFd> {
    let path = &input_root.path;
    let again = openat2(CWD, path, DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS)
        .during("open", path)?;
    let identity = |fd: &OwnedFd| fstat(fd).map(|s| (s.st_dev, s.st_ino)).during("stat", path);
    if identity(&again)? != identity(&input_root.directory)? {
        return Err(Errno::STALE).during("open", path);
    }
    clone_tree(again.as_fd(), "", NO_SETUID)
}

/// Writes a kernel file in one piece.
pub fn write_file(directory: BorrowedFd<'_>, path: &str, content: &str) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(directory, path, flags, Mode::empty()).during("open", path)?;
    rustix::io::write(&file, content.as_bytes()).during("write", path).map(drop)
}
