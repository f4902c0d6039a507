//! An action in an image root, as a runner starts it.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use support::{Machine, Mode, Outcome, Start, cases, outcome, prints, starts};

fn refuses(status: i32, stderr: &str) -> Outcome {
    Outcome { status, stdout: String::new(), stderr: format!("{stderr}\n") }
}

#[test]
fn an_action_sees_the_image_and_is_the_build_user() {
    for case in cases() {
        let machine = Machine::new(case);
        let script =
            "cat /etc/os-release; id; grep build /etc/passwd /etc/group; echo $HOME; hostname; pwd";
        let here = machine.inside();
        let expected = format!(
            "NAME=image\nuid=1000(build) gid=1000(build)\n\
             /etc/passwd:build:x:1000:1000::/home/build:/bin/sh\n/etc/group:build:x:1000:\n\
             /home/build\nberth\n{}\n",
            here.display()
        );
        let mut found = machine.shell(&[], script);
        // The ordinary user's own group list cannot be cleared; it has none here.
        found.stdout = found.stdout.replace(" groups=1000(build)", "");
        assert_eq!(found, prints(&expected), "{case:?}");
    }
}

#[test]
fn user_flag_chooses_the_ids_inside() {
    for case in cases() {
        let machine = Machine::new(case);
        for (flag, expected) in [
            ("--user=root", "0 0\n/root\n"),
            ("--user=build", "1000 1000\n/home/build\n"),
            ("--user=7:9", "7 9\n/home/build\n"),
            ("--user=70", "70 70\n/home/build\n"),
        ] {
            let found = machine.shell(&[flag], "echo $(id -u) $(id -g); echo $HOME; touch ~/x");
            assert_eq!(found, prints(expected), "{case:?} {flag}");
        }
    }
}

#[test]
fn an_image_that_knows_the_user_keeps_its_accounts() {
    for case in cases() {
        let machine = Machine::new(case);
        fs::write(machine.root().join("etc/passwd"), "node:x:1000:1000::/home/node:/bin/sh")
            .unwrap();
        fs::write(machine.root().join("etc/group"), "wheel:x:10:").unwrap();
        machine.settle();
        let found = machine.shell(&[], "cat /etc/passwd; echo; cat /etc/group");
        let expected = "node:x:1000:1000::/home/node:/bin/sh\nwheel:x:10:\nbuild:x:1000:\n";
        assert_eq!(found, prints(expected), "{case:?}");
    }
}

#[test]
fn what_an_action_writes_outside_its_directory_vanishes() {
    for case in cases() {
        let machine = Machine::new(case);
        let before = machine.image();
        let script = "set -e; touch /x /tmp/berth-run $HOME/x /usr/lib/x /dev/shm/x; echo more >>/etc/os-release; \
                      rm -r /usr; mv /bin/id /bin/di; echo done";
        assert_eq!(machine.shell(&[], script), prints("done\n"), "{case:?}");
        let script = "ls -d /x /tmp/berth-run /home/build/x /usr/lib/x /dev/shm/x 2>/dev/null; cat /etc/os-release";
        assert_eq!(machine.shell(&[], script), prints("NAME=image\n"), "{case:?}");
        assert_eq!(machine.image(), before, "{case:?}");
        assert!(!Path::new("/tmp/berth-run").exists());
    }
}

