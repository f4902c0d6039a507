//! What this machine permits, found by trying it, and whom to ask where it does not.

use std::fmt::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, XattrFlags, fsetxattr, mkdirat, open, openat};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};
use rustix::process::{WaitOptions, fchdir, geteuid, waitpid};
use rustix::thread::{CapabilitySet, capabilities};

use crate::action;
use crate::command_line::Plan;
use crate::config::{Config, Network, Proc};
use crate::error::{During, Result};
use crate::mount::{attach, mount_new, mount_overlay};
use crate::process::{self, Identity};
use crate::sandbox::{DIRECTORY, InputRoot};
use crate::sys;

/// One thing that was tried.
struct Finding {
    name: &'static str,
    /// Without it no action runs; with `false` something is slower, weaker or missing.
    required: bool,
    /// What was refused, and why and what to change where that can be told.
    refused: Option<String>,
}

/// Tries everything that a run needs. Returns the text to print, and whether an action can run.
pub fn report(config: Config, json: bool) -> (String, bool) {
    let findings = probe(config);
    let passes = findings.iter().all(|f| f.refused.is_none() || !f.required);
    let mut text = String::new();
    for finding in &findings {
        let refused = finding.refused.as_deref().unwrap_or_default();
        if json {
            let separator = if text.is_empty() { "[" } else { "," };
            let (name, required, ok) = (finding.name, finding.required, refused.is_empty());
            let refused = quote(refused);
            let _ = write!(
                text,
                "{separator}{{\"name\":\"{name}\",\"ok\":{ok},\"required\":{required},\"refused\":{refused}}}"
            );
        } else {
            let mark = match (&finding.refused, finding.required) {
                (None, _) => "ok",
                (Some(_), true) => "REFUSED",
                (Some(_), false) => "missing",
            };
            let _ = writeln!(text, "{mark:8}{:28}{refused}", finding.name);
        }
    }
    if json {
        text += "]\n";
    }
    (text, passes)
}

