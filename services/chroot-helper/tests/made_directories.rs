//! Directories that old clients expect to find: made as the action, within its input root alone.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use support::{Machine, Outcome, cases, prints};

fn refuses(stderr: &str) -> Outcome {
    let stderr = format!("berth-exec: {stderr} (see berth-exec --help)\n");
    Outcome { status: 125, stdout: String::new(), stderr }
}

#[test]
fn directories_are_there_before_the_program_and_belong_to_the_runner() {
    for case in cases() {
        let machine = Machine::new(case);
        fs::create_dir(machine.input_root().join("sub/there")).unwrap();
        machine.settle();
        let flags = [
            "--working-directory=sub",
            "--make-directory=there",
            "--make-directory=out/tree",
            "--make-directory=../beside",
        ];
        let script = "echo x >out/tree/f; ls -F; ls -F ..";
        let mut command = machine.command(&flags, &["sh", "-c", script]);
        command.current_dir(machine.input_root().join("sub"));
        let found = support::outcome(command.output().unwrap());
        assert_eq!(found, prints("out/\nthere/\nbeside/\nsub/\n"), "{case:?}");
        for name in ["sub/out", "sub/out/tree", "sub/out/tree/f", "beside"] {
            let meta = fs::metadata(machine.input_root().join(name)).unwrap();
            assert_eq!(meta.uid(), machine.runner(), "{case:?} {name}");
        }
    }
}

#[test]
fn directories_are_never_made_outside_the_input_root() {
    for case in cases() {
        let machine = Machine::new(case);
        let victim = machine.directory.join("victim");
        // A worker may be more open than its actions' sandbox.
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o777)).unwrap();
        symlink(&victim, machine.input_root().join("absolute")).unwrap();
        symlink("../../../victim", machine.input_root().join("relative")).unwrap();
        fs::write(machine.input_root().join("file"), "").unwrap();
        for (path, prefix, reason) in [
            ("absolute/x", "absolute", "File exists"),
            ("relative/x", "relative", "File exists"),
            ("file/x", "file", "Not a directory"),
        ] {
            let flag = format!("--make-directory={path}");
            let found = machine.run(&[&flag], &["echo", "ran"]);
            let text = format!("the directory {path:?} cannot be made: {prefix:?}: {reason}");
            assert_eq!(found, refuses(&text), "{case:?}");
        }
        for path in ["/tmp/x", "..", "x/../../y"] {
            let flag = format!("--make-directory={path}");
            let found = machine.run(&[&flag], &["echo", "ran"]);
            let text = "--make-directory must be relative and stay within the input root";
            let text = format!("{text}: current value is {path:?}");
            assert_eq!(found, refuses(&text), "{case:?}");
        }
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0, "{case:?}");
    }
}
