//! What the step of a job asks for beyond its image: input, places, a directory, a user by name.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use support::{Machine, Mode, Outcome, cases, outcome, prints};

fn refuses(stderr: &str) -> Outcome {
    let stderr = format!("berth-exec: {stderr} (see berth-exec --help)\n");
    Outcome { status: 125, stdout: String::new(), stderr }
}

fn mkfifo(path: &std::path::Path) {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the path is terminated.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }, 0);
}

#[test]
fn stdin_is_a_file_of_the_input_root() {
    for case in cases() {
        let machine = Machine::new(case);
        fs::write(machine.input_root().join("sub/in:put"), "first\nsecond\n").unwrap();
        let flags = ["--stdin=sub/in:put", "--working-directory=sub"];
        let mut command = machine.command(&flags, &["cat"]);
        let found = command.current_dir(machine.input_root().join("sub")).output().unwrap();
        assert_eq!(outcome(found), prints("first\nsecond\n"), "{case:?}");
        let found = machine.run(&["--stdin=sub/in:put"], &["probe", "descriptors"]);
        assert_eq!(found, prints("[0, 1, 2]\n"), "{case:?}");
    }
}

#[test]
fn stdin_is_never_anything_else() {
    for case in cases() {
        let machine = Machine::new(case);
        fs::write(machine.directory.join("victim/secret"), "of the machine").unwrap();
        symlink(machine.directory.join("victim"), machine.input_root().join("out")).unwrap();
        symlink("../../other/root/secret", machine.input_root().join("link")).unwrap();
        mkfifo(&machine.input_root().join("fifo"));
        let closed = "cannot be opened";
        for (path, text) in [
            ("missing", format!("{closed}: No such file or directory")),
            ("out/secret", format!("{closed}: Symbolic link loop")),
            ("link", format!("{closed}: Symbolic link loop")),
            ("sub", "must be a regular file".to_owned()),
            ("fifo", "must be a regular file".to_owned()),
        ] {
            let found = machine.run(&[&format!("--stdin={path}")], &["cat"]);
            assert_eq!(found, refuses(&format!("the standard input {path:?} {text}")), "{case:?}");
        }
        for path in ["", "/etc/passwd", "../x", "a/../b"] {
            let found = machine.run(&[&format!("--stdin={path}")], &["cat"]);
            assert_eq!(found.status, 125, "{case:?} {path}");
            assert!(found.stderr.contains("--stdin must be "), "{case:?} {found:?}");
        }
    }
}

#[test]
fn inputs_are_placed_read_only_over_what_the_image_has() {
    for case in cases() {
        let machine = Machine::new(case);
        fs::create_dir(machine.input_root().join("data")).unwrap();
        fs::write(machine.input_root().join("data/file"), "of data\n").unwrap();
        fs::write(machine.input_root().join("one"), "one\n").unwrap();
        symlink("usr/lib", machine.root().join("lib")).unwrap();
        machine.settle();
        let before = machine.image();
        let flags = [
            "--place=data:/srv/deep/data",
            "--place=one:/etc/os-release",
            "--place=one:/lib/we:ird",
            "--place=one:/tmp/one",
            "--place=data:/usr/lib",
        ];
        let script = "cat /srv/deep/data/file /etc/os-release /tmp/one /usr/lib/file; ls /usr/lib; \
                      for f in /srv/deep/data/file /srv/deep/data/x /tmp/one; do \
                      echo x 2>/dev/null >$f || echo kept; done; umount /tmp/one 2>/dev/null || echo stays";
        let expected = "of data\none\none\nof data\nfile\nkept\nkept\nkept\nstays\n";
        assert_eq!(machine.shell(&flags, script), prints(expected), "{case:?}");
        assert_eq!(machine.image(), before, "{case:?}");
        assert_eq!(fs::read(machine.input_root().join("one")).unwrap(), b"one\n");
    }
}

