//! What operators and Node say to the helper: its file, its flags, its subcommands, its check.

mod support;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};
use support::{HELPER, HEX, Machine, Outcome, Start, outcome, prints, starts};

fn fails(stderr: &str) -> Outcome {
    Outcome { status: 125, stdout: String::new(), stderr: format!("berth-exec: {stderr}\n") }
}

#[test]
fn a_wrong_configuration_is_refused_with_its_line() {
    let machine = Machine::new(starts()[0]);
    let file = machine.directory.join("wrong.toml");
    for (text, reason) in [
        (
            "store = \"/s\"\n\nstroe = \"/s\"\n",
            "line 3: unknown field `stroe`, expected one of `store`, `socket`, `build_directory`, `sandbox_uid`, \
             `sandbox_gid`, `build_user`, `network`, `upper`, `upper_size`, `proc`, `acquire_timeout_seconds`, \
             `fault_fd`, `sub_uids`, `sub_gids`, `hide`, `secrets`, `max_processes`, `nested_user_namespaces`, \
             `all_system_calls`",
        ),
        (
            "build_directory = \"/b\"\nnetwork = \"bridge\"\n",
            "line 2: unknown variant `bridge`, expected `host` or `none`",
        ),
        ("upper_size = -1\n", "line 1: invalid value: integer `-1`, expected u64"),
        (
            "build_directory = \"relative\"\n",
            "build_directory must be an absolute path without \"..\": current value is \"relative\"",
        ),
        (
            "build_directory = \"/a/../b\"\n",
            "build_directory must be an absolute path without \"..\": current value is \"/a/../b\"",
        ),
        (
            "build_directory = \"/b\"\nbuild_user = { name = \"a:b\", uid = 1, gid = 1, home = \"/h\" }\n",
            "build_user.name must be letters, digits, \"_\", \"-\" and \".\"",
        ),
        (
            "build_directory = \"/b\"\nbuild_user = { name = \"a\", uid = 1, gid = 1, home = \"/h\\n0\" }\n",
            "build_user.home must hold no \":\" and no control character",
        ),
        (
            "build_directory = \"/b\"\nupper = \"ramfs\"\n",
            "upper must be \"tmpfs\" or an absolute path",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let mut command = Command::new(HELPER);
        command.arg(format!("--config={}", file.display())).args(["--sandbox", "--", "true"]);
        let expected = fails(&format!("{}: {reason}", file.display()));
        assert_eq!(outcome(command.output().unwrap()), expected, "{text}");
    }
    let mut command = Command::new(HELPER);
    command.args(["--config=/no/such/file", "--sandbox", "--", "true"]);
    let expected = fails("/no/such/file: No such file or directory");
    assert_eq!(outcome(command.output().unwrap()), expected);
}

#[test]
fn a_wrong_command_line_is_refused() {
    let machine = Machine::new(starts()[0]);
    let image = format!("--image=r/i@sha256:{HEX}");
    for (arguments, reason) in [
        (vec!["--", "true"], "exactly one of --image and --sandbox must be given".to_owned()),
        (vec!["--sandbox", &image, "--", "true"], "exactly one of --image and --sandbox must be given".to_owned()),
        (vec![&image], "no program behind --".to_owned()),
        (vec![&image, "--"], "no program behind --".to_owned()),
        (vec![&image, "true"], "unknown argument \"true\"".to_owned()),
        (vec![&image, "--privileged", "--", "true"], "unknown argument \"--privileged\"".to_owned()),
        (vec![&image, "--network=bridge", "--", "true"], "--network must be host or none".to_owned()),
        (vec![&image, "--config=relative", "--", "true"], "--config must be an absolute path".to_owned()),
        (
            vec![&image, "--user=-1", "--", "true"],
            "--user must be build, root or USER[:GROUP], each a name or a number: current value is \"-1\"".to_owned(),
        ),
        (
            vec![&image, "--user=4294967295", "--", "true"],
            "--user must be build, root or USER[:GROUP], each a name or a number: current value is \"4294967295\"".to_owned(),
        ),
        (
            vec![&image, "--working-directory=a/../..", "--", "true"],
            "--working-directory must be relative and normalised: current value is \"a/../..\"".to_owned(),
        ),
        (
            vec![&image, "--working-directory=/a", "--", "true"],
            "--working-directory must be relative and normalised: current value is \"/a\"".to_owned(),
        ),
        (
            vec!["--image=debian:latest", "--", "true"],
            "--image must be registry/repository@sha256:<64 hex digits> or cas://<64 hex digits>/<size>: current \
             value is \"debian:latest\"".to_owned(),
        ),
        (
            vec!["--image=r/i\nACQUIRE x@sha256:5af1d7c1f3d0d6b5c2e4b8a79f00112233445566778899aabbccddeeff001122", "--", "true"],
            "--image must be registry/repository@sha256:<64 hex digits> or cas://<64 hex digits>/<size>: current value is \
             \"r/i\\nACQUIRE x@sha256:5af1d7c1f3d0d6b5c2e4b8a79f00112233445566778899aabbccddeeff001122\"".to_owned(),
        ),
        (
            vec!["--image=cas://5af1d7c1/9", "--", "true"],
            "--image must be registry/repository@sha256:<64 hex digits> or cas://<64 hex digits>/<size>: current \
             value is \"cas://5af1d7c1/9\"".to_owned(),
        ),
        (vec!["--inline=root", "--", "true"], "--inline takes the --image that is in it".to_owned()),
        (
            vec!["--inline=root", "--sandbox", "--", "true"],
            "exactly one of --image and --sandbox must be given".to_owned(),
        ),
        (
            vec![&image, "--inline=../root", "--", "true"],
            "--inline must be the name of a directory: current value is \"../root\"".to_owned(),
        ),
        (
            vec![&image, "--inline=proc", "--", "true"],
            "--inline must be the name of a directory: current value is \"proc\"".to_owned(),
        ),
        (
            vec![&image, "--inline=elsewhere", "--", "true"],
            format!(
                "the current directory {:?} does not end in the working directory \"elsewhere\"",
                machine.input_root()
            ),
        ),
        (
            vec![&image, "--working-directory=elsewhere", "--", "true"],
            format!(
                "the current directory {:?} does not end in the working directory \"elsewhere\"",
                machine.input_root()
            ),
        ),
    ] {
        let found = outcome(machine.helper().args(&arguments).output().unwrap());
        assert_eq!(found, fails(&format!("{reason} (see berth-exec --help)")), "{arguments:?}");
    }
}

#[test]
fn a_runner_outside_of_the_build_directory_is_refused() {
    for start in starts() {
        let machine = Machine::new(start);
        for place in ["/", "/usr", machine.directory.join("build").to_str().unwrap()] {
            let mut command = machine.command(&[], &["true"]);
            let found = outcome(command.current_dir(place).output().unwrap());
            let text = format!(
                "the input root {place:?} must lie beneath build_directory {:?} (see berth-exec --help)",
                machine.directory.join("build")
            );
            assert_eq!(found, fails(&text), "{start:?}");
        }
    }
}

#[test]
fn a_fault_of_the_machine_touches_the_infrastructure_failure_file() {
    for start in starts() {
        let mut machine = Machine::new(start);
        fs::remove_dir_all(machine.lease().with_file_name("")).unwrap();
        let flag = "--infrastructure-failure-file=sub/failed";
        assert_eq!(machine.run(&[flag], &["true"]).status, 125, "{start:?}");
        let file = machine.input_root().join("sub/failed");
        assert!(file.exists(), "{start:?}");

        // Through a link of the action's inputs nothing is touched, as root least of all.
        let victim = machine.directory.join("victim");
        std::os::unix::fs::symlink(&victim, machine.input_root().join("link")).unwrap();
        machine.run(&["--infrastructure-failure-file=link/failed"], &["true"]);
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0, "{start:?}");

        // A wrong command line or image is not the machine's fault, and a program's status neither.
        machine = Machine::new(start);
        for (flags, program) in [(&["--user=nobody"][..], "true"), (&[], "absent")] {
            let found = machine.run(&[flags, &[flag]].concat(), &[program]);
            assert_ne!(found.status, 0);
            assert!(!machine.input_root().join("sub/failed").exists(), "{start:?} {found:?}");
        }
    }
}

