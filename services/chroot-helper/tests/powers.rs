//! What an action has of the runner, and what it may ask of the kernel: as little as can be.

mod support;

use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;

use support::{Machine, Start, cases, outcome, prints};

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
        let mut machine = Machine::new(case);
        machine.config = "all_system_calls = true".to_owned();
        let found = machine.run(&[], &["probe", "find-key", "berth-test"]);
        assert_eq!(found, prints(&format!("{refused}\n")), "{case:?}");
    }
}

#[test]
fn system_calls_that_no_build_needs_are_not_there() {
    for case in cases() {
        let mut machine = Machine::new(case);
        let refused = "Function not implemented (os error 38)\n";
        let found = machine.run(&[], &["probe", "rare-calls"]);
        assert_eq!(found, prints(&refused.repeat(10)), "{case:?}");
        // A kernel without 32-bit programs ends one that tries to be one.
        let found = machine.run(&[], &["probe", "narrow-call"]);
        assert!(found.stdout == "-38\n" || found.status == 139, "{case:?} {found:?}");
        machine.config = "all_system_calls = true".to_owned();
        let found = machine.run(&[], &["probe", "rare-calls"]);
        assert!(found.stdout.lines().any(|line| !refused.contains(line)), "{case:?} {found:?}");
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