#[test]
fn nothing_is_placed_where_it_must_not_be() {
    for case in cases() {
        let machine = Machine::new(case);
        fs::write(machine.input_root().join("file"), "an input").unwrap();
        symlink(machine.directory.join("victim"), machine.input_root().join("out")).unwrap();
        symlink("/proc/self", machine.root().join("myself")).unwrap();
        symlink("/proc/1/root/etc", machine.root().join("magic")).unwrap();
        symlink("../../../../../../..", machine.root().join("up")).unwrap();
        machine.settle();
        let inputs = machine.inside();
        let inputs = inputs.to_str().unwrap();
        for (flag, text) in [
            ("file:/proc/x".to_owned(), "--place must be a path outside of /proc, /sys and /dev"),
            ("file://sys/./x".to_owned(), "--place must be a path outside of"),
            ("file:/dev/null".to_owned(), "--place must be a path outside of"),
            ("file:/".to_owned(), "--place must be a path outside of"),
            ("file:relative".to_owned(), "--place must be an absolute path without"),
            ("file:/a/../b".to_owned(), "--place must be an absolute path without"),
            ("file".to_owned(), "--place must be <input path>:</path in root>"),
            ("../x:/y".to_owned(), "--place must be relative and normalised"),
            (":/y".to_owned(), "--place must be the path of an input"),
            ("file:/etc".to_owned(), "the root has something else there"),
            ("sub:/etc/os-release".to_owned(), "the root has something else there"),
            ("out:/y".to_owned(), "cannot be placed at \"/y\": "),
            ("out/x:/y".to_owned(), "cannot be placed at \"/y\": "),
            ("missing:/y".to_owned(), "cannot be placed at \"/y\": No such file or directory"),
            ("file:/myself/comm".to_owned(), "the root has something else there"),
            ("file:/magic/x".to_owned(), "cannot be placed at \"/magic/x\": "),
            (format!("sub:{inputs}"), "it would hide the inputs"),
        ] {
            let found = machine.run(&[&format!("--place={flag}")], &["echo", "ran"]);
            assert_eq!((found.status, &*found.stdout), (125, ""), "{case:?} {flag} {found:?}");
            assert!(found.stderr.contains(text), "{case:?} {flag} {found:?}");
        }
        let found = machine.shell(&["--place=file:/up/here"], "cat /here");
        assert_eq!(found, prints("an input"), "{case:?}");
        assert_eq!(fs::read_dir(machine.directory.join("victim")).unwrap().count(), 0);
    }
}

#[test]
fn workdir_is_the_current_directory_and_made_where_it_is_missing() {
    for case in cases() {
        let machine = Machine::new(case);
        symlink("usr/lib", machine.root().join("lib")).unwrap();
        symlink("/proc/self/fd/3", machine.root().join("leak")).unwrap();
        machine.settle();
        for (path, expected) in [
            ("/srv/deep", "/srv/deep\n"),
            ("/usr/lib", "/usr/lib\n"),
            ("/lib/more", "/usr/lib/more\n"),
            ("/", "/\n"),
            ("//tmp/./x/", "/tmp/x\n"),
        ] {
            let found = machine.shell(&[&format!("--workdir={path}")], "/bin/busybox pwd; touch x");
            assert_eq!(found, prints(expected), "{case:?}");
        }
        let found = machine.run(&["--workdir=/srv", "--working-directory=sub"], &["pwd"]);
        assert_eq!(found.status, 125, "the runner's directory counts all the same");
        for path in ["/etc/os-release", "/etc/os-release/x", "/leak", "/leak/x", "/proc/x"] {
            let found = machine.run(&[&format!("--workdir={path}")], &["pwd"]);
            assert_eq!(found.status, 125, "{case:?} {path} {found:?}");
            let text = format!("the working directory {path:?} cannot be had: ");
            assert!(found.stderr.contains(&text), "{case:?} {found:?}");
        }
        assert_eq!(machine.run(&["--workdir=srv"], &["pwd"]).status, 125);
    }
}

#[test]
fn a_user_may_be_named_as_the_root_knows_it() {
    for case in cases() {
        let machine = Machine::new(case);
        let passwd = "root:x:0:0::/root:/bin/sh\npostgres:x:70:71:P:/var/lib/pg:/bin/sh\n\
                      odd:x:x:0::/:\nhomeless:x:72:72::../etc:\n";
        fs::write(machine.root().join("etc/passwd"), passwd).unwrap();
        fs::write(machine.root().join("etc/group"), "staff:x:50:\npostgres:x:71:\n").unwrap();
        machine.settle();
        for (user, expected) in [
            ("postgres", "70 71 /var/lib/pg postgres"),
            ("postgres:staff", "70 50 /var/lib/pg postgres"),
            ("postgres:7", "70 7 /var/lib/pg postgres"),
            ("70:staff", "70 50 /home/build postgres"),
            ("root", "0 0 /root root"),
            ("root:root", "0 0 /root root"),
            ("root:staff", "0 50 /root root"),
            ("homeless", "72 72 /home/build homeless"),
        ] {
            let flag = format!("--user={user}");
            let script = "echo $(id -u) $(id -g) $HOME $(id -un)";
            assert_eq!(
                machine.shell(&[&flag], script),
                prints(&format!("{expected}\n")),
                "{case:?}"
            );
        }
        for (user, text) in [
            ("nobody", "the user \"nobody\" is not in /etc/passwd of the root"),
            ("odd", "the user \"odd\" is not in /etc/passwd of the root"),
            ("post", "the user \"post\" is not in /etc/passwd of the root"),
            ("postgres:nobody", "the group \"nobody\" is not in /etc/group of the root"),
            ("postgres:", "--user must be build, root or USER[:GROUP]"),
            (":staff", "--user must be build, root or USER[:GROUP]"),
            ("a:b:c", "--user must be build, root or USER[:GROUP]"),
            ("x/y", "--user must be build, root or USER[:GROUP]"),
            ("4294967295", "--user must be build, root or USER[:GROUP]"),
        ] {
            let found = machine.run(&[&format!("--user={user}")], &["id"]);
            assert_eq!((found.status, &*found.stdout), (125, ""), "{case:?} {user}");
            assert!(found.stderr.contains(text), "{case:?} {user} {found:?}");
        }
    }
}

