//! The straight sequence that makes a sandbox: namespaces, mounts, pivot, action.
//!
//! Nothing of the image is followed while anything outside of it can still be reached: what berth
//! provides goes into the overlay's upper before the overlay exists, and every path that an image
//! or a client had a hand in is resolved within its root, by the kernel, through no link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, open, openat};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{fchdir, getppid, pivot_root, set_child_subreaper, umask};

use crate::action::{self, Hold};
use crate::collect;
use crate::command_line::{Plan, Source};
use crate::config::Proc;
use crate::error::{During, Error, Result};
use crate::lease::{self, Lease};
use crate::mount::{self, attach, clone_tree};
use crate::output::Output;
use crate::passwd;
use crate::place;
use crate::process::{self, Identity};
use crate::resolve::openat2;
use crate::secrets;
use crate::skeleton::{self, Disk};
use crate::sys::{self, Beside, Signals};
use crate::upper::{self, make_within};

/// The same for every action: a result must not depend on which machine made it.
pub const HOSTNAME: &str = "berth";
/// A directory as a place, not to be read.
pub const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// How a path that an image had a hand in is resolved.
pub const WITHIN: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// The directory that holds the action's inputs and takes its outputs.
pub struct InputRoot {
    /// Where the machine has it.
    pub path: PathBuf,
    pub directory: OwnedFd,
    /// Where the action finds it.
    pub inside: PathBuf,
    /// What it lies in where an image was merged into the input root: that image.
    pub image: Option<OwnedFd>,
    /// The build directory as the kernel names it.
    pub build: PathBuf,
}

/// Runs the action and returns the status to exit with.
pub fn run(plan: &mut Plan) -> Result<u8> {
    let identity = Identity::of(&plan.config);
    // As the operator's user, and before anything of the action's is there.
    plan.secrets = secrets::read(&plan.step, plan.config.secrets.as_deref())?;
    // Opened before anything is mounted, so that a build directory beneath /tmp stays reachable.
    let input_root = open_input_root(plan)?;
    let lease = take_lease(plan)?;
    let image = lease.as_ref().map(|lease| &lease.root).or(input_root.image.as_ref());
    name_user(plan, image)?;
    let plan = &*plan;
    // The current directory is the one thing that a new mount namespace translates for us: the image
    // root is reached there without its path being walked again by anyone.
    if let Some(image) = image {
        fchdir(image).during("fchdir", "rootfs")?;
    }
    let mut output = match plan.secrets.is_empty() {
        true => None,
        false => Some(Output::through_pipes(&plan.secrets, identity.owner())?),
    };
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
        let status = output
            .map_or(Ok(()), Output::enter)
            .and_then(|()| make(plan, identity, &input_root, signals, &inside))
            .unwrap_or_else(|error| process::report(&inside, &error));
        sys::exit_at_once(status)
    };
    drop(inside);
    if let Some(output) = &mut output {
        output.leave();
    }
    let used = || lease.as_ref().and_then(|lease| tell_used(plan, lease));
    process::supervise(plan, identity, &input_root, signals, (outside, init), output, used)
}

/// Looks the action's user up, where it was given by name.
fn name_user(plan: &mut Plan, image: Option<&OwnedFd>) -> Result<()> {
    if plan.names.is_none() {
        return Ok(());
    }
    match image {
        Some(image) => passwd::resolve(plan, image),
        None => {
            let machine = open("/", DIRECTORY, Mode::empty()).during("open", "/")?;
            passwd::resolve(plan, &machine)
        }
    }
}

