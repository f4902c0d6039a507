//! An action in an image root, as a runner starts it.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use support::{Machine, Outcome, SANDBOX, Start, outcome, prints, snapshot, starts};

fn refuses(status: i32, stderr: &str) -> Outcome {
    Outcome { status, stdout: String::new(), stderr: format!("{stderr}\n") }
}

#[test]
fn an_action_sees_the_image_and_is_the_build_user() {
    for start in starts() {
        let machine = Machine::new(start);
        let script =
            "cat /etc/os-release; id; grep build /etc/passwd /etc/group; echo $HOME; hostname; pwd";
        let here = machine.input_root();
        let expected = format!(
            "NAME=image\nuid=1000(build) gid=1000(build)\n\
             /etc/passwd:build:x:1000:1000::/home/build:/bin/sh\n/etc/group:build:x:1000:\n\
             /home/build\nberth\n{}\n",
            here.display()
        );
        let mut found = machine.shell(&[], script);
        // The ordinary user's own group list cannot be cleared; it has none here.
        found.stdout = found.stdout.replace(" groups=1000(build)", "");
        assert_eq!(found, prints(&expected), "{start:?}");
    }
}

#[test]
fn user_flag_chooses_the_ids_inside() {
    for start in starts() {
        let machine = Machine::new(start);
        for (flag, expected) in [
            ("--user=root", "0 0\n/root\n"),
            ("--user=build", "1000 1000\n/home/build\n"),
            ("--user=7:9", "7 9\n/home/build\n"),
            ("--user=70", "70 70\n/home/build\n"),
        ] {
            let found = machine.shell(&[flag], "echo $(id -u) $(id -g); echo $HOME; touch ~/x");
            assert_eq!(found, prints(expected), "{start:?} {flag}");
        }
    }
}

#[test]
fn an_image_that_knows_the_user_keeps_its_accounts() {
    for start in starts() {
        let machine = Machine::new(start);
        fs::write(machine.root().join("etc/passwd"), "node:x:1000:1000::/home/node:/bin/sh")
            .unwrap();
        fs::write(machine.root().join("etc/group"), "wheel:x:10:").unwrap();
        machine.settle();
        let found = machine.shell(&[], "cat /etc/passwd; echo; cat /etc/group");
        let expected = "node:x:1000:1000::/home/node:/bin/sh\nwheel:x:10:\nbuild:x:1000:\n";
        assert_eq!(found, prints(expected), "{start:?}");
    }
}

#[test]
fn what_an_action_writes_outside_its_directory_vanishes() {
    for start in starts() {
        let machine = Machine::new(start);
        let before = snapshot(&machine.root());
        let script = "set -e; touch /x /tmp/x $HOME/x /usr/lib/x /dev/shm/x; echo more >>/etc/os-release; \
                      rm -r /usr; mv /bin/id /bin/di; echo done";
        assert_eq!(machine.shell(&[], script), prints("done\n"), "{start:?}");
        let script =
            "ls -d /x /tmp/x /home/build/x /usr/lib/x /dev/shm/x 2>/dev/null; cat /etc/os-release";
        assert_eq!(machine.shell(&[], script), prints("NAME=image\n"), "{start:?}");
        assert_eq!(snapshot(&machine.root()), before, "{start:?}");
        assert!(!Path::new("/tmp/x").exists());
    }
}

#[test]
fn outputs_land_in_the_input_root_and_belong_to_the_runner() {
    for start in starts() {
        let machine = Machine::new(start);
        let found =
            machine.shell(&[], "echo hi >sub/out; mkdir made; stat -c '%u %g' sub/out . made");
        assert_eq!(found, prints("1000 1000\n1000 1000\n1000 1000\n"), "{start:?}");
        let out = fs::metadata(machine.input_root().join("sub/out")).unwrap();
        assert_eq!((out.uid(), out.gid()), (machine.runner(), machine.runner()), "{start:?}");
    }
}