#[test]
fn an_image_s_accounts_are_read_through_no_link_and_not_for_ever() {
    for case in cases() {
        let machine = Machine::new(case);
        let passwd = machine.root().join("etc/passwd");
        let account = "build2:x:70:71::/:/bin/sh\n";
        let victim = machine.directory.join("victim/passwd");
        fs::write(&victim, account).unwrap();
        fs::write(machine.root().join("etc/other"), account).unwrap();
        for shape in ["absolute", "within", "fifo", "directory", "huge", "missing"] {
            match shape {
                "absolute" => symlink(&victim, &passwd).unwrap(),
                "within" => symlink("other", &passwd).unwrap(),
                "fifo" => mkfifo(&passwd),
                "directory" => fs::create_dir(&passwd).unwrap(),
                "huge" => {
                    fs::write(&passwd, account).unwrap();
                    let file = fs::File::options().write(true).open(&passwd).unwrap();
                    file.set_len(1 << 30).unwrap();
                }
                _ => {}
            }
            machine.settle();
            let found = machine.run(&["--user=build2"], &["id", "-u"]);
            match shape {
                // The line is in the part that is read.
                "huge" => assert_eq!(found, prints("70\n"), "{case:?}"),
                _ => {
                    assert_eq!((found.status, &*found.stdout), (125, ""), "{case:?} {shape}");
                    assert!(
                        found.stderr.contains("\"/etc/passwd\" of the image root "),
                        "{found:?}"
                    );
                }
            }
            let _ = fs::remove_file(&passwd).or_else(|_| fs::remove_dir(&passwd));
        }
    }
}

#[test]
fn the_machine_s_root_serves_as_well() {
    for start in support::starts() {
        let machine = Machine::new(start);
        fs::write(machine.input_root().join("in"), "input\n").unwrap();
        fs::set_permissions(machine.input_root(), fs::Permissions::from_mode(0o777)).unwrap();
        let mut command = machine.helper();
        command.args(["--sandbox", "--network=none", "--stdin=in", "--place=in:/placed/in"]);
        command.args(["--collect=/made/out:out", "--workdir=/tmp/work", "--user=daemon", "--"]);
        let script = "cat; cat /placed/in; pwd; id -un; echo result >/made/out";
        let found = command.args(["/bin/sh", "-c", script]).env("PATH", "/bin:/usr/bin");
        let found = outcome(found.output().unwrap());
        assert_eq!(found, prints("input\ninput\n/tmp/work\ndaemon\n"), "{start:?}");
        assert_eq!(machine.mode, Mode::BindMount);
        assert_eq!(fs::read(machine.input_root().join("out")).unwrap(), b"result\n");
    }
}

/// Renames as fast as one can, until it is dropped.
struct Storm(Arc<AtomicBool>, Vec<std::thread::JoinHandle<()>>);

impl Storm {
    fn over(directory: &Path) -> Storm {
        let goes_on = Arc::new(AtomicBool::new(true));
        let threads = ["one", "two"].map(|name| {
            let (from, goes_on) = (directory.join(name), goes_on.clone());
            fs::write(&from, "").unwrap();
            std::thread::spawn(move || {
                let to = from.with_extension("renamed");
                while goes_on.load(Ordering::Relaxed) {
                    fs::rename(&from, &to).and_then(|()| fs::rename(&to, &from)).unwrap();
                }
            })
        });
        Storm(goes_on, threads.into())
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
        for thread in self.1.drain(..) {
            let _ = thread.join();
        }
    }
}

#[test]
fn links_of_an_image_are_resolved_whatever_the_machine_renames() {
    for case in cases() {
        let machine = Machine::new(case);
        let up = "../".repeat(200);
        symlink(format!("{up}usr/lib"), machine.root().join("up")).unwrap();
        machine.settle();
        let _storm = Storm::over(&machine.directory.join("victim"));
        let flags = (0..20).map(|n| format!("--collect=/up/{n}:{n}")).collect::<Vec<_>>();
        let mut flags = flags.iter().map(String::as_str).collect::<Vec<_>>();
        flags.push("--workdir=/up/here");
        assert_eq!(machine.shell(&flags, "ls ../0"), prints("../0\n"), "{case:?}");
    }
}