#[test]
fn outputs_land_in_the_input_root_and_belong_to_the_runner() {
    for case in cases() {
        let machine = Machine::new(case);
        let found =
            machine.shell(&[], "echo hi >sub/out; mkdir made; stat -c '%u %g' sub/out . made");
        assert_eq!(found, prints("1000 1000\n1000 1000\n1000 1000\n"), "{case:?}");
        let out = fs::metadata(machine.input_root().join("sub/out")).unwrap();
        assert_eq!((out.uid(), out.gid()), (machine.runner(), machine.runner()), "{case:?}");
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
    for case in cases() {
        let machine = Machine::new(case);
        let (directory, inside) = (machine.directory.display(), machine.inside());
        let script = format!("find {directory} {} 2>/dev/null | sort -u", inside.display());
        let within = |path: &Path| {
            let parents = path.ancestors().filter(|path| path.starts_with(&machine.directory));
            let mut all: Vec<_> = parents.map(|path| path.display().to_string()).collect();
            all.sort();
            all
        };
        let mut expected = match case.mode {
            Mode::BindMount => within(&inside),
            Mode::Inline => vec![inside.display().to_string()],
        };
        expected.push(inside.join("sub").display().to_string());
        let found = machine.shell(&[], &script);
        assert_eq!(found, prints(&format!("{}\n", expected.join("\n"))), "{case:?}");
    }
}

#[test]
fn the_working_directory_is_stripped_to_find_the_input_root() {
    for case in cases() {
        let machine = Machine::new(case);
        let mut command =
            machine.command(&["--working-directory=sub"], &["sh", "-c", "pwd; touch ../beside"]);
        let found =
            outcome(command.current_dir(machine.input_root().join("sub")).output().unwrap());
        let expected = format!("{}/sub\n", machine.inside().display());
        assert_eq!(found, prints(&expected), "{case:?}");
        assert!(machine.input_root().join("beside").exists());
    }
}

#[test]
fn a_build_directory_beneath_tmp_is_bound_over_the_private_tmp() {
    for case in starts() {
        let machine = Machine::new(case);
        let name = format!("berth-exec-tmp-{}-{case:?}", std::process::id());
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
        let mut command = machine.command(&[], &["sh", "-c", "touch out /tmp/berth-mine; ls /tmp"]);
        command.arg("--").current_dir(&root);
        let mut again = machine.helper();
        again.current_dir(&root).arg(format!("--config={}", config.display()));
        again.arg(format!("--image=registry.example/test@sha256:{}", support::HEX));
        let found = outcome(
            again
                .args(["--", "sh", "-c", "touch out /tmp/berth-mine; ls /tmp | wc -l"])
                .output()
                .unwrap(),
        );
        let made = root.join("out").exists();
        let leaked = Path::new("/tmp/berth-mine").exists();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!((found, made, leaked), (prints("2\n"), true, false), "{case:?}");
    }
}

#[test]
fn exit_statuses_are_the_program_s_own() {
    for case in cases() {
        let machine = Machine::new(case);
        for status in [0, 1, 2, 77, 124, 125, 126, 127, 128, 137, 254, 255] {
            let found = machine.shell(&[], &format!("exit {status}"));
            assert_eq!((found.status, &*found.stderr), (status, ""), "{case:?}");
        }
        for signal in [1, 2, 3, 6, 8, 9, 11, 13, 14, 15, 31] {
            let found = machine.run(&[], &["probe", "die", &signal.to_string()]);
            assert_eq!(found.status, 128 + signal, "{case:?} {signal}");
        }
    }
}

#[test]
fn a_program_that_cannot_start_is_told_apart() {
    for case in cases() {
        let machine = Machine::new(case);
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
            assert_eq!(found, refuses(status, &cannot(program, reason)), "{case:?}");
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
    for case in cases() {
        let machine = Machine::new(case);
        fs::create_dir(machine.root().join("opt")).unwrap();
        fs::copy(machine.root().join("bin/probe"), machine.root().join("opt/tool")).unwrap();
        fs::copy(machine.root().join("bin/probe"), machine.input_root().join("sub/tool")).unwrap();
        machine.settle();
        let run = |path: Option<&str>, program: &str| {
            let mut command = machine.command(&[], &[program, "echo", "a b", ""]);
            path.map(|path| command.env("PATH", path));
            outcome(command.output().unwrap())
        };
        assert_eq!(run(None, "probe"), prints("[a b][]"), "{case:?}");
        assert_eq!(run(Some("/nowhere:/opt"), "tool"), prints("[a b][]"), "{case:?}");
        assert_eq!(run(Some("/nowhere:sub"), "tool"), prints("[a b][]"), "{case:?}");
        assert_eq!(run(Some("/opt"), "sub/tool"), prints("[a b][]"), "{case:?}");
        assert_eq!(run(Some("/bin"), "tool").status, 127, "{case:?}");
    }
}

#[test]
fn arguments_and_environment_reach_the_program_byte_for_byte() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    for case in cases() {
        let machine = Machine::new(case);
        let odd = OsStr::from_bytes(b"caf\xe9\xff");
        let mut command = machine.command(
            &[],
            &[OsStr::new("sh"), OsStr::new("-c"), OsStr::new("echo $0 $ODD; env | grep -c ."), odd],
        );
        let found = command.env("ODD", odd).env("HOME", "/elsewhere").output().unwrap();
        // ODD, HOME, and what the shell adds itself.
        assert_eq!(found.stdout, b"caf\xe9\xff caf\xe9\xff\n5\n", "{case:?} {found:?}");
    }
}
