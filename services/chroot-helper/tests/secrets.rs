//! Secrets of the operator's folder: in the action's environment, and nowhere else.

mod support;

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::{Case, Machine, Outcome, cases, outcome, prints, starts};

const VALUE: &str = "hunter2-correct-horse";

/// A machine with secrets in a folder that only whoever starts the helper may read.
fn machine(case: impl Into<Case>) -> Machine {
    let mut machine = Machine::new(case);
    let folder = machine.directory.join("secrets");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("db"), format!("{VALUE}\n")).unwrap();
    fs::write(folder.join("key"), "-----BEGIN KEY-----\nAAAABBBBCCCC\nxyz\n-----END KEY-----\n")
        .unwrap();
    fs::write(folder.join("empty"), "\n").unwrap();
    machine.config = format!("secrets = \"{}\"", folder.display());
    machine.settle();
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    machine
}

#[test]
fn a_secret_is_a_variable_and_masked_in_what_is_printed() {
    for case in cases() {
        let machine = machine(case);
        let flags = ["--secret=DB:db", "--secret=KEY:key", "--secret=EMPTY:empty"];
        let script = "[ \"$DB\" = hunter2-correct-ho\"\"rse ] && echo same; echo ${#DB} ${#KEY} [$EMPTY]; \
                      echo \"pw=$DB;$DB\"; echo \"$KEY\"; echo \"$KEY\" | grep AAAA >&2; exit 3";
        let found = machine.shell(&flags, script);
        let stdout = "same\n21 54 []\npw=[secret db];[secret db]\n[secret key]\n";
        let stderr = "[secret key]\n";
        let expected = Outcome { status: 3, stdout: stdout.into(), stderr: stderr.into() };
        assert_eq!(found, expected, "{case:?}");
    }
}

#[test]
fn a_secret_is_masked_however_it_is_written() {
    for case in cases() {
        let machine = machine(case);
        let script = "i=0; while [ $i -lt ${#DB} ]; do printf %s \"${DB:$i:1}\"; \
                      busybox usleep 2000; i=$((i+1)); done; echo; printf '%s' \"<${DB:0:9}\"";
        let found = machine.shell(&["--secret=DB:db"], script);
        assert_eq!(found, prints("[secret db]\n<hunter2-c"), "{case:?}");
        // Across the ends of pipes and pieces.
        let script = "for i in $(seq 20000); do echo \"$i $DB\"; done";
        let found = machine.shell(&["--secret=DB:db"], script);
        let expected: String = (1..=20000).map(|i| format!("{i} [secret db]\n")).collect();
        assert_eq!(found, prints(&expected), "{case:?}");
        let found =
            machine.shell(&["--secret=DB:db"], "echo x >/dev/stdout; echo \"$DB\" >/dev/stderr");
        let stderr = "[secret db]\n".to_owned();
        assert_eq!(found, Outcome { stderr, ..prints("x\n") }, "{case:?}");
    }
}

#[test]
fn a_secret_takes_the_place_of_the_action_s_own_variable() {
    for case in cases() {
        let machine = machine(case);
        let mut command = machine.command(&["--secret=DB:db", "--secret=HOME:empty"], &["env"]);
        let found = outcome(command.env("DB", "mine").env("A", "b").output().unwrap());
        assert_eq!(found, prints("A=b\nDB=[secret db]\nHOME=\n"), "{case:?}");
    }
}

#[test]
fn a_secret_is_not_in_what_the_machine_shows() {
    for case in cases() {
        let machine = machine(case);
        let script = "echo begun; sleep 5";
        let mut command = machine.command(&["--secret=DB:db"], &["sh", "-c", script]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut begun = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut begun).unwrap();
        for file in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{}/{file}", child.id())).unwrap();
            assert!(!String::from_utf8_lossy(&text).contains("hunter2"), "{case:?} {file}");
        }
        // SAFETY: takes no pointers.
        unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
        assert!(!child.wait().unwrap().success());
    }
}

