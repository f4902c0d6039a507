//! `--sandbox`: an action without an image, in the machine's own root.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;

use support::{Machine, Outcome, SANDBOX, Start, outcome, prints, starts};

fn sandbox(machine: &Machine, flags: &[&str], script: &str) -> Outcome {
    let mut command = machine.helper();
    command.env("PATH", "/usr/bin:/bin").arg("--sandbox").args(flags);
    let mut found = outcome(command.args(["--", "sh", "-c", script]).output().unwrap());
    found.stdout = found.stdout.replace(&*machine.directory.to_string_lossy(), "DIR");
    found
}

#[test]
fn the_store_the_socket_and_other_actions_are_hidden() {
    for start in starts() {
        let mut machine = Machine::new(start);
        let hidden = machine.directory.join("hidden");
        fs::create_dir_all(&hidden).unwrap();
        fs::create_dir_all(machine.directory.join("run")).unwrap();
        for path in [hidden.join("secret"), machine.socket(), machine.directory.join("file")] {
            fs::write(path, "secret").unwrap();
        }
        fs::write(machine.input_root().join("input"), "input").unwrap();
        let list = [&hidden, &machine.directory.join("file"), &machine.directory.join("absent")];
        machine.config = format!("hide = {list:?}");
        machine.settle();
        let script = format!(
            "cd {}; find store run build hidden file -type f; wc -c <file",
            machine.directory.display()
        );
        assert_eq!(
            sandbox(&machine, &[], &script),
            prints("build/action/root/input\n0\n"),
            "{start:?}"
        );
    }
}

#[test]
fn the_machine_s_programs_run_and_cannot_change_it() {
    for start in starts() {
        let machine = Machine::new(start);
        let before = fs::metadata("/usr").unwrap().mtime();
        let script = "cat /etc/os-release >/dev/null && ls /usr/bin >/dev/null && echo runs; \
                      touch /usr/berth-test /etc/berth-test /var/berth-test 2>/dev/null || echo kept; \
                      touch /berth-test /tmp/berth-test $HOME/berth-test /dev/shm/x && echo writes; \
                      ls /run; readlink /proc/self/exe >/dev/null && echo proc";
        let expected = "runs\nkept\nwrites\nproc\n";
        assert_eq!(sandbox(&machine, &["--network=none"], script), prints(expected), "{start:?}");
        for path in ["/berth-test", "/tmp/berth-test", "/usr/berth-test", "/home/build"] {
            assert!(!std::path::Path::new(path).exists(), "{start:?} {path}");
        }
        assert_eq!(fs::metadata("/usr").unwrap().mtime(), before);
    }
}

#[test]
fn the_sandbox_is_the_same_as_with_an_image() {
    for start in starts() {
        let machine = Machine::new(start);
        let script = "id -u; hostname; pwd; echo out >out; grep -E 'CapEff|CapBnd|NoNew' /proc/self/status; \
                      set -- /proc/[0-9]*; echo $#; getent passwd build || true; \
                      umount /usr 2>/dev/null; mount -o remount,rw /usr 2>/dev/null; mount -o remount,bind,rw / 2>/dev/null || echo locked";
        let found = sandbox(&machine, &["--user=4321"], script);
        let expected = "4321\nberth\nDIR/build/action/root\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n\
                        NoNewPrivs:\t1\n2\nbuild:x:4321:4321::/home/build:/bin/sh\nlocked\n";
        assert_eq!(found, prints(expected), "{start:?}");
        let out = fs::metadata(machine.input_root().join("out")).unwrap();
        assert_eq!(out.uid(), machine.runner(), "{start:?}");
    }
}

#[test]
fn files_of_the_machine_s_root_user_stay_out_of_reach() {
    if !starts().contains(&Start::Root) {
        return;
    }
    let machine = Machine::new(Start::Root);
    let secret = machine.directory.join("secret");
    fs::write(&secret, "secret").unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let script = format!("cat {}; echo $?", secret.display());
    let found = sandbox(&machine, &["--user=root"], &script);
    assert_eq!(found.stdout, "1\n", "{found:?} {SANDBOX}");
}
