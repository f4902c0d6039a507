//! The hold on an image root, and asking the root fetcher for one.

mod support;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use support::{HEX, Machine, Outcome, outcome, prints, starts};

/// A fetcher that answers each connection with what `answer` makes of it.
fn fetcher(
    machine: &Machine,
    answer: impl Fn(&mut UnixStream, &str) + Send + 'static,
) -> (JoinHandle<()>, Receiver<String>) {
    fs::create_dir_all(machine.socket().parent().unwrap()).unwrap();
    let listener = UnixListener::bind(machine.socket()).unwrap();
    fs::set_permissions(machine.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HI\n");
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        answer(&mut stream, &line);
        sender.send(line).unwrap();
        // The connection is a lease: it ends with the action, or before.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let _ = stream.read(&mut [0; 1]);
    });
    (thread, receiver)
}

fn fails(stderr: String) -> Outcome {
    Outcome { status: 125, stdout: String::new(), stderr: format!("berth-exec: {stderr}\n") }
}

fn reference() -> String {
    format!("registry.example/test@sha256:{HEX}")
}

#[test]
fn a_running_action_holds_a_shared_lock() {
    for start in starts() {
        let machine = Machine::new(start);
        let mut command = machine.command(&[], &["sh", "-c", "echo ready; cat"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
        let lock = File::open(machine.lease()).unwrap();
        let error = flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap_err();
        assert_eq!(error, rustix::io::Errno::WOULDBLOCK, "{start:?}");
        flock(&lock, FlockOperation::NonBlockingLockShared).unwrap();
        flock(&lock, FlockOperation::Unlock).unwrap();
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    }
}

#[test]
fn use_of_a_root_is_told_without_waiting_for_an_answer() {
    for start in starts() {
        let machine = Machine::new(start);
        let (thread, lines) = fetcher(&machine, |_, _| {});
        assert_eq!(machine.run(&[], &["sleep", "0.1"]), prints(""), "{start:?}");
        let line = lines.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(line, format!("USED {HEX}\n"), "{start:?}");
        thread.join().unwrap();
    }
}

#[test]
fn a_fetcher_that_is_busy_or_gone_does_not_delay_an_action_whose_root_is_there() {
    for start in starts() {
        let machine = Machine::new(start);
        fs::create_dir_all(machine.socket().parent().unwrap()).unwrap();
        let listener = UnixListener::bind(machine.socket()).unwrap();
        fs::set_permissions(machine.socket(), fs::Permissions::from_mode(0o666)).unwrap();
        let before = Instant::now();
        for _ in 0..3 {
            assert_eq!(machine.run(&[], &["true"]), prints(""), "{start:?}");
        }
        drop(listener);
        assert_eq!(machine.run(&[], &["true"]), prints(""), "{start:?}");
        assert!(before.elapsed() < Duration::from_secs(3), "{start:?}");
    }
}

#[test]
fn a_missing_root_is_acquired() {
    for start in starts() {
        for reference in [reference(), format!("cas://{HEX}/142")] {
            let machine = Machine::new(start);
            let (root, away) = (machine.lease().with_file_name(""), machine.directory.join("away"));
            fs::rename(&root, &away).unwrap();
            let (from, to) = (away.clone(), root.clone());
            let path = machine.root();
            let (thread, lines) = fetcher(&machine, move |stream, _| {
                fs::rename(&from, &to).unwrap();
                // In two pieces, as a stream may deliver it.
                stream.write_all(b"OK /").unwrap();
                std::thread::sleep(Duration::from_millis(20));
                let path = path.display().to_string();
                writeln!(stream, "{}", path.trim_start_matches('/')).unwrap();
            });
            let mut command = machine.helper();
            command.arg(format!("--image={reference}")).args(["--", "cat", "/etc/os-release"]);
            let found = outcome(command.output().unwrap());
            assert_eq!(found, prints("NAME=image\n"), "{start:?}");
            assert_eq!(lines.recv().unwrap(), format!("ACQUIRE {reference}\n"), "{start:?}");
            thread.join().unwrap();
        }
    }
}

#[test]
fn an_incomplete_root_is_not_used() {
    for start in starts() {
        let machine = Machine::new(start);
        fs::remove_file(machine.lease().with_file_name("image.json")).unwrap();
        let (thread, _lines) = fetcher(&machine, |stream, _| {
            stream.write_all(b"ERROR UNAVAILABLE: registry is down\n").unwrap();
        });
        let text = format!("the root fetcher cannot provide {}: registry is down", reference());
        assert_eq!(machine.run(&[], &["true"]), fails(text), "{start:?}");
        thread.join().unwrap();
    }
}

#[test]
fn what_the_fetcher_refuses_is_told_with_its_code() {
    for start in starts() {
        for (answer, code, text) in [
            ("ERROR NOT_FOUND: no such manifest", "NOT_FOUND", "no such manifest"),
            ("ERROR it has no codes: at all", "UNAVAILABLE", "it has no codes: at all"),
            ("ERROR PERMISSION_DENIED: \x1b[31mred\x07", "PERMISSION_DENIED", "?[31mred?"),
        ] {
            let mut machine = Machine::new(start);
            machine.config = "fault_fd = 1".to_owned();
            fs::remove_dir_all(machine.lease().with_file_name("")).unwrap();
            let (thread, _lines) =
                fetcher(&machine, move |stream, _| writeln!(stream, "{answer}").unwrap());
            let text = format!("the root fetcher cannot provide {}: {text}", reference());
            // Descriptors up to 2 are the action's and never taken for the fault's.
            assert_eq!(machine.run(&[], &["true"]), fails(text.clone()), "{start:?}");
            thread.join().unwrap();

            machine.config = "fault_fd = 9".to_owned();
            fs::remove_file(machine.socket()).unwrap();
            let (thread, _lines) =
                fetcher(&machine, move |stream, _| writeln!(stream, "{answer}").unwrap());
            let (mut reader, writer) = std::io::pipe().unwrap();
            let mut command = machine.command(&[], &["true"]);
            support::pass_as(&mut command, writer.into(), 9);
            let found = outcome(command.output().unwrap());
            drop(command);
            let mut line = String::new();
            reader.read_to_string(&mut line).unwrap();
            assert_eq!(line, format!("{code} {text}\n"), "{start:?}");
            assert_eq!(found, fails(text), "{start:?}");
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_fetcher_that_is_down_or_silent_is_a_fault_with_a_hint() {
    for start in starts() {
        let mut machine = Machine::new(start);
        machine.config = "acquire_timeout_seconds = 1".to_owned();
        fs::remove_dir_all(machine.lease().with_file_name("")).unwrap();
        let text = format!(
            "cannot ask the root fetcher at {:?} for {}: No such file or directory \
             (hint: is the root fetcher running, and may this user use its socket?)",
            machine.socket(),
            reference()
        );
        assert_eq!(machine.run(&[], &["true"]), fails(text), "{start:?}");

        let (thread, _lines) = fetcher(&machine, |_, _| std::thread::sleep(Duration::from_secs(2)));
        let before = Instant::now();
        let text = format!(
            "the root fetcher did not provide {} within 1 s \
             (hint: raise acquire_timeout_seconds, or look at the fetcher's log)",
            reference()
        );
        assert_eq!(machine.run(&[], &["true"]), fails(text), "{start:?}");
        assert!(before.elapsed() < Duration::from_secs(2), "{start:?}");
        thread.join().unwrap();
    }
}

#[test]
fn a_fetcher_that_breaks_the_protocol_is_a_fault() {
    for start in starts() {
        for (answer, text) in [
            (
                "OK relative/path\n".to_owned(),
                "the root fetcher answered \"OK relative/path\" to ACQUIRE",
            ),
            ("\n".to_owned(), "the root fetcher answered \"\" to ACQUIRE"),
            ("x".repeat(10_000), "Message too large"),
            (String::new(), "Connection reset by peer"),
        ] {
            let machine = Machine::new(start);
            fs::remove_dir_all(machine.lease().with_file_name("")).unwrap();
            let (thread, _lines) = fetcher(&machine, move |stream, _| {
                let _ = stream.write_all(answer.as_bytes());
                let _ = stream.shutdown(std::net::Shutdown::Both);
            });
            let found = machine.run(&[], &["true"]);
            assert_eq!(found.status, 125, "{start:?} {found:?}");
            assert!(found.stderr.contains(text), "{start:?} {found:?}");
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_root_that_is_being_evicted_is_asked_for_again() {
    for start in starts() {
        let machine = Machine::new(start);
        let lock = File::open(machine.lease()).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        fs::remove_file(machine.lease().with_file_name("image.json")).unwrap();
        let json = machine.lease().with_file_name("image.json");
        let path = machine.root();
        let (thread, lines) = fetcher(&machine, move |stream, _| {
            fs::write(&json, "{}").unwrap();
            writeln!(stream, "OK {}", path.display()).unwrap();
        });
        // The evictor lets go while the helper waits for the lock.
        let letting_go = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop(lock);
        });
        assert_eq!(machine.run(&[], &["true"]), prints(""), "{start:?}");
        assert_eq!(lines.recv().unwrap(), format!("ACQUIRE {}\n", reference()), "{start:?}");
        letting_go.join().unwrap();
        thread.join().unwrap();
    }
}
