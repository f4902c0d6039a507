//! What the sandbox provides besides the image: proc, dev, a network, users, and memory to write to.

mod support;

use std::fs;

use support::{Machine, SANDBOX, Start, cases, outcome, prints, starts};

#[test]
fn proc_shows_the_sandbox_s_processes_only() {
    for case in cases() {
        let machine = Machine::new(case);
        let found =
            machine.shell(&["--network=none"], "set -- /proc/[0-9]*; echo $#; cat /proc/1/comm");
        // The init and the shell.
        assert_eq!(found, prints("2\nberth-exec\n"), "{case:?}");
        let script = "for f in /proc/sys/kernel/hostname /proc/sys/vm/drop_caches /proc/sysrq-trigger; do \
                      (echo 1 >$f) 2>/dev/null && echo wrote $f; done; touch /sys/devices/system/x 2>/dev/null || \
                      cat /sys/devices/system/cpu/online >/dev/null && echo fine";
        assert_eq!(machine.shell(&[], script), prints("fine\n"), "{case:?}");
        let script = "cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /proc/acpi /proc/scsi 2>/dev/null | grep -v :";
        assert_eq!(machine.shell(&[], script).stdout.lines().next(), Some("0"), "{case:?}");
    }
}

#[test]
fn an_action_goes_first_where_memory_runs_short() {
    for case in cases() {
        let machine = Machine::new(case);
        let found = machine.shell(&[], "cat /proc/self/oom_score_adj");
        assert_eq!(found, prints("1000\n"), "{case:?}");
    }
}

#[test]
fn dev_holds_what_programs_expect_and_no_more() {
    for case in cases() {
        let machine = Machine::new(case);
        let found = machine.shell(&[], "ls /dev; echo x >/dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; readlink /dev/ptmx; readlink /dev/stdin; ls /dev/pts");
        let devices =
            "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n";
        assert_eq!(
            found,
            prints(&format!("{devices}4\n4\npts/ptmx\n/proc/self/fd/0\nptmx\n")),
            "{case:?}"
        );
    }
}

#[test]
fn network_none_has_a_loopback_of_its_own_and_host_has_the_machine_s() {
    for case in cases() {
        let machine = Machine::new(case);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let accept = std::thread::spawn(move || listener.accept().map(drop));
        let reach = format!(
            "nc -w 1 127.0.0.1 {port} </dev/null 2>/dev/null && echo reached || echo refused"
        );
        assert_eq!(machine.shell(&["--network=none"], &reach), prints("refused\n"), "{case:?}");
        assert_eq!(machine.shell(&["--network=host"], &reach), prints("reached\n"), "{case:?}");
        accept.join().unwrap().unwrap();
        let own = "probe loopback; ifconfig -a | grep -c Link.encap";
        assert_eq!(machine.shell(&["--network=none"], own), prints("hi\n1\n"), "{case:?}");
    }
}

#[test]
fn resolver_files_are_the_machine_s_with_its_network_and_empty_without() {
    for case in cases() {
        let machine = Machine::new(case);
        let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        assert_eq!(
            machine.shell(&["--network=host"], "cat /etc/resolv.conf"),
            prints(&host),
            "{case:?}"
        );
        let found = machine.shell(
            &["--network=none"],
            "cat /etc/resolv.conf /etc/hostname; grep -c localhost /etc/hosts",
        );
        assert_eq!(found, prints("berth\n2\n"), "{case:?}");
    }
}

#[test]
fn upper_on_disk_is_removed_after_the_action() {
    for case in cases() {
        let mut machine = Machine::new(case);
        let upper = machine.directory.join("upper");
        fs::create_dir(&upper).unwrap();
        let owner = if case.start == Start::Root { SANDBOX } else { machine.runner() };
        support::own(&upper, owner);
        machine.config = format!("upper = \"{}\"", upper.display());
        let script =
            "mkdir -p /a/b/c; touch /a/b/c/d /tmp/x; chmod 000 /a/b; ln -s /etc /a/l; echo done";
        assert_eq!(machine.shell(&[], script), prints("done\n"), "{case:?}");
        assert_eq!(fs::read_dir(&upper).unwrap().count(), 0, "{case:?}");
    }
}

