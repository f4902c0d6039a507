//! What an action, an image or a client may try against the machine and against others.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use support::{EXEC_ROOT, Machine, Mode, cases, outcome, prints, snapshot, starts};

#[test]
fn the_init_gives_nothing_away() {
    for case in cases() {
        let machine = Machine::new(case);
        let script = "cat /proc/1/environ /proc/1/maps /proc/1/mem; ls /proc/1/fd/ /proc/1/root/ /proc/1/cwd/; \
                      for s in 1 2 3 9 10 12 15 19 30; do kill -$s 1; done; sleep 0.1; echo alive";
        let mut command = machine.command(&["--user=root"], &["sh", "-c", script]);
        let found = outcome(command.env("SECRET", "of the action").output().unwrap());
        assert_eq!((found.status, &*found.stdout), (0, "/proc/1/fd/:\nalive\n"), "{case:?}");
        assert_eq!(found.stderr.matches("Permission denied").count(), 6, "{case:?} {found:?}");
    }
}

#[test]
fn the_action_s_environment_and_directory_do_not_act_on_the_helper() {
    for case in cases() {
        let machine = Machine::new(case);
        let victim = machine.directory.join("victim/loaded");
        fs::write(machine.input_root().join("ev.so"), "not even a library").unwrap();
        fs::write(machine.input_root().join("exec.toml"), "store = \"/elsewhere\"").unwrap();
        let mut command = machine.command(&[], &["true"]);
        command.env("LD_PRELOAD", "./ev.so").env("LD_LIBRARY_PATH", ".").env("TMPDIR", &victim);
        command.env("LD_AUDIT", "./ev.so").env("RUST_BACKTRACE", "full").env("PATH", "./bin:/bin");
        assert_eq!(outcome(command.output().unwrap()), prints(""), "{case:?}");
        assert!(!victim.exists());
    }
}

#[test]
fn options_behind_the_dashes_are_the_action_s() {
    for case in cases() {
        let machine = Machine::new(case);
        let argv = ["probe", "echo", "--user=root", "--config=/etc/passwd", "--", "--sandbox"];
        let expected = "[--user=root][--config=/etc/passwd][--][--sandbox]";
        assert_eq!(machine.run(&[], &argv), prints(expected), "{case:?}");
    }
}

/// Ways for an image to have something else where a directory belongs.
const SHAPES: [&str; 9] =
    ["absolute", "relative", "three hops", "dangling", "magic", "loop", "file", "fifo", "missing"];

fn shape(machine: &Machine, name: &str, shape: &str) {
    let place = machine.root().join(name);
    let victim = machine.directory.join("victim");
    let _ = fs::remove_dir_all(&place);
    let link = |target: &Path| symlink(target, &place).unwrap();
    match shape {
        "absolute" => link(&victim),
        "relative" => {
            let up: PathBuf = machine.root().components().map(|_| "..").collect();
            link(&up.join(victim.strip_prefix("/").unwrap()));
        }
        "three hops" => {
            symlink(&victim, machine.root().join("hop2")).unwrap();
            symlink("hop2", machine.root().join("hop1")).unwrap();
            link(Path::new("hop1"));
        }
        "dangling" => link(Path::new("/no/such/place")),
        "magic" => link(Path::new("/proc/self/cwd")),
        "loop" => link(Path::new(name)),
        "file" => fs::write(&place, "a file").unwrap(),
        "fifo" => {
            let path = std::ffi::CString::new(place.to_str().unwrap()).unwrap();
            // SAFETY: the path is terminated.
            assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o644) }, 0);
        }
        _ => {}
    }
}

#[test]
fn an_image_with_something_else_in_place_of_a_directory_harms_nobody() {
    for case in cases() {
        for name in ["proc", "sys", "dev", "tmp", "etc", "home", "var"] {
            for shape_name in SHAPES {
                let machine = Machine::new(case);
                shape(&machine, name, shape_name);
                machine.settle();
                let before = (snapshot(&machine.directory.join("victim")), machine.image());
                let script = "cat /proc/1/comm; [ -w /tmp ] && echo x >/dev/null && ls / >/tmp/list && echo fine";
                let found = machine.shell(&[], script);
                // The build directory lies in /var, and is found there unless the image is within it.
                let needed = name == "etc" || (name == "var" && case.mode == Mode::BindMount);
                let refused = needed && shape_name != "missing";
                if refused {
                    let text = format!(
                        "berth-exec: \"/{name}\" of the image root is not a directory (links are not followed)\n"
                    );
                    assert_eq!(
                        (found.status, found.stderr),
                        (125, text),
                        "{case:?} {name} {shape_name}"
                    );
                } else if name == "home"
                    && !matches!(
                        shape_name,
                        "missing" | "absolute" | "relative" | "three hops" | "dangling"
                    )
                {
                    assert_eq!(found.status, 125, "{case:?} {name} {shape_name} {found:?}");
                    assert!(
                        found.stderr.contains("\"/home\" of the image root is not a directory"),
                        "{found:?}"
                    );
                } else if name == "home" && found.status == 125 {
                    assert!(
                        found.stderr.contains("\"/home\" of the image root"),
                        "{shape_name} {found:?}"
                    );
                } else {
                    assert_eq!(found, prints("berth-exec\nfine\n"), "{case:?} {name} {shape_name}");
                }
                let after = (snapshot(&machine.directory.join("victim")), machine.image());
                assert_eq!(after, before, "{case:?} {name} {shape_name}");
            }
        }
    }
}