fn open_input_root(plan: &Plan) -> Result<InputRoot> {
    let here = std::env::current_dir().during("getcwd", "")?;
    let directory = match &plan.source {
        Source::Inline { name } => Path::new(name).join(&plan.working_directory),
        _ => plan.working_directory.clone(),
    };
    // Joined with an empty path it ends in a slash, which is no part of its name.
    let directory: PathBuf = directory.components().collect();
    if !here.ends_with(&directory) {
        return Err(Error::Usage(format!(
            "the current directory {here:?} does not end in the working directory {directory:?}"
        )));
    }
    let whole = here.ancestors().nth(directory.components().count()).unwrap_or(&here);
    // The kernel names the current directory without links; the operator may have used some.
    let build = &plan.config.build_directory;
    let beneath = |build: &Path| whole.starts_with(build) && whole != build;
    let physical = if beneath(build) { Ok(build.clone()) } else { std::fs::canonicalize(build) };
    let build = match physical {
        Ok(build) if beneath(&build) => build,
        _ => {
            return Err(Error::Usage(format!(
                "the input root {whole:?} must lie beneath build_directory {build:?}"
            )));
        }
    };
    let place = |path: &Path| {
        openat2(CWD, path, DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS).during("open", path)
    };
    Ok(match &plan.source {
        Source::Inline { name } => InputRoot {
            path: whole.join(name),
            directory: place(&whole.join(name))?,
            inside: Path::new("/").join(name),
            image: Some(place(whole)?),
            build,
        },
        _ => InputRoot {
            path: whole.to_owned(),
            directory: place(whole)?,
            inside: whole.to_owned(),
            image: None,
            build,
        },
    })
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
    // The helper writes the id maps meanwhile: first what needs no ids.
    let proc = mount::open_proc(plan)?;
    process::become_sandbox_user(plan, identity, socket)?;
    let mask = umask(Mode::empty());

    let (gate, opener) = pipe_with(PipeFlags::CLOEXEC).during("pipe", "")?;
    let hold = Hold { proc: &proc, socket, gate: &gate };
    let mut action = || match action::enter(plan, &hold, &input_root.inside, mask) {
        Ok(()) => {
            let error = action::exec(plan);
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
    // Its process is prepared beside the mounts: it is the longer half of what follows them.
    let action = Beside::start(own, &mut action).during("clone", "action")?;
    let devices = mount::DEVICES.map(|name| (name, clone_tree(CWD, format!("/dev/{name}"), 0)));

    let place = if plan.source == Source::Machine { "/" } else { "." };
    let source = open(place, DIRECTORY, Mode::empty()).during("open", "rootfs")?;
    // Opened before anything is mounted over its path.
    let own_mount = match identity.is_mapped() {
        true => None,
        false => Some(mount::reopen_input_root(input_root)?),
    };
    // The one directory of ours: everything that vanishes with the action lies in it.
    let (base, disk) = open_base(plan)?;
    // Its owners may have to be mapped as well, for the overlay to copy what the action changes.
    let mut mapped = match (&plan.source, identity.is_mapped()) {
        (Source::Inline { .. }, true) => Some(process::receive_mounts(socket)?),
        _ => None,
    };
    fchdir(&base).during("fchdir", "base")?;
    for name in ["u", "w", "root", "empty", "dev", "tmp"] {
        let mode = Mode::from_raw_mode(if name == "tmp" { 0o1777 } else { 0o755 });
        mkdirat(&base, name, mode).during("mkdir", name)?;
    }
    upper::fill(plan, &base, &source, &input_root.inside)?;
    let mapped_image = mapped.as_mut().and_then(|mounts| mounts.image.take());
    let root = make_root(plan, &base, [mapped_image, Some(source)], input_root)?;
    // Where a link of the image stands in its way.
    plan.made_home().map_or(Ok(()), |home| make_within(&root, home))?;
    mount::mount_proc(plan, &proc, &root)?;
    mount::mount_dev(&base, &root, devices)?;
    mount::mount_sys(&root)?;
    attach(clone_tree(base.as_fd(), "tmp", mount::NO_SETUID)?.as_fd(), root.as_fd(), "tmp")?;
    let mount = match (own_mount, mapped) {
        (Some(mount), _) => mount,
        (None, Some(mounts)) => mounts.input_root,
        (None, None) => process::receive_mounts(socket)?.input_root,
    };
    mount::bind_input_root(mount, &input_root.inside, &root)?;
    place::bind(&plan.step.places, &root, &input_root.inside)?;
    // Whatever the action does to the way there.
    let outputs = match plan.step.collects.is_empty() {
        true => None,
        false => Some(mount::open_inside(&root, &input_root.inside)?),
    };

    // Stacks the new root on the old one and takes the old one away: nothing outside has a name now.
    fchdir(&root).during("fchdir", "root")?;
    pivot_root(".", ".").during("pivot_root", "root")?;
    unmount(".", UnmountFlags::DETACH).during("umount2", "old root")?;
    process::end_with_helper(socket);
    rustix::io::write(&opener, b"g").during("write", "action")?;
    // While the action runs, not when it has ended.
    drop((root, base));
    let status = process::reap(signals, action.pid, helper, plan.config.proc)?;
    action.ended();
    if let (Some(outputs), Some(_)) = (outputs, status) {
        collect_outputs(plan, socket, &outputs)?;
    }
    if let Some(disk) = disk {
        disk.remove();
    }
    Ok(status.unwrap_or(125))
}

/// Copies what the step keeps, with no right that the action lacked. It ends at once with the helper:
/// outputs are taken right after that is killed.
fn collect_outputs(plan: &Plan, socket: &OwnedFd, outputs: &OwnedFd) -> Result<()> {
    sys::die_with_parent(libc::SIGKILL).during("prctl", "pdeathsig")?;
    process::end_with_helper(socket);
    let root = open("/", DIRECTORY, Mode::empty()).during("open", "/")?;
    action::with_rights_of_action(plan, || collect::collect(&plan.step.collects, &root, outputs))
}

/// The root: an overlay over the first of the sources that can be the lower of one. Some kernels and
/// security modules refuse it in a user namespace, and some file systems under it.
fn make_root(
    plan: &Plan,
    base: &OwnedFd,
    sources: [Option<OwnedFd>; 2],
    input_root: &InputRoot,
) -> Result<OwnedFd> {
    let [mapped, source] = sources;
    if let Some(mapped) = &mapped {
        mkdirat(base, "image", Mode::from_raw_mode(0o755)).during("mkdir", "image")?;
        attach(mapped.as_fd(), base.as_fd(), "image")?;
    }
    let sources = || mapped.iter().chain(&source);
    if plan.source != Source::Machine
        && let Some(root) = sources().find_map(|source| mount::mount_overlay(base, source).ok())
    {
        return Ok(root);
    }
    let source = sources().next().ok_or(Errno::NOENT).during("open", "rootfs")?;
    skeleton::build(plan, base, source, input_root)
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
    let base = mount::mount_new("tmpfs", &options)?;
    // On a place that is not looked at again: the image root's own, or the one directory that an action
    // without an image gets a new one of in any case.
    let place = if plan.source == Source::Machine { "/tmp" } else { "." };
    attach(base.as_fd(), CWD, place)?;
    Ok((base, None))
}

/// Writes a kernel file in one piece.
pub fn write_file(directory: BorrowedFd<'_>, path: &str, content: &str) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(directory, path, flags, Mode::empty()).during("open", path)?;
    rustix::io::write(&file, content.as_bytes()).during("write", path).map(drop)
}
