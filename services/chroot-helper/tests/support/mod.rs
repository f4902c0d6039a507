//! A machine for the tests: a store with one image root, a build directory with one action, and a
//! helper started as root or as an ordinary user.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub const HELPER: &str = env!("CARGO_BIN_EXE_berth-exec");
/// The digest that the tests' image goes by.
pub const HEX: &str = "5af1d7c1f3d0d6b5c2e4b8a79f00112233445566778899aabbccddeeff001122";
/// The ordinary user that the helper is started as.
pub const USER: u32 = 12345;
/// The sandbox's uid where the helper is started as root.
pub const SANDBOX: u32 = 65533;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Copies a program. Not by ourselves: a child that another test's thread forks meanwhile would
/// hold the copy open for writing, and it could not be executed ("text file busy").
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(status.success(), "cp {from:?}");
}

/// Who starts the helper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    Root,
    User,
}

/// Both, where the tests run as root; the user's own start otherwise, and the reason is printed.
pub fn starts() -> Vec<Start> {
    if rustix::process::geteuid().is_root() {
        return vec![Start::Root, Start::User];
    }
    println!("only the ordinary user's start: these tests do not run as root");
    vec![Start::User]
}

/// How the image reaches the worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// In the store, as a root of its own.
    BindMount,
    /// Merged into the action's input root.
    Inline,
}

/// A start of the helper in a mode.
#[derive(Clone, Copy, PartialEq)]
pub struct Case {
    pub start: Start,
    pub mode: Mode,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}-{:?}", self.start, self.mode)
    }
}

impl From<Start> for Case {
    fn from(start: Start) -> Case {
        Case { start, mode: Mode::BindMount }
    }
}

/// Every start in every mode: what an action gets is the same in all of them.
pub fn cases() -> Vec<Case> {
    let modes = |start| [Mode::BindMount, Mode::Inline].map(|mode| Case { start, mode });
    starts().into_iter().flat_map(modes).collect()
}

/// The directory of a merged input root that is the action's own.
pub const EXEC_ROOT: &str = "bazel_exec_root";

pub struct Machine {
    pub start: Start,
    pub mode: Mode,
    pub directory: PathBuf,
    pub config: String,
}