#[test]
fn usage_counts_all_processes_of_the_action() {
    for start in starts() {
        let mut machine = Machine::new(start);
        machine.config = "fault_fd = 7".to_owned();
        let (mut reader, writer) = std::io::pipe().unwrap();
        // An orphan, too, which only the init of the sandbox waits for.
        let script = "(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done & sleep 0.01) ; sleep 1";
        let mut command = machine.command(&[], &["sh", "-c", script]);
        support::pass_as(&mut command, writer.into(), 7);
        assert_eq!(outcome(command.output().unwrap()).status, 0);
        drop(command);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let micros: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(micros > 20_000, "{start:?} {text}");
    }
}

#[test]
fn the_fault_descriptor_tells_usage_and_no_fault_where_the_status_is_the_action_s() {
    for start in starts() {
        let mut machine = Machine::new(start);
        machine.config = "fault_fd = 7".to_owned();
        for (script, status) in
            [("exit 125", 125), ("exit 0", 0), ("exec absent", 127), ("echo x >&7", 1)]
        {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let mut command = machine.command(&[], &["sh", "-c", script]);
            support::pass_as(&mut command, writer.into(), 7);
            let found = outcome(command.output().unwrap());
            drop(command);
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!(found.status, status, "{start:?} {script} {found:?}");
            let used = text.strip_prefix("USAGE ").and_then(|rest| rest.strip_suffix('\n'));
            let used: Vec<u64> = used.unwrap().split(' ').map(|n| n.parse().unwrap()).collect();
            let [_user, _system, kibibytes] = used[..] else { panic!("{text}") };
            assert!((100..100_000).contains(&kibibytes), "{text}");
        }
        fs::write(machine.root().with_file_name("rootfs-file"), "").unwrap();
        fs::remove_dir_all(machine.root().join("etc")).unwrap();
        fs::write(machine.root().join("etc"), "").unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = machine.command(&[], &["true"]);
        support::pass_as(&mut command, writer.into(), 7);
        let text = "\"/etc\" of the image root is not a directory (links are not followed)";
        assert_eq!(outcome(command.output().unwrap()), fails(text), "{start:?}");
        drop(command);
        let mut line = String::new();
        reader.read_to_string(&mut line).unwrap();
        assert_eq!(line, format!("FAILED_PRECONDITION {text}\n"), "{start:?}");
    }
}

