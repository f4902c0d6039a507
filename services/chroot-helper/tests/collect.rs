//! What a step leaves in its root and wants to keep, and what an action may try with it.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use support::{Machine, Outcome, Start, cases, prints, starts};

fn says(stdout: &str, stderr: &str) -> Outcome {
    let stderr = if stderr.is_empty() { String::new() } else { format!("berth-exec: {stderr}\n") };
    Outcome { status: 0, stdout: stdout.to_owned(), stderr }
}

#[test]
fn a_file_and_a_directory_come_out_whatever_the_status() {
    for case in cases() {
        let machine = Machine::new(case);
        machine.settle();
        let before = machine.image();
        let flags =
            ["--collect=/var/out:put/result.txt:sub/result", "--collect=/output/:made/here/tree"];
        let script = "stat -c '%F %s' /var/out:put/result.txt; ls -a /output | wc -l; \
                      echo result >/var/out:put/result.txt; mkdir -p /output/a/b; \
                      echo deep >/output/a/b/f; echo '#!x' >/output/run; chmod 700 /output/run; \
                      ln -s ../elsewhere /output/link; busybox mkfifo /output/fifo; exit 7";
        let found = machine.shell(&flags, script);
        let expected = Outcome { status: 7, ..prints("regular empty file 0\n2\n") };
        assert_eq!(found, expected, "{case:?}");
        let out = machine.input_root();
        assert_eq!(fs::read(out.join("sub/result")).unwrap(), b"result\n");
        let tree = out.join("made/here/tree");
        assert_eq!(fs::read(tree.join("a/b/f")).unwrap(), b"deep\n");
        assert_eq!(fs::read_link(tree.join("link")).unwrap(), Path::new("../elsewhere"));
        assert_eq!(fs::metadata(tree.join("run")).unwrap().mode() & 0o111, 0o100);
        assert_eq!(fs::metadata(tree.join("a/b/f")).unwrap().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(&tree).unwrap().count(), 3);
        for path in [out.join("sub/result"), tree.join("a/b/f"), tree.join("a"), out.join("made")] {
            assert_eq!(path.metadata().unwrap().uid(), machine.runner(), "{case:?} {path:?}");
        }
        assert_eq!(machine.image(), before, "{case:?}");
    }
}

#[test]
fn what_is_gone_at_the_end_is_not_there() {
    for case in cases() {
        let machine = Machine::new(case);
        fs::write(machine.input_root().join("old"), "an input").unwrap();
        machine.settle();
        let flags = ["--collect=/x:new", "--collect=/y/z/:no/such", "--collect=/w:old"];
        let found = machine.shell(&flags, "rm -r /x /y /w; ls -d no old");
        assert_eq!(found.stdout, "old\n", "{case:?} {found:?}");
        for name in ["new", "no", "old"] {
            assert!(!machine.input_root().join(name).exists(), "{case:?} {name}");
        }
    }
}

#[test]
fn a_program_that_cannot_be_started_leaves_the_empty_file() {
    for case in cases() {
        let machine = Machine::new(case);
        let found = machine.run(&["--collect=/x:x"], &["missing"]);
        assert_eq!(found.status, 127, "{case:?}");
        assert_eq!(fs::read(machine.input_root().join("x")).unwrap(), b"", "{case:?}");
    }
}