#[test]
fn an_input_of_a_third_owner_can_be_replaced_but_not_changed() {
    if !starts().contains(&Start::Root) {
        return;
    }
    let machine = Machine::new(Start::Root);
    let (cached, input) = (machine.directory.join("cached"), machine.input_root().join("input"));
    fs::write(&cached, "cached").unwrap();
    fs::set_permissions(&cached, fs::Permissions::from_mode(0o555)).unwrap();
    chown(&cached, Some(4242), Some(4242)).unwrap();
    fs::hard_link(&cached, &input).unwrap();
    for user in ["--user=build", "--user=root"] {
        let script = "cat input; echo; for f in 'chmod u+w input' 'chmod 777 input' 'touch -d 2000-01-01 input' \
                      'ln input link' 'dd of=input conv=notrunc'; do $f 2>/dev/null </dev/null && echo \"$f\"; done; \
                      (echo x >input) 2>/dev/null || echo kept";
        assert_eq!(machine.shell(&[user], script), prints("cached\nkept\n"), "{user}");
    }
    assert_eq!(machine.shell(&[], "rm -f input && echo new >input"), prints(""));
    assert_eq!(fs::read_to_string(&cached).unwrap(), "cached");
    assert_eq!(fs::metadata(&cached).unwrap().mode() & 0o7777, 0o555);
    assert_eq!(fs::read_to_string(&input).unwrap(), "new\n");
}

#[test]
fn a_sandbox_uid_of_the_runner_s_own_needs_no_mapping() {
    if !starts().contains(&Start::Root) {
        return;
    }
    let mut machine = Machine::new(Start::Root);
    machine.config = "sandbox_uid = 0\nsandbox_gid = 0".to_owned();
    support::own(&machine.directory.join("store"), 0);
    let script = "id -u; touch out; echo 1 >/proc/sys/kernel/panic; cat /proc/kmsg";
    let found = machine.shell(&[], script);
    assert_eq!(found.stdout, "1000\n");
    assert!(found.stderr.contains("Read-only file system"), "{found:?}");
    assert_eq!(fs::metadata(machine.input_root().join("out")).unwrap().uid(), 0);
}

#[test]
fn only_the_action_s_own_input_root_is_there() {
    for start in starts() {
        let machine = Machine::new(start);
        let script = format!("find {0}", machine.directory.display());
        let found = machine.shell(&[], &script);
        let directory = machine.directory.display();
        let expected =
            ["", "/build", "/build/action", "/build/action/root", "/build/action/root/sub"]
                .map(|path| format!("{directory}{path}\n"))
                .concat();
        assert_eq!(found, prints(&expected), "{start:?}");
    }
}

#[test]
fn the_working_directory_is_stripped_to_find_the_input_root() {
    for start in starts() {
        let machine = Machine::new(start);
        let mut command =
            machine.command(&["--working-directory=sub"], &["sh", "-c", "pwd; touch ../beside"]);
        let found =
            outcome(command.current_dir(machine.input_root().join("sub")).output().unwrap());
        let expected = format!("{}/sub\n", machine.input_root().display());
        assert_eq!(found, prints(&expected), "{start:?}");
        assert!(machine.input_root().join("beside").exists());
    }
}

