//! How a sandbox ends: by itself, by a signal, or with its helper; and that nothing stays.

mod support;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use support::{Case, Machine, Mode, cases, outcome, prints};

/// Starts a script and waits for its first line.
fn started(machine: &Machine, flags: &[&str], script: &str) -> (Child, BufReader<impl Read>) {
    let mut command = machine.command(flags, &["sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    (child, output)
}

fn signal(child: &Child, number: i32) {
    // SAFETY: takes no pointers; the child has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, number) }, 0);
}

/// Processes of the machine whose command line holds `mark`.
fn processes(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let directory = entry.unwrap().path();
        let line = fs::read(directory.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(mark) {
            found.push(format!("{} {line}", directory.display()));
        }
    }
    found
}

fn within(patience: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// A number of seconds to sleep that no other test's processes have.
fn mark(case: Case, number: u32) -> String {
    format!("9{}{number}{}", std::process::id(), 2 * case.start as u32 + case.mode as u32)
}

#[test]
fn signals_to_the_helper_reach_the_action() {
    for case in cases() {
        let machine = Machine::new(case);
        for number in [1, 2, 3, 10, 12, 15] {
            let script = format!(
                "trap 'echo got; exit 3' {number}; echo ready; while :; do sleep 0.01; done"
            );
            let (mut child, mut output) = started(&machine, &[], &script);
            signal(&child, number);
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            assert_eq!(
                (child.wait().unwrap().code(), &*line),
                (Some(3), "got\n"),
                "{case:?} {number}"
            );
        }
        let (mut child, _) = started(&machine, &[], "echo ready; exec sleep 1000");
        signal(&child, 15);
        assert_eq!(child.wait().unwrap().code(), Some(128 + 15), "{case:?}");
    }
}

#[test]
fn a_signal_during_the_start_is_not_lost() {
    for case in cases() {
        let machine = Machine::new(case);
        // Before the helper blocks signals it dies of them, which a runner sees as well.
        for delay in 0..40 {
            let mut child = machine.command(&[], &["sleep", "1000"]).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(delay * 150));
            signal(&child, 15);
            let status = child.wait().unwrap();
            let ended = status.code() == Some(143) || status.signal() == Some(15);
            assert!(ended, "{case:?} {delay}: {status:?}");
        }
    }
}

#[test]
fn what_an_action_leaves_behind_dies_with_it_and_before_the_lease_ends() {
    for case in cases() {
        let machine = Machine::new(case);
        let sleep = mark(case, 1);
        let script = format!(
            "(setsid sleep {sleep} >/dev/null 2>&1 &); (trap '' HUP TERM; sleep {sleep} >/dev/null 2>&1) & exit 5"
        );
        let found = machine.shell(&[], &script);
        assert_eq!((found.status, processes(&sleep)), (5, vec![]), "{case:?}");
        let lock = File::open(machine.lease()).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    }
}

#[test]
fn thousands_of_orphans_are_reaped() {
    for case in cases() {
        let machine = Machine::new(case);
        let before = Instant::now();
        // A tenth of them sleeps; the init and the shell are there as well.
        let script = "probe orphans 2000; for i in $(seq 100); do set -- /proc/[0-9]*; \
                      [ $# = 202 ] && break; sleep 0.1; done; echo $#";
        assert_eq!(machine.shell(&[], script), prints("202\n"), "{case:?}");
        assert!(before.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn killing_the_helper_kills_everything_and_then_frees_the_lease() {
    for case in cases() {
        let machine = Machine::new(case);
        for number in 0..20 {
            let sleep = mark(case, 100 + number);
            let script = format!(
                "for i in 1 2 3 4 5 6 7 8; do setsid sh -c 'trap \"\" TERM; sleep {sleep}; :' >/dev/null 2>&1 & done; \
                 echo ready; sleep {sleep}"
            );
            let (mut child, output) = started(&machine, &[], &script);
            drop(output);
            assert!(processes(&sleep).len() > 1);
            signal(&child, 9);
            let lock = File::open(machine.lease()).unwrap();
            let mut alive = Vec::new();
            within(Duration::from_secs(1), "the lease is not freed", || {
                // The lock is tried first: if it is to be had, everything must have been dead already.
                let free = match case.mode {
                    Mode::BindMount => {
                        flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
                    }
                    // Nothing is leased: all that matters is that everything ends soon.
                    Mode::Inline => !processes(&sleep).iter().any(|line| line.contains("sleep")),
                };
                if free {
                    alive = processes(&sleep);
                    alive.retain(|line| !line.contains("berth-exec"));
                }
                free
            });
            assert_eq!(alive, Vec::<String>::new(), "{case:?}");
            assert_eq!(child.wait().unwrap().signal(), Some(9));
            within(Duration::from_secs(1), "the init is not gone", || processes(&sleep).is_empty());
        }
    }
}

#[test]
fn killing_the_helper_while_it_starts_leaves_nothing() {
    for case in cases() {
        let machine = Machine::new(case);
        let sleep = mark(case, 3);
        for delay in 0..60 {
            let mut child =
                machine.command(&["--network=none"], &["sleep", &sleep]).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(delay * 100));
            signal(&child, 9);
            child.wait().unwrap();
        }
        within(Duration::from_secs(2), "something is left", || processes(&sleep).is_empty());
        let lock = File::open(machine.lease()).unwrap();
        // What is killed while it makes the sandbox has no name of ours, and takes a moment to end.
        within(Duration::from_secs(2), "the lease is still held", || {
            flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        });
    }
}

#[test]
fn a_hundred_runs_leave_no_mount_and_no_process() {
    for case in cases() {
        let machine = Machine::new(case);
        let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
        let before = mounts();
        for _ in 0..25 {
            let spawn = |_| {
                let mut command = machine.command(&[], &["true"]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            };
            for child in (0..4).map(spawn).collect::<Vec<Child>>() {
                assert_eq!(outcome(child.wait_with_output().unwrap()), prints(""), "{case:?}");
            }
        }
        let mark = machine.directory.to_str().unwrap().to_owned();
        assert_eq!((mounts(), processes(&mark)), (before, vec![]), "{case:?}");
    }
}

#[test]
fn without_a_pid_namespace_the_action_is_killed_as_well() {
    for case in cases() {
        let mut machine = Machine::new(case);
        machine.config = "proc = \"container\"".to_owned();
        let sleep = mark(case, 4);
        let daemon = format!("(setsid sleep {sleep} >/dev/null 2>&1 &); cat /etc/os-release");
        assert_eq!(machine.shell(&[], &daemon), prints("NAME=image\n"), "{case:?}");
        assert_eq!(processes(&sleep), Vec::<String>::new(), "{case:?}");
        let script = format!("(setsid sleep {sleep} >/dev/null 2>&1 &); echo ready; sleep {sleep}");
        let (mut child, _output) = started(&machine, &[], &script);
        signal(&child, 9);
        child.wait().unwrap();
        within(Duration::from_secs(1), "something is left", || processes(&sleep).is_empty());
    }
}

#[test]
fn output_of_an_action_is_not_held_by_the_init() {
    for case in cases() {
        let machine = Machine::new(case);
        let mut command: Command =
            machine.command(&[], &["sh", "-c", "echo $$ >pid; echo out; echo err >&2"]);
        let output = command.output().unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]), "{case:?}");
        assert_eq!(fs::metadata(machine.input_root().join("pid")).unwrap().uid(), machine.runner());
    }
}