#[test]
fn what_was_in_the_output_s_place_goes_and_is_not_followed() {
    for case in cases() {
        let machine = Machine::new(case);
        let victim = machine.directory.join("victim");
        fs::set_permissions(&victim, PermissionsExt::from_mode(0o777)).unwrap();
        fs::write(victim.join("file"), "kept").unwrap();
        machine.settle();
        let out = victim.display();
        let flags = ["--collect=/a:a", "--collect=/b/:b", "--collect=/c:c", "--collect=/d:d/e/f"];
        let script = format!(
            "echo mine | busybox tee /a /b/x /c /d >/dev/null; ln -s {out}/file a; ln -s {out} b; \
             mkdir -p c/deep; echo old >c/deep/f; mkdir d; ln -s {out} d/e"
        );
        let found = machine.shell(&flags, &script);
        assert_eq!(found.status, 0, "{case:?}");
        assert!(found.stderr.contains("\"/d\" was not collected: "), "{case:?} {found:?}");
        let here = machine.input_root();
        for name in ["a", "b/x", "c"] {
            assert!(!here.join(name).is_symlink(), "{case:?} {name}");
            assert_eq!(fs::read(here.join(name)).unwrap(), b"mine\n", "{case:?} {name}");
        }
        assert_eq!(fs::read(victim.join("file")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 1, "{case:?}");
        let left = fs::read_dir(&here).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.filter(|name| name != "sub").collect();
        left.sort();
        assert_eq!(left, ["a", "b", "c", "d"], "{case:?}");
    }
}

#[test]
fn links_lead_nowhere_outside_of_the_root() {
    for case in cases() {
        let machine = Machine::new(case);
        fs::write(machine.directory.join("victim/secret"), "of the machine").unwrap();
        machine.settle();
        let victim = machine.directory.join("victim");
        let up = "../".repeat(20);
        for (target, expected) in [
            (format!("{}/secret", victim.display()), None),
            (format!("{up}{}/secret", victim.display()), None),
            ("/proc/self/root/etc/os-release".to_owned(), None),
            ("/proc/self/environ".to_owned(), None),
            ("/proc/1/maps".to_owned(), None),
            ("/x".to_owned(), None),
            ("/etc/os-release".to_owned(), Some("NAME=image\n")),
            (format!("{up}etc/os-release"), Some("NAME=image\n")),
        ] {
            let found = machine.shell(&["--collect=/x:x"], &format!("rm /x; ln -s {target} /x"));
            assert_eq!(found.status, 0, "{case:?} {found:?}");
            let copied = fs::read_to_string(machine.input_root().join("x")).ok();
            assert_eq!(copied.as_deref(), expected, "{case:?} {target} {found:?}");
            let _ = fs::remove_file(machine.input_root().join("x"));
        }
        // Links on the way, out of directories that are there.
        let script = format!("mkdir -p /d/e; echo in >/d/e/f; mv /d/e /g; ln -s {up}g /d/e");
        let found = machine.shell(&["--collect=/d/e/f:f"], &script);
        assert_eq!(found, says("", ""), "{case:?}");
        assert_eq!(fs::read(machine.input_root().join("f")).unwrap(), b"in\n");
    }
}

#[test]
fn nothing_but_files_and_directories_is_opened() {
    for case in cases() {
        let machine = Machine::new(case);
        let started = Instant::now();
        for script in
            ["rm /x; busybox mkfifo /x", "rm /x; ln -s /dev/tty /x", "rm /x; ln -s /dev/zero /x"]
        {
            let found = machine.shell(&["--collect=/x:x"], script);
            let text = "\"/x\" was not collected: it is neither a file nor a directory";
            let is_there = machine.input_root().join("x").exists();
            assert_eq!((found, is_there), (says("", text), false), "{case:?} {script}");
        }
        let found = machine.shell(&["--collect=/proc/1/:x"], "true");
        assert_eq!(found, says("", "\"/proc/1\" was not collected: it is in /proc"), "{case:?}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn what_the_action_may_not_read_is_left_out_and_said() {
    for case in cases() {
        let machine = Machine::new(case);
        let script =
            "cd /x; echo 1 >a; echo 2 >b; mkdir c d; echo 3 >c/f; echo 4 >d/f; chmod 0 a c";
        let found = machine.shell(&["--user=root", "--collect=/x/:x"], script);
        assert_eq!(found.status, 0);
        assert!(found.stderr.starts_with("berth-exec: \"/x/"), "{case:?} {found:?}");
        assert!(
            found.stderr.ends_with(" was not collected: Permission denied (and 1 more)\n"),
            "{case:?} {found:?}"
        );
        let names = fs::read_dir(machine.input_root().join("x")).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["b", "d"], "{case:?}");
    }
}

#[test]
fn a_directory_is_not_copied_into_itself_nor_beyond_what_is_mounted() {
    for case in cases() {
        let machine = Machine::new(case);
        let inside = machine.inside().display().to_string();
        let flag = format!("--collect={inside}/:sub/all");
        let found = machine.shell(
            &[&flag],
            "echo 1 >one; mkdir -p sub/all; echo 2 >sub/all/two; echo 3 >sub/three",
        );
        assert_eq!(found, says("", ""), "{case:?}");
        let copied = machine.input_root().join("sub/all");
        assert_eq!(fs::read(copied.join("one")).unwrap(), b"1\n", "{case:?}");
        assert_eq!(fs::read(copied.join("sub/three")).unwrap(), b"3\n", "{case:?}");
        assert!(!copied.join("sub/all").exists(), "{case:?}");
        // The very output: it stays as it is.
        let flag = format!("--collect={inside}/out/:out");
        let found = machine.shell(&[&flag], "echo x >out/x");
        assert_eq!(found, says("", ""), "{case:?}");
        assert_eq!(fs::read(machine.input_root().join("out/x")).unwrap(), b"x\n", "{case:?}");
        let flag = format!("--collect={inside}/f:f");
        assert_eq!(machine.shell(&[&flag], "echo x >f"), says("", ""), "{case:?}");
        assert_eq!(fs::read(machine.input_root().join("f")).unwrap(), b"x\n", "{case:?}");
        let mounted = machine.run(&["--collect=/dev/:dev"], &["true"]);
        assert_eq!(mounted.status, 0, "{case:?} {mounted:?}");
        assert!(!machine.input_root().join("dev/pts/ptmx").exists(), "{case:?}");
    }
}

#[test]
fn holes_stay_holes_and_a_huge_file_takes_no_time() {
    for case in cases() {
        let machine = Machine::new(case);
        let script = "busybox truncate -s 1024G /x; \
                      echo middle | dd of=/x bs=1M seek=600000 conv=notrunc 2>/dev/null";
        let started = Instant::now();
        assert_eq!(machine.shell(&["--collect=/x:x"], script), says("", ""), "{case:?}");
        let meta = fs::metadata(machine.input_root().join("x")).unwrap();
        assert_eq!(meta.len(), 1 << 40, "{case:?}");
        assert!(meta.blocks() * 512 < 1 << 20, "{case:?}");
        assert!(started.elapsed() < Duration::from_secs(10), "{case:?}");
        let mut middle = [0; 7];
        let file = fs::File::open(machine.input_root().join("x")).unwrap();
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut middle, 600_000 << 20).unwrap();
        assert_eq!(&middle, b"middle\n");
    }
}

#[test]
fn what_is_too_deep_is_left_out() {
    for case in cases() {
        let machine = Machine::new(case);
        let script = "cd /x; for i in $(seq 200); do mkdir d; cd d; done; echo end";
        let found = machine.shell(&["--collect=/x/:x"], script);
        assert_eq!(found.stdout, "end\n", "{case:?}");
        assert!(
            found.stderr.contains(" was not collected: it is too deep\n"),
            "{case:?} {found:?}"
        );
        let mut depth = 0;
        let mut path = machine.input_root().join("x");
        while path.join("d").is_dir() {
            path.push("d");
            depth += 1;
        }
        assert_eq!(depth, 127, "{case:?}");
    }
}

#[test]
fn a_full_disk_is_the_machine_s_fault() {
    if !starts().contains(&Start::Root) {
        return;
    }
    for case in cases() {
        let machine = Machine::new(case);
        // Small, over the action's own directory, and gone with the shell's mount namespace.
        let here = machine.input_root();
        let flags = ["--collect=/x:x", "--infrastructure-failure-file=fault"];
        let script = "dd if=/dev/zero of=/x bs=1M count=8 2>/dev/null";
        let command = machine.command(&flags, &["sh", "-c", script]);
        let mut wrapped = std::process::Command::new("unshare");
        let user = if case.start == Start::User {
            "setpriv --reuid 12345 --regid 12345 --clear-groups "
        } else {
            ""
        };
        let shell = format!(
            "mount -t tmpfs -o size=2m,mode=777 x {0} && cd {0} && {user}\"$@\"; status=$?; \
             ls {0}; exit $status",
            here.display()
        );
        wrapped.args(["-m", "sh", "-c", &shell, "sh"]).arg(command.get_program());
        wrapped.args(command.get_args()).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let found = support::outcome(wrapped.output().unwrap());
        assert_eq!((found.status, &*found.stdout), (125, "fault\n"), "{case:?} {found:?}");
        assert!(
            found.stderr.contains("collect(\"/x\") failed: No space left on device"),
            "{found:?}"
        );
    }
}

#[test]
fn flags_are_checked() {
    let machine = Machine::new(starts()[0]);
    for (flag, text) in [
        ("x", "--collect must be </path in root>:<output path>"),
        ("x:y", "--collect must be an absolute path without"),
        ("/x/../y:z", "--collect must be an absolute path without"),
        ("/:z", "--collect must be a path below the root"),
        ("/x:", "--collect must be the path of an input"),
        ("/x:/y", "--collect must be relative and normalised"),
        ("/x:../y", "--collect must be relative and normalised"),
        ("/etc/os-release/x:y", "which is to be collected, cannot be made"),
        ("/etc/os-release/:y", "which is to be collected, cannot be made"),
    ] {
        let found = machine.run(&[&format!("--collect={flag}")], &["echo", "ran"]);
        assert_eq!((found.status, &*found.stdout), (125, ""), "{flag} {found:?}");
        assert!(found.stderr.contains(text), "{flag} {found:?}");
    }
}

#[test]
fn what_the_action_could_read_of_other_owners_is_collected() {
    if !starts().contains(&Start::Root) {
        return;
    }
    for proc in ["fresh", "container"] {
        let mut machine = Machine::new(Start::Root);
        let upper = machine.directory.join("upper");
        fs::create_dir(&upper).unwrap();
        support::own(&upper, support::SANDBOX);
        let range = "{ first = 300000, count = 65536 }";
        machine.config = format!(
            "proc = \"{proc}\"\nupper = \"{}\"\nsub_uids = {range}\nsub_gids = {range}",
            upper.display()
        );
        let script =
            "echo x >/x/f; busybox chown 5:7 /x/f /x; chmod 600 /x/f; chmod 700 /x; sleep 9 &";
        let found = machine.shell(&["--user=root", "--collect=/x/:x"], script);
        assert_eq!(found, says("", ""), "{proc}");
        let copied = machine.input_root().join("x/f");
        assert_eq!(fs::read(&copied).unwrap(), b"x\n", "{proc}");
        assert_eq!(fs::metadata(&copied).unwrap().uid(), 0, "{proc}");
        assert_eq!(fs::read_dir(&upper).unwrap().count(), 0, "{proc}");
    }
}