#[test]
fn upper_on_disk_is_removed_however_deep_the_action_made_it() {
    for case in cases() {
        let mut machine = Machine::new(case);
        let upper = machine.directory.join("upper");
        fs::create_dir(&upper).unwrap();
        let owner = if case.start == Start::Root { SANDBOX } else { machine.runner() };
        support::own(&upper, owner);
        machine.config = format!("upper = \"{}\"", upper.display());
        // 3,000 levels: more than a process has descriptors, in pieces that are no longer than a path.
        let script = "d=$(yes d | head -n 1000 | tr '\\n' /); mkdir /a; \
                      for p in 1 2 3; do mkdir -p /a/$p/$d; touch /a/$p/moved-1; done; \
                      cd /a/2/$d; mv /a/3 .; cd /a/1/$d; mv /a/2 .; chmod 000 2; echo done";
        assert_eq!(machine.shell(&[], script), prints("done\n"), "{case:?}");
        assert_eq!(fs::read_dir(&upper).unwrap().count(), 0, "{case:?}");
    }
}

#[test]
fn upper_size_limits_what_an_action_writes() {
    for case in cases() {
        let mut machine = Machine::new(case);
        machine.config = "upper_size = 2097152".to_owned();
        let script = "dd if=/dev/zero of=/tmp/x bs=1M count=8 2>&1 | grep -c 'No space'";
        assert_eq!(machine.shell(&[], script), prints("1\n"), "{case:?}");
    }
}

#[test]
fn a_range_of_ids_lets_root_of_an_image_give_files_away() {
    if !starts().contains(&Start::Root) {
        return;
    }
    let mut machine = Machine::new(Start::Root);
    machine.config = "sub_uids = { first = 300000, count = 65536 }\nsub_gids = { first = 300000, count = 65536 }".to_owned();
    let script = "touch /x; busybox chown 5:7 /x; stat -c '%u %g' /x; umount /tmp 2>/dev/null; \
                  mount -o remount,rw /proc/sys 2>/dev/null; probe make-device; probe nest; kill -9 1; echo alive";
    let expected =
        "5 7\nOperation not permitted (os error 1)\nNo space left on device (os error 28)\nalive\n";
    assert_eq!(machine.shell(&["--user=root"], script), prints(expected));
}

#[test]
fn a_root_of_binds_serves_where_an_overlay_is_refused() {
    if !starts().contains(&Start::Root) {
        return;
    }
    for case in cases() {
        let mut machine = Machine::new(case);
        let directory = machine.directory.join("stack");
        for name in ["lower", "upper", "work", "merged"] {
            fs::create_dir_all(directory.join(name)).unwrap();
        }
        // No overlay takes a directory of an overlay for its upper.
        machine.config = format!("upper = \"{}/merged\"", directory.display());
        let owner = if case.start == Start::Root { SANDBOX } else { machine.runner() };
        support::own(&directory, owner);
        fs::create_dir(machine.root().join("home")).unwrap();
        fs::write(machine.root().join("home/other"), "kept").unwrap();
        std::os::unix::fs::symlink("usr/lib", machine.root().join("lib")).unwrap();
        machine.settle();
        let before = machine.image();
        let script = "cat /etc/os-release /home/other; echo; id -un; touch /x /tmp/x ~/x out; readlink /lib; \
                      touch /usr/x /bin/x 2>/dev/null || echo kept; cat /etc/hostname /proc/1/comm; \
                      set -- /proc/[0-9]*; echo $#; rm /bin/id 2>/dev/null || echo locked";
        let mount = format!(
            "cd {} && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work x merged && cd \"$OLDPWD\" && ",
            directory.display()
        );
        let drop_user = if case.start == Start::User {
            "setpriv --reuid 12345 --regid 12345 --clear-groups "
        } else {
            ""
        };
        let run = |flags: &[&str]| {
            let command = machine.command(flags, &["sh", "-c", script]);
            let mut wrapped = std::process::Command::new("unshare");
            wrapped.args(["-m", "sh", "-c", &format!("{mount} exec {drop_user} \"$@\""), "sh"]);
            wrapped.arg(command.get_program()).args(command.get_args());
            wrapped
                .current_dir(machine.input_root())
                .env_clear()
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
            outcome(wrapped.output().unwrap())
        };
        let found = run(&["--network=none"]);
        let expected = "NAME=image\nkept\nbuild\nusr/lib\nkept\nberth\nberth-exec\n2\nlocked\n";
        assert_eq!(found, prints(expected), "{case:?}");
        assert!(machine.input_root().join("out").exists());
        // Nothing of the image can be replaced there, and its content is no output.
        let found = run(&["--collect=/etc/os-release:release"]);
        let text = "\"/etc/os-release\", which is to be collected, cannot be made: ";
        assert!(found.status == 125 && found.stderr.contains(text), "{case:?} {found:?}");
        assert_eq!(machine.image(), before, "{case:?}");
        assert_eq!(fs::read_dir(directory.join("upper")).unwrap().count(), 0, "{case:?}");
    }
}