#[test]
fn a_build_directory_beneath_tmp_is_bound_over_the_private_tmp() {
    for start in starts() {
        let machine = Machine::new(start);
        let name = format!("berth-exec-tmp-{}-{start:?}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let root = directory.join("action/root");
        fs::create_dir_all(&root).unwrap();
        support::own(&directory, machine.runner());
        let config = directory.join("exec.toml");
        let text = format!(
            "store = \"{}/store\"\nbuild_directory = \"{}\"\n",
            machine.directory.display(),
            directory.display()
        );
        fs::write(&config, text).unwrap();
        let mut command = machine.command(&[], &["sh", "-c", "touch out /tmp/mine; ls /tmp"]);
        command.arg("--").current_dir(&root);
        let mut again = machine.helper();
        again.current_dir(&root).arg(format!("--config={}", config.display()));
        again.arg(format!("--image=registry.example/test@sha256:{}", support::HEX));
        let found = outcome(
            again
                .args(["--", "sh", "-c", "touch out /tmp/mine; ls /tmp | wc -l"])
                .output()
                .unwrap(),
        );
        let made = root.join("out").exists();
        let leaked = Path::new("/tmp/mine").exists();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!((found, made, leaked), (prints("2\n"), true, false), "{start:?}");
    }
}

#[test]
fn exit_statuses_are_the_program_s_own() {
    for start in starts() {
        let machine = Machine::new(start);
        for status in [0, 1, 2, 77, 124, 125, 126, 127, 128, 137, 254, 255] {
            let found = machine.shell(&[], &format!("exit {status}"));
            assert_eq!((found.status, &*found.stderr), (status, ""), "{start:?}");
        }
        for signal in [1, 2, 3, 6, 8, 9, 11, 13, 14, 15, 31] {
            let found = machine.run(&[], &["probe", "die", &signal.to_string()]);
            assert_eq!(found.status, 128 + signal, "{start:?} {signal}");
        }
    }
}

#[test]
fn a_program_that_cannot_start_is_told_apart() {
    for start in starts() {
        let machine = Machine::new(start);
        let root = machine.root();
        let program = |name: &str, mode: u32, bytes: &[u8]| {
            fs::write(root.join("bin").join(name), bytes).unwrap();
            fs::set_permissions(root.join("bin").join(name), fs::Permissions::from_mode(mode))
                .unwrap();
        };
        program("plain", 0o644, b"#!/bin/sh\n");
        program("text", 0o755, b"echo no interpreter\n");
        program("script", 0o755, b"#!/no/such/shell -e\n");
        program("empty", 0o755, b"");
        let mut elf = fs::read(root.join("bin/busybox")).unwrap();
        elf[18] = 0xf3;
        program("foreign", 0o755, &elf[..4096]);
        machine.settle();
        let cannot =
            |program: &str, reason: &str| format!("berth-exec: cannot run {program:?}: {reason}");
        for (program, status, reason) in [
            ("absent", 127, "not found in the root"),
            ("/bin/absent", 127, "not found in the root"),
            ("./absent", 127, "not found in the root"),
            ("plain", 126, "Permission denied"),
            ("/etc", 126, "Permission denied"),
            ("text", 126, "it is neither a program nor a script with a #! line"),
            ("empty", 126, "it is neither a program nor a script with a #! line"),
            ("foreign", 126, "it is built for another architecture"),
            ("script", 127, "its interpreter \"/no/such/shell\" is not in the root"),
        ] {
            let found = machine.run(&[], &[program]);
            assert_eq!(found, refuses(status, &cannot(program, reason)), "{start:?}");
        }
        // A program of the machine names a loader that the image lacks.
        fs::copy("/bin/ls", root.join("bin/dynamic")).unwrap();
        let found = machine.run(&[], &["dynamic"]);
        assert_eq!(found.status, 127, "{found:?}");
        assert!(found.stderr.contains("its interpreter \"/lib64/ld-linux"), "{found:?}");
    }
}

#[test]
fn program_names_are_resolved_in_the_root_as_execvp_does() {
    for start in starts() {
        let machine = Machine::new(start);
        fs::create_dir(machine.root().join("opt")).unwrap();
        fs::copy(machine.root().join("bin/probe"), machine.root().join("opt/tool")).unwrap();
        fs::copy(machine.root().join("bin/probe"), machine.input_root().join("sub/tool")).unwrap();
        machine.settle();
        let run = |path: Option<&str>, program: &str| {
            let mut command = machine.command(&[], &[program, "echo", "a b", ""]);
            path.map(|path| command.env("PATH", path));
            outcome(command.output().unwrap())
        };
        assert_eq!(run(None, "probe"), prints("[a b][]"), "{start:?}");
        assert_eq!(run(Some("/nowhere:/opt"), "tool"), prints("[a b][]"), "{start:?}");
        assert_eq!(run(Some("/nowhere:sub"), "tool"), prints("[a b][]"), "{start:?}");
        assert_eq!(run(Some("/opt"), "sub/tool"), prints("[a b][]"), "{start:?}");
        assert_eq!(run(Some("/bin"), "tool").status, 127, "{start:?}");
    }
}

#[test]
fn arguments_and_environment_reach_the_program_byte_for_byte() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    for start in starts() {
        let machine = Machine::new(start);
        let odd = OsStr::from_bytes(b"caf\xe9\xff");
        let mut command = machine.command(
            &[],
            &[OsStr::new("sh"), OsStr::new("-c"), OsStr::new("echo $0 $ODD; env | grep -c ."), odd],
        );
        let found = command.env("ODD", odd).env("HOME", "/elsewhere").output().unwrap();
        // ODD, HOME, and what the shell adds itself.
        assert_eq!(found.stdout, b"caf\xe9\xff caf\xe9\xff\n5\n", "{start:?} {found:?}");
    }
}