/// Runs a subcommand with a file as its standard input.
fn subcommand(arguments: &[&str], stdin: impl Into<Stdio>) -> Outcome {
    outcome(Command::new(HELPER).args(arguments).stdin(stdin).output().unwrap())
}

#[test]
fn lock_takes_a_lock_that_stays_with_the_callers_descriptor() {
    let machine = Machine::new(starts()[0]);
    let (ours, other) =
        (File::open(machine.lease()).unwrap(), File::open(machine.lease()).unwrap());
    let copy = |file: &File| Stdio::from(file.try_clone().unwrap());
    assert_eq!(subcommand(&["lock", "--exclusive", "0"], copy(&ours)), prints(""));
    assert!(flock(&other, FlockOperation::NonBlockingLockShared).is_err());
    let blocked = Outcome { status: 1, ..prints("") };
    for kind in ["--shared", "--exclusive"] {
        assert_eq!(subcommand(&["lock", kind, "--nonblocking", "0"], copy(&other)), blocked);
    }
    assert_eq!(subcommand(&["lock", "--shared", "0"], copy(&ours)), prints(""));
    assert_eq!(subcommand(&["lock", "--shared", "--nonblocking", "0"], copy(&other)), prints(""));
    drop(ours);
    assert_eq!(
        subcommand(&["lock", "--exclusive", "--nonblocking", "0"], copy(&other)),
        prints("")
    );
}

#[test]
fn peercred_names_the_process_at_the_other_end() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let found = subcommand(&["peercred", "0"], std::os::fd::OwnedFd::from(ours));
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let expected = format!("{} {} {}\n", std::process::id(), uid.as_raw(), gid.as_raw());
    assert_eq!(found, prints(&expected));
    let text = "getsockopt(\"0\") failed: Not a socket";
    assert_eq!(subcommand(&["peercred", "0"], File::open("/etc/hostname").unwrap()), fails(text));
}

#[test]
fn syncfs_writes_a_file_system_out() {
    let machine = Machine::new(starts()[0]);
    let mut file = File::create(machine.directory.join("new")).unwrap();
    file.write_all(b"new").unwrap();
    assert_eq!(subcommand(&["syncfs", "0"], file), prints(""));
    let text = "fcntl(\"77\") failed: Bad file descriptor";
    assert_eq!(subcommand(&["syncfs", "77"], Stdio::null()), fails(text));
}

#[test]
fn help_and_version_need_no_configuration() {
    let version = prints(concat!("berth-exec ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(subcommand(&["--version"], Stdio::null()), version);
    let help = subcommand(&["--help"], Stdio::null());
    assert_eq!((help.status, help.stdout.contains("--image=REFERENCE")), (0, true));
}

#[test]
fn check_passes_on_a_machine_that_can_run_actions() {
    for start in starts() {
        let machine = Machine::new(start);
        let found = outcome(machine.helper().arg("--check").output().unwrap());
        assert_eq!(found.status, 0, "{start:?} {found:?}");
        for line in found.stdout.lines() {
            // No fetcher runs here, which an action with a cached root does not need.
            let expected = if line.contains("socket") { "missing" } else { "ok" };
            assert!(line.starts_with(expected), "{start:?} {line}");
        }
        let json = outcome(machine.helper().args(["--check", "--json"]).output().unwrap());
        assert!(
            json.stdout.starts_with(
                "[{\"name\":\"store\",\"ok\":true,\"required\":false,\"refused\":\"\"}"
            )
        );
    }
}

#[test]
fn check_names_what_a_root_runner_lacks() {
    if !starts().contains(&Start::Root) {
        return;
    }
    let machine = Machine::new(Start::Root);
    let config = machine.helper().get_args().next().unwrap().to_owned();
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-setfcap,-sys_admin").arg(HELPER).arg(config).arg("--check");
    let found = outcome(command.output().unwrap());
    assert_eq!(found.status, 1, "{found:?}");
    let text = "[this root lacks CAP_SYS_ADMIN, CAP_SETFCAP: add them to the container]";
    assert!(found.stdout.contains(text), "{found:?}");
}
