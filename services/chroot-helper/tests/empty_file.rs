//! The empty file that a step's output begins with, whatever the image has there.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use support::{Machine, Start, cases, own, prints};

/// A file of the image whose inode is the cache's as well.
fn cache(machine: &Machine, path: &str) -> PathBuf {
    let cached = machine.directory.join("victim").join(path.replace('/', "-"));
    fs::write(&cached, "of the image\n").unwrap();
    fs::set_permissions(&cached, fs::Permissions::from_mode(0o755)).unwrap();
    fs::hard_link(&cached, machine.root().join(path)).unwrap();
    cached
}

#[test]
fn a_file_begins_empty_whatever_the_image_has_there() {
    for case in cases() {
        for upper in ["tmpfs", "disk"] {
            let mut machine = Machine::new(case);
            let disk = machine.directory.join("disk");
            fs::create_dir(&disk).unwrap();
            let upper = if upper == "disk" { disk.to_str().unwrap() } else { upper };
            machine.config = format!("upper = \"{upper}\"");
            fs::create_dir_all(machine.root().join("fixed")).unwrap();
            let cached = ["usr/kept", "usr/written", "usr/gone", "usr/lib/target", "fixed/file"]
                .map(|path| cache(&machine, path));
            for (target, link) in [
                ("lib/target", "usr/relative"),
                ("/usr/relative", "absolute"),
                ("../../../srv/none", "usr/dangling"),
            ] {
                symlink(target, machine.root().join(link)).unwrap();
            }
            machine.settle();
            own(&disk, if case.start == Start::Root { support::SANDBOX } else { support::USER });
            if case.start == Start::User {
                let mode = fs::Permissions::from_mode(0o555);
                fs::set_permissions(machine.root().join("fixed"), mode).unwrap();
            }
            let before = machine.image();
            let flags = ["usr/kept", "usr/written", "usr/gone", "absolute", "usr/dangling"]
                .map(|path| format!("--collect=/{path}:{path}"));
            let fixed = "--collect=/fixed/file:fixed".to_owned();
            let flags: Vec<&str> = flags.iter().chain([&fixed]).map(String::as_str).collect();
            let script = "stat -L -c %s /usr/kept /usr/written /usr/gone /absolute /usr/dangling \
                          /fixed/file /usr/lib/target /srv/none; rm /usr/gone; \
                          echo new >/usr/written; echo new >/usr/lib/target; echo new >/srv/none";
            let found = machine.shell(&flags, script);
            assert_eq!(found, prints(&"0\n".repeat(8)), "{case:?} {upper}");
            let out = machine.input_root();
            for (name, expected) in [
                ("usr/kept", Some("")),
                ("usr/written", Some("new\n")),
                ("usr/gone", None),
                ("absolute", Some("new\n")),
                ("usr/dangling", Some("new\n")),
                ("fixed", Some("")),
            ] {
                let copied = fs::read_to_string(out.join(name)).ok();
                assert_eq!(copied.as_deref(), expected, "{case:?} {upper} {name}");
            }
            let mode = fs::metadata(out.join("usr/kept")).unwrap().mode();
            assert_eq!(mode & 0o111, 0, "{case:?} {upper}");
            assert_eq!(machine.image(), before, "{case:?} {upper}");
            for path in cached {
                assert_eq!(fs::read(&path).unwrap(), b"of the image\n", "{case:?} {path:?}");
            }
        }
    }
}

#[test]
fn an_input_that_is_collected_is_replaced_and_its_inode_kept() {
    for case in cases() {
        let machine = Machine::new(case);
        let cached = machine.directory.join("victim/input");
        fs::write(&cached, "an input\n").unwrap();
        fs::hard_link(&cached, machine.input_root().join("sub/input")).unwrap();
        machine.settle();
        let path = machine.inside().join("sub/input");
        let flag = format!("--collect={}:out", path.display());
        assert_eq!(machine.shell(&[&flag], "echo new >sub/input"), prints(""), "{case:?}");
        assert_eq!(fs::read(machine.input_root().join("out")).unwrap(), b"new\n", "{case:?}");
        assert_eq!(fs::read(&cached).unwrap(), b"an input\n", "{case:?}");
    }
}

#[test]
fn no_file_is_made_where_there_is_something_else() {
    for case in cases() {
        let machine = Machine::new(case);
        fs::write(machine.input_root().join("placed"), "an input\n").unwrap();
        for (target, link) in [
            ("/proc/self/fd/1", "magic"),
            ("loop", "loop"),
            ("etc/..", "up"),
            ("/etc", "directory"),
            ("/dev/null", "device"),
        ] {
            symlink(target, machine.root().join(link)).unwrap();
        }
        machine.settle();
        for (path, reason) in [
            ("/etc", "\"etc\": Is a directory"),
            ("/directory", "\"/etc\": Is a directory"),
            ("/up", "\"etc/..\": Is a directory"),
            ("/magic", "\"/proc/self/fd/1\": Operation not permitted"),
            ("/loop", "\"loop\": Symbolic link loop"),
            ("/device", "\"/dev/null\": "),
            ("/proc/version", "\"proc/version\": "),
            ("/here", "\"here\": Resource busy"),
        ] {
            let flags = ["--place=placed:/here", &format!("--collect={path}:x")];
            let found = machine.run(&flags, &["echo", "ran"]);
            assert_eq!((found.status, &*found.stdout), (125, ""), "{case:?} {path} {found:?}");
            let text = format!("{path:?}, which is to be collected, cannot be made: {reason}");
            assert!(found.stderr.contains(&text), "{case:?} {found:?}");
        }
    }
}