#[test]
fn proc_shows_the_sandbox_s_processes_only() {
    for start in starts() {
        let machine = Machine::new(start);
        let found =
            machine.shell(&["--network=none"], "set -- /proc/[0-9]*; echo $#; cat /proc/1/comm");
        // The init and the shell.
        assert_eq!(found, prints("2\nberth-exec\n"), "{start:?}");
        let script = "for f in /proc/sys/kernel/hostname /proc/sys/vm/drop_caches /proc/sysrq-trigger; do \
                      (echo 1 >$f) 2>/dev/null && echo wrote $f; done; touch /sys/devices/system/x 2>/dev/null || \
                      cat /sys/devices/system/cpu/online >/dev/null && echo fine";
        assert_eq!(machine.shell(&[], script), prints("fine\n"), "{start:?}");
        let script = "cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /proc/acpi /proc/scsi 2>/dev/null | grep -v :";
        assert_eq!(machine.shell(&[], script).stdout.lines().next(), Some("0"), "{start:?}");
    }
}

#[test]
fn an_action_goes_first_where_memory_runs_short() {
    for start in starts() {
        let machine = Machine::new(start);
        let found = machine.shell(&[], "cat /proc/self/oom_score_adj");
        assert_eq!(found, prints("1000\n"), "{start:?}");
    }
}

#[test]
fn dev_holds_what_programs_expect_and_no_more() {
    for start in starts() {
        let machine = Machine::new(start);
        let found = machine.shell(&[], "ls /dev; echo x >/dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; readlink /dev/ptmx; readlink /dev/stdin; ls /dev/pts");
        let devices =
            "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n";
        assert_eq!(
            found,
            prints(&format!("{devices}4\n4\npts/ptmx\n/proc/self/fd/0\nptmx\n")),
            "{start:?}"
        );
    }
}

#[test]
fn network_none_has_a_loopback_of_its_own_and_host_has_the_machine_s() {
    for start in starts() {
        let machine = Machine::new(start);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let accept = std::thread::spawn(move || listener.accept().map(drop));
        let reach = format!(
            "nc -w 1 127.0.0.1 {port} </dev/null 2>/dev/null && echo reached || echo refused"
        );
        assert_eq!(machine.shell(&["--network=none"], &reach), prints("refused\n"), "{start:?}");
        assert_eq!(machine.shell(&["--network=host"], &reach), prints("reached\n"), "{start:?}");
        accept.join().unwrap().unwrap();
        let own = "probe loopback; ifconfig -a | grep -c Link.encap";
        assert_eq!(machine.shell(&["--network=none"], own), prints("hi\n1\n"), "{start:?}");
    }
}

#[test]
fn resolver_files_are_the_machine_s_with_its_network_and_empty_without() {
    for start in starts() {
        let machine = Machine::new(start);
        let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        assert_eq!(
            machine.shell(&["--network=host"], "cat /etc/resolv.conf"),
            prints(&host),
            "{start:?}"
        );
        let found = machine.shell(
            &["--network=none"],
            "cat /etc/resolv.conf /etc/hostname; grep -c localhost /etc/hosts",
        );
        assert_eq!(found, prints("berth\n2\n"), "{start:?}");
    }
}