fn quote(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

fn probe(config: Config) -> Vec<Finding> {
    let plan = Plan::probe(config);
    let config = &plan.config;
    let identity = Identity::of(config);
    let mut findings = Vec::new();
    let mut add = |name, required, tried: Result<()>| {
        let refused = tried.err().map(|error| format!("{error}{}", cause(&error.to_string())));
        findings.push(Finding { name, required, refused });
    };
    for (name, path) in [
        ("store", config.store.as_deref()),
        ("root fetcher's socket", config.socket.as_deref()),
        ("build directory", Some(&*config.build_directory)),
    ] {
        let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else { continue };
        let found = std::fs::metadata(path).during("stat", path).map(drop);
        add(name, name == "build directory", found);
    }
    if identity.is_mapped() && !config.build_directory.as_os_str().is_empty() {
        add("build directory, idmapped", true, probe_idmap(&plan, identity));
    }
    match probe_inside(&plan, identity) {
        Err(error) => add("namespaces", true, Err(error)),
        Ok(inside) => {
            add("namespaces", true, Ok(()));
            for (name, required, refused) in inside {
                let refused = if refused.is_empty() { None } else { Some(refused) };
                findings.push(Finding { name, required, refused });
            }
        }
    }
    findings
}

fn probe_idmap(plan: &Plan, identity: Identity) -> Result<()> {
    let path = plan.config.build_directory.clone();
    let directory = open(&path, DIRECTORY, Mode::empty()).during("open", &path)?;
    let (inside, build) = (path.clone(), path.clone());
    let root = InputRoot { path, directory, inside, image: None, build };
    process::map_input_root(identity, &root).map(drop)
}

type Probe = fn(&Plan) -> Result<()>;

/// What is tried in the namespaces, and whether an action can do without.
const INSIDE: [(&str, bool, Probe); 7] = [
    ("fresh /proc", true, probe_proc),
    ("tmpfs", true, |_| mount_new("tmpfs", &[]).map(drop)),
    ("user xattrs on tmpfs", false, probe_xattr),
    // Before the other, which may cover it.
    ("overlay on inputs (inline)", false, probe_inline),
    ("overlay", false, |_| probe_overlay(None)),
    ("own host name and IPC", true, |_| action::leave_names(Network::Host)),
    ("network namespace", false, |_| action::leave_names(Network::None)),
];

/// Each thing inside, with the text of what was refused.
fn probe_inside(plan: &Plan, identity: Identity) -> Result<Vec<(&'static str, bool, String)>> {
    let kind = SocketType::SEQPACKET;
    let (outside, inside) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
        .during("socketpair", "")?;
    let namespaces = sys::SANDBOX_NAMESPACES | sys::PID_NAMESPACE;
    let Some(child) = sys::clone(namespaces).during("clone3", "namespaces")? else {
        drop(outside);
        if process::become_sandbox_user(plan, identity, &inside).is_ok() {
            for (_, _, try_it) in INSIDE {
                let text = try_it(plan).err().map(|e| format!("{e}{}", cause(&e.to_string())));
                // A first byte, since an empty message would look like the end.
                let message = format!(" {}", text.unwrap_or_default());
                let _ = send(&inside, message.as_bytes(), SendFlags::NOSIGNAL);
            }
        }
        sys::exit_at_once(0)
    };
    drop(inside);
    let mapped = process::write_id_maps(plan, identity, child);
    let mut results = Vec::new();
    if mapped.is_ok() {
        let _ = send(&outside, b"m", SendFlags::NOSIGNAL);
        for (name, required, _) in INSIDE {
            let mut text = [0_u8; 4096];
            let length = recv(&outside, &mut text, RecvFlags::empty()).map_or(0, |(n, _)| n);
            let refused = match length {
                0 => "not tried: what was tried before ended the attempt".to_owned(),
                _ => String::from_utf8_lossy(&text[1..length]).into_owned(),
            };
            results.push((name, required, refused));
        }
    }
    drop(outside);
    let _ = waitpid(Some(child), WaitOptions::empty());
    mapped.map(|()| results)
}

fn probe_proc(plan: &Plan) -> Result<()> {
    match plan.config.proc {
        Proc::Fresh => mount_new("proc", &[]).map(drop),
        Proc::Container => Ok(()),
    }
}

fn probe_xattr(_: &Plan) -> Result<()> {
    let mount = mount_new("tmpfs", &[])?;
    let directory = openat(&mount, ".", rustix::fs::OFlags::RDONLY, Mode::empty());
    let directory = directory.during("open", "tmpfs")?;
    fsetxattr(&directory, "user.berth", b"1", XattrFlags::empty()).during("setxattr", "tmpfs")
}

/// Inputs with an image merged into them are the lower of an overlay.
fn probe_inline(plan: &Plan) -> Result<()> {
    let build = &plan.config.build_directory;
    if build.as_os_str().is_empty() {
        return Ok(());
    }
    probe_overlay(Some(open(build, DIRECTORY, Mode::empty()).during("open", build)?))
}

fn probe_overlay(lower: Option<OwnedFd>) -> Result<()> {
    let base: OwnedFd = mount_new("tmpfs", &[])?;
    attach(base.as_fd(), CWD, "/tmp")?;
    fchdir(&base).during("fchdir", "tmpfs")?;
    for name in ["u", "w", "lower", "root"] {
        mkdirat(&base, name, Mode::RWXU).during("mkdir", name)?;
    }
    let ours = || openat(&base, "lower", DIRECTORY, Mode::empty()).during("open", "lower");
    let lower = lower.map_or_else(ours, Ok)?;
    mount_overlay(&base, &lower).map(drop)
}

/// The known reasons why a machine refuses what `error` tells of, with what changes them.
fn cause(error: &str) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let mut causes = Vec::new();
    if error.starts_with("setxattr") {
        causes.push("Linux before 6.6: set upper to a directory on disk".to_owned());
    }
    if error.starts_with("mount(\"overlay") {
        causes.push("actions run in a root of read-only binds instead".to_owned());
    }
    if error.starts_with("mount(\"proc") {
        causes.push(
            "parts of /proc are masked: with Kubernetes set procMount: Unmasked and hostUsers: false, \
             with Docker --security-opt systempaths=unconfined, or accept the weaker proc = \"container\""
                .to_owned(),
        );
    }
    if error.contains("not permitted") || error.contains("denied") || error.contains("No space") {
        for (path, bad, fix) in [
            (
                "/proc/sys/kernel/unprivileged_userns_clone",
                "0",
                "sysctl kernel.unprivileged_userns_clone=1",
            ),
            ("/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
            (
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
                "1",
                "an AppArmor profile that allows userns to this program, or sysctl \
                 kernel.apparmor_restrict_unprivileged_userns=0",
            ),
        ] {
            if read(path) == bad {
                causes.push(format!("{path} is {bad}: {fix}"));
            }
        }
        if read("/proc/self/status").lines().any(|line| line == "Seccomp:\t2") {
            causes.push(
                "a seccomp filter is in force: allow unshare, clone, mount, pivot_root and setns"
                    .to_owned(),
            );
        }
        causes.extend(missing_capabilities());
    }
    if causes.is_empty() { String::new() } else { format!(" [{}]", causes.join("; ")) }
}

/// What a runner that is root lacks.
fn missing_capabilities() -> Option<String> {
    if !geteuid().is_root() || !Path::new("/proc/self").exists() {
        return None;
    }
    let effective = capabilities(None).map(|sets| sets.effective).ok()?;
    let wanted = [
        (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
        (CapabilitySet::SETUID, "CAP_SETUID"),
        (CapabilitySet::SETGID, "CAP_SETGID"),
        (CapabilitySet::SETFCAP, "CAP_SETFCAP"),
    ];
    let missing: Vec<&str> = wanted
        .into_iter()
        .filter(|(capability, _)| !effective.contains(*capability))
        .map(|(_, name)| name)
        .collect();
    let advice = || format!("this root lacks {}: add them to the container", missing.join(", "));
    (!missing.is_empty()).then(advice)
}
