//! What an action, an image or a client may try against the machine and against others.

mod support;

use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use support::{EXEC_ROOT, Machine, Mode, Start, cases, outcome, prints, snapshot, starts};

const DENIED: &str = "Operation not permitted (os error 1)";

/// Lets the child keep a descriptor, as a careless runner does.
fn leak(fd: &impl AsRawFd) {
    // SAFETY: clears a flag of an open descriptor.
    assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) }, 0);
}

#[test]
fn no_descriptor_of_the_runner_reaches_the_action() {
    for case in cases() {
        let machine = Machine::new(case);
        let (root, file) = (File::open("/").unwrap(), File::open("/etc/hostname").unwrap());
        let (socket, _peer) = UnixStream::pair().unwrap();
        leak(&root);
        leak(&file);
        leak(&socket);
        assert_eq!(machine.run(&[], &["probe", "descriptors"]), prints("[0, 1, 2]\n"), "{case:?}");
    }
}

#[test]
fn no_key_of_the_runner_reaches_the_action() {
    let (name, joins, session) = (c"berth-test", 1_i64, -3_i64);
    // SAFETY: strings are terminated and the payload is as long as it is said to be. Keyrings belong to
    // a thread, and only this one's children inherit this one.
    let key = unsafe {
        libc::syscall(libc::SYS_keyctl, joins, std::ptr::null::<libc::c_char>());
        let (kind, payload) = (c"user".as_ptr(), c"secret".as_ptr());
        libc::syscall(libc::SYS_add_key, kind, name.as_ptr(), payload, 6_usize, session)
    };
    // A container's filter may forbid keys, to the action as well.
    let refused = if key < 0 { DENIED } else { "Required key not available (os error 126)" };
    for case in cases() {
        let machine = Machine::new(case);
        let found = machine.run(&[], &["probe", "find-key", "berth-test"]);
        assert_eq!(found, prints(&format!("{refused}\n")), "{case:?}");
    }
}

#[test]
fn an_action_has_no_capabilities_and_no_way_to_new_ones() {
    for case in cases() {
        let machine = Machine::new(case);
        for user in ["--user=build", "--user=root"] {
            let found = machine.shell(&[user], "grep -E '^(Cap|NoNewPrivs)' /proc/self/status");
            let none = "0000000000000000";
            let sets =
                ["Inh", "Prm", "Eff", "Bnd", "Amb"].map(|set| format!("Cap{set}:\t{none}\n"));
            assert_eq!(
                found,
                prints(&format!("{}NoNewPrivs:\t1\n", sets.concat())),
                "{case:?} {user}"
            );
        }
    }
}

#[test]
fn setuid_programs_of_image_and_input_root_gain_nothing() {
    for case in cases() {
        let machine = Machine::new(case);
        for place in [machine.root().join("bin/gain"), machine.input_root().join("gain")] {
            fs::copy(machine.root().join("bin/probe"), &place).unwrap();
            machine.settle();
            fs::set_permissions(&place, fs::Permissions::from_mode(0o6755)).unwrap();
        }
        if case.start == Start::Root {
            support::own(&machine.input_root().join("gain"), 0);
            let place = machine.input_root().join("gain");
            fs::set_permissions(&place, fs::Permissions::from_mode(0o6755)).unwrap();
        }
        for program in ["gain", "./gain"] {
            let found = machine.run(&[], &[program, "who"]);
            assert_eq!(found, prints("1000\nCapEff:\t0000000000000000\n"), "{case:?} {program}");
        }
    }
}

#[test]
fn mounts_cannot_be_taken_away_or_made_writable() {
    for case in cases() {
        let machine = Machine::new(case);
        let here = machine.input_root();
        let before = machine.image();
        for target in
            ["/", "/proc", "/proc/sys", "/dev", "/dev/null", "/tmp", here.to_str().unwrap()]
        {
            let script = format!(
                "umount {target} || umount -l {target} || mount -o remount,rw {target} || \
                 mount -o bind,remount,rw {target} || mount -t tmpfs x {target} || mount -o bind / {target}"
            );
            let found = machine.shell(&["--user=root"], &script);
            assert_ne!(found.status, 0, "{case:?} {target}: {found:?}");
        }
        assert_eq!(machine.image(), before, "{case:?}");
    }
}

#[test]
fn namespaces_of_the_action_s_own_are_refused_or_find_everything_locked() {
    for case in cases() {
        let mut machine = Machine::new(case);
        let found = machine.run(&["--user=root"], &["probe", "nest"]);
        assert_eq!(found, prints("No space left on device (os error 28)\n"), "{case:?}");
        machine.config = "nested_user_namespaces = true".to_owned();
        let before = machine.image();
        for target in ["/", "/proc/sys", "/proc", "/dev", "/tmp", "/sys/devices/system"] {
            let found = machine.run(&["--user=root"], &["probe", "nest-and-unmount", target]);
            // The root of a namespace is nobody's child, so that it is not a locked mount.
            let unmount = if target == "/" { DENIED } else { "Invalid argument (os error 22)" };
            let lines: Vec<&str> = found.stdout.lines().collect();
            let refused =
                |line: &&str| *line == DENIED || *line == "Invalid argument (os error 22)";
            assert_eq!(lines.len(), 2, "{case:?} {target}: {found:?}");
            assert!(refused(&lines[0]), "{case:?} {target} {unmount}: {found:?}");
            if target.starts_with("/proc/sys") || target.starts_with("/sys") {
                assert_eq!(lines[1], DENIED, "{case:?} {target}: {found:?}");
            }
        }
        assert_eq!(machine.image(), before, "{case:?}");
    }
}

#[test]
fn device_nodes_chroot_and_file_capabilities_are_refused() {
    for case in cases() {
        let machine = Machine::new(case);
        for user in ["--user=build", "--user=root"] {
            for arguments in
                [&["make-device"][..], &["escape-chroot"], &["capabilities-of-file", "/bin/probe"]]
            {
                let argv = [&["probe"], arguments].concat();
                let found = machine.run(&[user], &argv);
                assert_eq!(found, prints(&format!("{DENIED}\n")), "{case:?} {user} {argv:?}");
            }
        }
    }
}

#[test]
fn the_runner_s_terminal_cannot_be_typed_into() {
    for case in cases() {
        let machine = Machine::new(case);
        let (mut master, mut slave) = (0, 0);
        // SAFETY: the two numbers are written to; null asks for defaults.
        let made = unsafe {
            libc::openpty(
                &mut master,
                &mut slave,
                std::ptr::null_mut(),
                std::ptr::null(),
                std::ptr::null(),
            )
        };
        assert_eq!(made, 0);
        // SAFETY: just made, and owned by nobody else.
        let (_master, slave) =
            unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let mut command = machine.command(&["--user=root"], &["probe", "type-into-terminal"]);
        command.stdin(slave);
        // The terminal controls the helper's session, as an interactive runner's does.
        // SAFETY: only system calls between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY as _, 0);
                Ok(())
            });
        }
        let found = outcome(command.output().unwrap());
        assert_eq!(found, prints(&format!("{DENIED}\n")), "{case:?}");
    }
}

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