#[test]
fn a_home_behind_a_link_of_the_image_is_made_within_the_root() {
    for case in cases() {
        let machine = Machine::new(case);
        fs::create_dir_all(machine.root().join("usr/home")).unwrap();
        symlink("/usr/home", machine.root().join("home")).unwrap();
        machine.settle();
        assert_eq!(machine.shell(&[], "touch ~/x; ls /usr/home/build"), prints("x\n"), "{case:?}");
    }
}

#[test]
fn files_that_the_sandbox_provides_replace_an_image_s_links() {
    for case in cases() {
        for name in ["hosts", "resolv.conf", "hostname", "passwd", "group"] {
            for target in [
                "/etc/shadow",
                "../../../../../../../etc/hostname",
                "/proc/self/fd/0",
                "/dev/zero",
                "victim",
            ] {
                let machine = Machine::new(case);
                let canary = machine.directory.join("victim/file");
                fs::write(&canary, "untouched").unwrap();
                let target = if target == "victim" { canary.to_str().unwrap() } else { target };
                symlink(target, machine.root().join("etc").join(name)).unwrap();
                machine.settle();
                let before = machine.image();
                let found = machine.shell(&[], "cat /etc/hostname; grep -c build /etc/passwd");
                assert_eq!(found, prints("berth\n1\n"), "{case:?} {name} {target}");
                assert_eq!(fs::read_to_string(&canary).unwrap(), "untouched");
                assert_eq!(machine.image(), before);
            }
        }
    }
}

#[test]
fn an_input_root_reached_through_a_link_is_refused() {
    for case in cases() {
        let machine = Machine::new(case);
        fs::create_dir_all(machine.directory.join("elsewhere").join(EXEC_ROOT)).unwrap();
        let link = machine.directory.join("build/link");
        symlink(machine.directory.join("elsewhere"), &link).unwrap();
        let here = if case.mode == Mode::Inline { link.join(EXEC_ROOT) } else { link };
        let mut command = machine.command(&[], &["true"]);
        let found = outcome(command.current_dir(here).output().unwrap());
        assert_eq!(found.status, 125, "{case:?}");
        assert!(found.stderr.contains("must lie beneath build_directory"), "{found:?}");
    }
}

#[test]
fn a_fork_bomb_stops_itself() {
    for case in cases() {
        let mut machine = Machine::new(case);
        machine.config = "max_processes = 50".to_owned();
        let found = machine.run(&[], &["probe", "bomb"]);
        let made: u32 = found.stdout.trim().parse().unwrap();
        // Root of the machine is exempt from the limit, but no action runs as that.
        assert!((40..50).contains(&made), "{case:?} {found:?}");
        assert_eq!(machine.run(&[], &["true"]), prints(""), "{case:?}");
    }
}

#[test]
fn a_store_entry_that_is_something_else_is_no_lease() {
    for case in starts() {
        for name in ["lock", "rootfs"] {
            let machine = Machine::new(case);
            let place = machine.lease().with_file_name(name);
            let kept = place.with_extension("kept");
            fs::rename(&place, &kept).unwrap();
            symlink(&kept, &place).unwrap();
            assert_eq!(machine.run(&[], &["true"]).status, 125, "{case:?} {name} as a link");
            fs::remove_file(&place).unwrap();
            let path = std::ffi::CString::new(place.to_str().unwrap()).unwrap();
            // SAFETY: the path is terminated.
            assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }, 0);
            let found = machine.run(&[], &["true"]);
            // A FIFO can be locked like any file, and does not make the helper wait.
            assert_eq!(found.status, if name == "lock" { 0 } else { 125 }, "{case:?} {found:?}");
        }
    }
}