#[test]
fn output_arrives_while_the_action_runs() {
    for case in cases() {
        let machine = machine(case);
        let script = "echo first; read line <in; echo last";
        let pipe = machine.input_root().join("in");
        let path = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
        // SAFETY: the path is terminated.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }, 0);
        fs::set_permissions(&pipe, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        let mut command = machine.command(&["--secret=DB:db"], &["sh", "-c", script]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        assert_eq!(&first, b"first\n", "{case:?}");
        fs::write(&pipe, "go\n").unwrap();
        let mut rest = String::new();
        child.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "last\n", "{case:?}");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn what_is_left_behind_holds_nothing_up() {
    for case in cases() {
        for proc in ["fresh", "container"] {
            let mut machine = machine(case);
            machine.config += &format!("\nproc = \"{proc}\"");
            let started = Instant::now();
            let script = "setsid sleep 60 & exec >&- 2>&-; sleep 0.1; exit 4";
            let found = machine.shell(&["--secret=DB:db"], script);
            assert_eq!(found.status, 4, "{case:?} {proc} {found:?}");
            assert!(started.elapsed() < Duration::from_secs(10), "{case:?} {proc}");
        }
    }
}

#[test]
fn an_action_whose_output_nobody_takes_ends() {
    for case in cases() {
        let machine = machine(case);
        let script = "while echo \"$DB\"; do :; done 2>/dev/null";
        let mut command = machine.command(&["--secret=DB:db"], &["sh", "-c", script]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "{case:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_secret_that_cannot_be_had_is_a_usage_error_without_its_value() {
    for case in cases() {
        let mut machine = machine(case);
        let folder = machine.directory.join("secrets");
        fs::create_dir(folder.join("directory")).unwrap();
        fs::write(folder.join("long"), "x".repeat(65537)).unwrap();
        fs::write(folder.join("fits"), "x".repeat(65536)).unwrap();
        fs::write(folder.join("nul"), b"hunter2\0x").unwrap();
        symlink("db", folder.join("link")).unwrap();
        let fifo = std::ffi::CString::new(folder.join("fifo").to_str().unwrap()).unwrap();
        // SAFETY: the path is terminated.
        assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o666) }, 0);
        machine.settle();
        let keeps = "(the operator keeps each in a file of that name in ";
        for (flag, text) in [
            (
                "A:missing",
                format!("the secret \"missing\" cannot be had: No such file or directory {keeps}"),
            ),
            (
                "A:directory",
                format!("the secret \"directory\" cannot be had: it is not a regular file {keeps}"),
            ),
            (
                "A:fifo",
                format!("the secret \"fifo\" cannot be had: it is not a regular file {keeps}"),
            ),
            (
                "A:long",
                format!("the secret \"long\" cannot be had: it is longer than 64 KiB {keeps}"),
            ),
            (
                "A:nul",
                format!(
                    "the secret \"nul\" cannot be had: it holds a NUL byte, which no variable can {keeps}"
                ),
            ),
            ("A:../db", "--secret must be VARIABLE:name".to_owned()),
            ("A:.db", "--secret must be VARIABLE:name".to_owned()),
            ("A:", "--secret must be VARIABLE:name".to_owned()),
            ("A:a b", "--secret must be VARIABLE:name".to_owned()),
            ("A", "--secret must be VARIABLE:name".to_owned()),
            (":db", "--secret must be VARIABLE:name".to_owned()),
            ("A=B:db", "--secret must be VARIABLE:name".to_owned()),
            ("1:db", "--secret must be VARIABLE:name".to_owned()),
        ] {
            let flags = [&*format!("--secret={flag}"), "--infrastructure-failure-file=fault"];
            let found = machine.run(&flags, &["echo", "ran"]);
            assert_eq!((found.status, &*found.stdout), (125, ""), "{case:?} {flag} {found:?}");
            assert!(found.stderr.contains(&text), "{case:?} {flag} {found:?}");
            assert!(!found.stderr.contains("hunter2"), "{case:?} {flag} {found:?}");
            assert!(!machine.input_root().join("fault").exists(), "{case:?} {flag}");
        }
        let twice = machine.run(&["--secret=A:db", "--secret=A:key"], &["true"]);
        assert!(twice.stderr.contains("--secret sets \"A\" twice"), "{twice:?}");
        let found = machine.shell(&["--secret=A:fits", "--secret=B:link"], "echo ${#A} $A $B");
        assert_eq!(found, prints("65536 [secret fits] [secret link]\n"), "{case:?}");
        machine.config = String::new();
        let found = machine.run(&["--secret=A:db"], &["true"]);
        let text = "berth-exec: the secret \"db\" cannot be had here: the operator names a folder of \
                    secrets in the helper's file (key \"secrets\") (see berth-exec --help)\n";
        assert_eq!((found.status, &*found.stderr), (125, text), "{case:?}");
    }
}

#[test]
fn the_folder_is_hidden_from_actions_in_the_machine_s_root() {
    for start in starts() {
        let machine = machine(start);
        let folder = machine.directory.join("secrets");
        let mut command = machine.helper();
        command.args(["--sandbox", "--network=none", "--secret=DB:db", "--", "/bin/sh", "-c"]);
        let script = format!("ls -A {}; echo $DB", folder.display());
        let found = command.arg(script).env("PATH", "/bin:/usr/bin").output().unwrap();
        assert_eq!(outcome(found), prints("[secret db]\n"), "{start:?}");
    }
}