/// What an action left: status and output as text.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Machine {
    pub fn new(case: impl Into<Case>) -> Machine {
        let Case { start, mode } = case.into();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // Not in /tmp, which the sandbox replaces: hosts' paths must have a chance to show.
        let name = format!("berth-exec-test-{}-{number}", std::process::id());
        let directory = Path::new("/var/tmp").join(name);
        let machine = Machine { start, mode, directory, config: String::new() };
        let root = machine.root();
        for name in ["bin", "etc", "usr/lib"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        copy(Path::new("/bin/busybox"), &root.join("bin/busybox"));
        let probe = Path::new(HELPER).with_file_name("examples").join("probe");
        copy(&probe, &root.join("bin/probe"));
        // The checkout may lie where only root can go.
        copy(Path::new(HELPER), &directory_helper(&machine.directory));
        for name in [
            "sh", "cat", "chmod", "chroot", "cp", "dd", "echo", "env", "find", "grep", "head",
            "hostname", "id", "ifconfig", "kill", "ln", "ls", "mkdir", "mount", "mv", "nc", "ps",
            "pwd", "readlink", "rm", "seq", "setsid", "sleep", "sort", "stat", "touch", "true",
            "umount", "wc", "wget",
        ] {
            symlink("busybox", root.join("bin").join(name)).unwrap();
        }
        fs::write(root.join("etc/os-release"), "NAME=image\n").unwrap();
        fs::create_dir_all(machine.lease().parent().unwrap()).unwrap();
        fs::write(machine.lease(), "").unwrap();
        fs::write(machine.lease().with_file_name("image.json"), "{}\n").unwrap();
        fs::create_dir_all(machine.input_root().join("sub")).unwrap();
        fs::create_dir_all(machine.directory.join("build/other/root")).unwrap();
        fs::write(machine.directory.join("build/other/root/secret"), "another's").unwrap();
        fs::create_dir_all(machine.directory.join("victim")).unwrap();
        machine.settle();
        machine
    }

    /// Gives everything the owners that the parts of berth give it.
    pub fn settle(&self) {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        match self.start {
            Start::User => own(&self.directory, USER),
            Start::Root => own(&self.directory.join("store"), SANDBOX),
        }
        for name in ["", "sub"] {
            let mode = fs::Permissions::from_mode(0o777);
            fs::set_permissions(self.input_root().join(name), mode).unwrap();
        }
    }

    /// The image's files.
    pub fn root(&self) -> PathBuf {
        match self.mode {
            Mode::BindMount => self.directory.join("store/roots").join(HEX).join("rootfs"),
            Mode::Inline => self.whole_input_root(),
        }
    }

    pub fn lease(&self) -> PathBuf {
        self.directory.join("store/roots").join(HEX).join("lock")
    }

    /// What the worker laid out for the action.
    pub fn whole_input_root(&self) -> PathBuf {
        self.directory.join("build/action/root")
    }

    /// The action's own part of it.
    pub fn input_root(&self) -> PathBuf {
        match self.mode {
            Mode::BindMount => self.whole_input_root(),
            Mode::Inline => self.whole_input_root().join(EXEC_ROOT),
        }
    }

    /// Where the action finds that.
    pub fn inside(&self) -> PathBuf {
        match self.mode {
            Mode::BindMount => self.input_root(),
            Mode::Inline => Path::new("/").join(EXEC_ROOT),
        }
    }

    /// Every file of the image as it is on disk: equal if untouched.
    pub fn image(&self) -> Vec<String> {
        let own = self.whole_input_root().join(EXEC_ROOT).display().to_string();
        snapshot(&self.root()).into_iter().filter(|line| !line.starts_with(&own)).collect()
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.join("run/socket")
    }

    /// The uid that outputs must have.
    pub fn runner(&self) -> u32 {
        match self.start {
            Start::Root => 0,
            Start::User => fs::metadata(self.input_root()).unwrap().uid(),
        }
    }

    /// The helper in the action's working directory, with a configuration and nothing else yet.
    pub fn helper(&self) -> Command {
        let file = self.directory.join("exec.toml");
        let directory = self.directory.display();
        let text = format!(
            "{}\nstore = \"{directory}/store\"\nsocket = \"{directory}/run/socket\"\n\
             build_directory = \"{directory}/build\"\n",
            self.config
        );
        // Whole at every moment: helpers that were started before may not have read theirs yet.
        fs::write(file.with_extension("new"), text).unwrap();
        fs::rename(file.with_extension("new"), &file).unwrap();
        let mut command = Command::new(directory_helper(&self.directory));
        command.arg(format!("--config={}", file.display()));
        command.current_dir(self.input_root()).env_clear().stdin(Stdio::null());
        if self.start == Start::User && rustix::process::geteuid().is_root() {
            command.uid(USER).gid(USER);
        }
        command
    }

    /// The helper with the image and `flags`, ready to be started.
    pub fn command<S: AsRef<OsStr>>(&self, flags: &[&str], argv: &[S]) -> Command {
        let mut command = self.helper();
        command.arg(format!("--image=registry.example/test@sha256:{HEX}"));
        if self.mode == Mode::Inline {
            command.arg(format!("--inline={EXEC_ROOT}"));
        }
        command.args(flags);
        command.arg("--").args(argv);
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, flags: &[&str], argv: &[S]) -> Outcome {
        outcome(self.command(flags, argv).output().unwrap())
    }

    /// Runs a script of the image's shell.
    pub fn shell(&self, flags: &[&str], script: &str) -> Outcome {
        self.run(flags, &["sh", "-c", script])
    }
}

fn directory_helper(directory: &Path) -> PathBuf {
    directory.join("berth-exec")
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

pub fn outcome(output: Output) -> Outcome {
    Outcome {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What is printed, and nothing on stderr, with status 0.
pub fn prints(stdout: &str) -> Outcome {
    Outcome { status: 0, stdout: stdout.to_owned(), stderr: String::new() }
}

pub fn own(path: &Path, uid: u32) {
    lchown(path, Some(uid), Some(uid)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            own(&entry.unwrap().path(), uid);
        }
    }
}

/// Every entry beneath a directory with its type, mode, owner, times and content: equal if untouched.
pub fn snapshot(path: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let meta = path.symlink_metadata().unwrap();
        let content = match meta.is_file() {
            true => fs::read(&path).unwrap().len().to_string(),
            false => fs::read_link(&path).unwrap_or_default().display().to_string(),
        };
        lines.push(format!(
            "{} {:o} {} {} {} {content}",
            path.display(),
            meta.mode(),
            meta.uid(),
            meta.mtime(),
            meta.ctime_nsec()
        ));
        if meta.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    lines.sort();
    lines
}

/// Gives the child a descriptor under a number of its own.
pub fn pass_as(command: &mut Command, fd: std::os::fd::OwnedFd, number: i32) {
    use std::os::fd::AsRawFd;
    // SAFETY: only system calls between fork and exec. Where the number is the descriptor's own, dup2
    // would leave it to be closed.
    unsafe {
        command.pre_exec(move || {
            let copied = libc::dup2(fd.as_raw_fd(), number);
            match libc::fcntl(copied, libc::F_SETFD, 0) {
                -1 => Err(std::io::Error::last_os_error()),
                _ => Ok(()),
            }
        });
    }
}