#[test]
fn upper_on_disk_is_removed_after_the_action() {
    for start in starts() {
        let mut machine = Machine::new(start);
        let upper = machine.directory.join("upper");
        fs::create_dir(&upper).unwrap();
        let owner = if start == Start::Root { SANDBOX } else { machine.runner() };
        support::own(&upper, owner);
        machine.config = format!("upper = \"{}\"", upper.display());
        let script =
            "mkdir -p /a/b/c; touch /a/b/c/d /tmp/x; chmod 000 /a/b; ln -s /etc /a/l; echo done";
        assert_eq!(machine.shell(&[], script), prints("done\n"), "{start:?}");
        assert_eq!(fs::read_dir(&upper).unwrap().count(), 0, "{start:?}");
    }
}

#[test]
fn upper_on_disk_is_removed_however_deep_the_action_made_it() {
    for start in starts() {
        let mut machine = Machine::new(start);
        let upper = machine.directory.join("upper");
        fs::create_dir(&upper).unwrap();
        let owner = if start == Start::Root { SANDBOX } else { machine.runner() };
        support::own(&upper, owner);
        machine.config = format!("upper = \"{}\"", upper.display());
        // 3,000 levels: more than a process has descriptors, in pieces that are no longer than a path.
        let script = "d=$(yes d | head -n 1000 | tr '\\n' /); mkdir /a; \
                      for p in 1 2 3; do mkdir -p /a/$p/$d; touch /a/$p/moved-1; done; \
                      cd /a/2/$d; mv /a/3 .; cd /a/1/$d; mv /a/2 .; chmod 000 2; echo done";
        assert_eq!(machine.shell(&[], script), prints("done\n"), "{start:?}");
        assert_eq!(fs::read_dir(&upper).unwrap().count(), 0, "{start:?}");
    }
}

#[test]
fn upper_size_limits_what_an_action_writes() {
    for start in starts() {
        let mut machine = Machine::new(start);
        machine.config = "upper_size = 2097152".to_owned();
        let script = "dd if=/dev/zero of=/tmp/x bs=1M count=8 2>&1 | grep -c 'No space'";
        assert_eq!(machine.shell(&[], script), prints("1\n"), "{start:?}");
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
    for start in starts() {
        let mut machine = Machine::new(start);
        let directory = machine.directory.join("stack");
        for name in ["lower", "upper", "work", "merged"] {
            fs::create_dir_all(directory.join(name)).unwrap();
        }
        // No overlay takes a directory of an overlay for its upper.
        machine.config = format!("upper = \"{}/merged\"", directory.display());
        let owner = if start == Start::Root { SANDBOX } else { machine.runner() };
        support::own(&directory, owner);
        fs::create_dir(machine.root().join("home")).unwrap();
        fs::write(machine.root().join("home/other"), "kept").unwrap();
        std::os::unix::fs::symlink("usr/lib", machine.root().join("lib")).unwrap();
        machine.settle();
        let before = snapshot(&machine.root());
        let script = "cat /etc/os-release /home/other; echo; id -un; touch /x /tmp/x ~/x out; readlink /lib; \
                      touch /usr/x /bin/x 2>/dev/null || echo kept; cat /etc/hostname /proc/1/comm; \
                      set -- /proc/[0-9]*; echo $#; rm /bin/id 2>/dev/null || echo locked";
        let mut command = machine.command(&["--network=none"], &["sh", "-c", script]);
        let mount = format!(
            "cd {} && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work x merged && cd \"$OLDPWD\" && ",
            directory.display()
        );
        let mut wrapped = std::process::Command::new("unshare");
        let drop_user = if start == Start::User {
            "setpriv --reuid 12345 --regid 12345 --clear-groups "
        } else {
            ""
        };
        wrapped.args(["-m", "sh", "-c", &format!("{mount} exec {drop_user} \"$@\""), "sh"]);
        wrapped.arg(command.get_program()).args(command.get_args());
        wrapped
            .current_dir(machine.input_root())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env_clear();
        let found = outcome(wrapped.output().unwrap());
        let expected = "NAME=image\nkept\nbuild\nusr/lib\nkept\nberth\nberth-exec\n2\nlocked\n";
        assert_eq!(found, prints(expected), "{start:?}");
        assert!(machine.input_root().join("out").exists());
        assert_eq!(snapshot(&machine.root()), before, "{start:?}");
        assert_eq!(fs::read_dir(directory.join("upper")).unwrap().count(), 0, "{start:?}");
    }
}
