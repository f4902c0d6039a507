//! An image that is merged into the input root: over build directories whose files are links into a
//! worker's cache, and over those that a server makes up.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{Case, EXEC_ROOT, Machine, Mode, SANDBOX, Start, cases, outcome, prints, starts};

fn inline(start: Start) -> Machine {
    Machine::new(Case { start, mode: Mode::Inline })
}

/// What a cache must find again: content, mode, owner and time of a file.
#[derive(Debug, PartialEq)]
struct Cached {
    path: PathBuf,
    content: Vec<u8>,
    numbers: [i64; 5],
}

fn cached(path: &Path) -> Cached {
    let (content, meta) = (fs::read(path).unwrap(), fs::metadata(path).unwrap());
    let (uid, gid, mode) = (meta.uid().into(), meta.gid().into(), meta.mode().into());
    let numbers = [uid, gid, mode, meta.mtime(), meta.mtime_nsec()];
    Cached { path: path.to_owned(), content, numbers }
}

/// Makes every file beneath a directory a link into the cache, whose files are `owner`'s.
fn link_to_cache(machine: &Machine, directory: &Path, owner: u32) -> Vec<PathBuf> {
    let cache = machine.directory.join("cache");
    fs::create_dir_all(&cache).unwrap();
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            files.extend(link_to_cache(machine, &path, owner));
        } else if kind.is_file() {
            let mode = if path.starts_with(machine.root().join("bin")) { 0o555 } else { 0o444 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            chown(&path, Some(owner), Some(owner)).unwrap();
            let name =
                cache.join(format!("{owner}-{}", path.display().to_string().replace('/', "-")));
            fs::hard_link(&path, &name).unwrap();
            files.push(name);
        }
    }
    let mode = fs::Permissions::from_mode(0o777);
    fs::set_permissions(directory, mode).unwrap();
    chown(directory, Some(machine.runner()), Some(machine.runner())).unwrap();
    files
}

#[test]
fn a_cached_file_is_never_changed_whatever_the_action_does() {
    if !starts().contains(&Start::Root) {
        return;
    }
    for (start, owner) in
        [(Start::Root, 4242), (Start::Root, 0), (Start::User, 4242), (Start::User, 0)]
    {
        let machine = inline(start);
        fs::write(machine.root().join("usr/lib/cached"), "cached").unwrap();
        let mut files = link_to_cache(&machine, &machine.root(), owner);
        // A runner that is root beside a worker that is root owns what the worker caches, and so do
        // its actions: docs/buildbarn.md warns of it.
        if (start, owner) != (Start::Root, 0) {
            fs::write(machine.input_root().join("input"), "an input").unwrap();
            files.extend(link_to_cache(&machine, &machine.input_root(), owner));
        }
        let before: Vec<Cached> = files.iter().map(|path| cached(path)).collect();
        for user in ["--user=build", "--user=root", "--user=70"] {
            let script = "for f in /bin/probe /usr/lib/cached /etc/os-release /bazel_exec_root/input; do \
                          for c in 'chmod 777' 'chmod u+w' 'touch -d 2000-01-01' 'dd if=/bin/busybox conv=notrunc of=' \
                          'chown 0:0' 'cp /bin/busybox' 'ln /bin/busybox -f' 'mv /usr/lib/cached'; do \
                          case $c in *=) $c$f;; *) $c $f;; esac; echo more >>$f; echo less >$f; done; \
                          ln -f $f ./linked; chmod 777 ./linked; echo more >>./linked; rm -f ./linked; \
                          mv $f $f.moved; rm -rf $f.moved; done 2>/dev/null; rm -rf /usr /etc 2>/dev/null; echo done";
            assert_eq!(
                machine.shell(&[user], script),
                prints("done\n"),
                "{start:?} {owner} {user}"
            );
            let after: Vec<Cached> = files.iter().map(|path| cached(path)).collect();
            assert_eq!(after, before, "{start:?} {owner} {user}");
        }
        // Nor is the input root poorer by what the action took away.
        assert_eq!(fs::read(machine.root().join("usr/lib/cached")).unwrap(), b"cached");
    }
}

#[test]
fn an_image_of_a_third_owner_is_there_to_be_read() {
    if !starts().contains(&Start::Root) {
        return;
    }
    for start in starts() {
        let machine = inline(start);
        let runner = machine.runner();
        support::own(&machine.whole_input_root(), 4242);
        for name in ["", "sub"] {
            chown(machine.input_root().join(name), Some(runner), Some(runner)).unwrap();
        }
        let script = "cat /etc/os-release; touch ~/x /tmp/x out; \
                      echo x 2>/dev/null >>/etc/os-release || echo kept";
        assert_eq!(machine.shell(&[], script), prints("NAME=image\nkept\n"), "{start:?}");
        assert_eq!(fs::metadata(machine.input_root().join("out")).unwrap().uid(), runner);
    }
}

#[test]
fn the_merged_input_root_is_found_above_the_working_directory() {
    for start in starts() {
        let machine = inline(start);
        let flags = ["--working-directory=sub", "--make-directory=../made"];
        let mut command = machine.command(&flags, &["sh", "-c", "pwd; ls -d ../made; touch out"]);
        let here = machine.input_root().join("sub");
        let found = outcome(command.current_dir(here).output().unwrap());
        assert_eq!(found, prints("/bazel_exec_root/sub\n../made\n"), "{start:?}");
        assert!(machine.input_root().join("sub/out").exists(), "{start:?}");
        assert!(machine.input_root().join("made").is_dir(), "{start:?}");
    }
}

#[test]
fn neither_store_nor_socket_is_needed() {
    for start in starts() {
        let machine = inline(start);
        let config = machine.directory.join("bare.toml");
        let build = machine.directory.join("build");
        fs::write(&config, format!("build_directory = \"{}\"\n", build.display())).unwrap();
        fs::remove_dir_all(machine.directory.join("store")).unwrap();
        let mut command = machine.helper();
        command.arg(format!("--config={}", config.display()));
        command.args([&*format!("--image=cas://{}/142", support::HEX), "--inline=bazel_exec_root"]);
        command.args(["--network=none", "--", "cat", "/etc/os-release"]);
        assert_eq!(outcome(command.output().unwrap()), prints("NAME=image\n"), "{start:?}");
    }
}

#[test]
fn a_link_in_place_of_the_action_s_directory_is_not_followed() {
    for start in starts() {
        let machine = inline(start);
        let victim = machine.directory.join("build/victim");
        let whole = machine.directory.join("build/second/root");
        fs::create_dir_all(victim.join("sub")).unwrap();
        fs::create_dir_all(&whole).unwrap();
        symlink(&victim, whole.join(EXEC_ROOT)).unwrap();
        machine.settle();
        let mut command = machine.command(&["--working-directory=sub"], &["touch", "x"]);
        let found =
            outcome(command.current_dir(whole.join(EXEC_ROOT).join("sub")).output().unwrap());
        assert_eq!(found.status, 125, "{start:?} {found:?}");
        assert!(!victim.join("sub/x").exists(), "{start:?}");
    }
}

/// A build directory whose files come from a server, as Buildbarn's virtual ones do.
struct Fuse {
    server: Child,
    place: PathBuf,
}

impl Fuse {
    /// Shows the machine's build directory through bindfs, all of it the runner's; `None` where this
    /// machine cannot, and the reason is printed.
    fn over(machine: &Machine) -> Option<Fuse> {
        if Command::new("bindfs").arg("--version").stdout(Stdio::null()).status().is_err() {
            println!("no build directory that is virtual: bindfs is not installed");
            return None;
        }
        let place = machine.directory.join("build");
        let mut command = Command::new("bindfs");
        let runner = machine.runner();
        command.arg("-f").arg(format!("--force-user={runner}"));
        command.arg(format!("--force-group={runner}"));
        // Buildbarn's server lets everybody write to directories, whoever is said to own them.
        command
            .args(["--perms=ug+rwX,o+rwX", "-o", "nonempty,allow_other"])
            .arg(&place)
            .arg(&place);
        let fuse = Fuse { server: command.stdin(Stdio::null()).spawn().unwrap(), place };
        let deadline = Instant::now() + Duration::from_secs(10);
        let mounted = || {
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
            mounts.contains(&fuse.place.display().to_string())
        };
        while !mounted() {
            assert!(Instant::now() < deadline, "bindfs has not mounted");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(fuse)
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_build_directory_that_a_server_makes_up_serves_in_every_mode() {
    if !starts().contains(&Start::Root) {
        return;
    }
    for case in cases() {
        for on_disk in [false, true] {
            let mut machine = Machine::new(case);
            if on_disk {
                let upper = machine.directory.join("upper");
                fs::create_dir(&upper).unwrap();
                let owner = if case.start == Start::Root { SANDBOX } else { machine.runner() };
                support::own(&upper, owner);
                machine.config = format!("upper = \"{}\"", upper.display());
            }
            fs::write(machine.input_root().join("input"), "from the server\n").unwrap();
            fs::write(machine.root().join("etc/report"), "of the image\n").unwrap();
            machine.settle();
            let Some(fuse) = Fuse::over(&machine) else { return };
            let before = machine.image();
            let script = "cat input /etc/os-release; grep -c ' / / .* - overlay ' /proc/self/mountinfo; echo out >out; mkdir -p made/deep; \
                          touch /tmp/x ~/x; rm -rf /usr 2>/dev/null; echo done";
            let flags = [
                "--stdin=input",
                "--place=input:/placed",
                "--collect=/got/:collected/got",
                "--collect=/etc/report:collected/report",
            ];
            let found =
                machine.shell(&flags, &format!("cat /placed; cp /dev/fd/0 /got/x; {script}"));
            let text = "from the server\nfrom the server\nNAME=image\n1\ndone\n";
            assert_eq!(found, prints(text), "{case:?} {on_disk}");
            assert_eq!(fs::read_to_string(machine.input_root().join("out")).unwrap(), "out\n");
            assert!(machine.input_root().join("made/deep").is_dir(), "{case:?}");
            let collected = machine.input_root().join("collected/got/x");
            assert_eq!(fs::read(collected).unwrap(), b"from the server\n", "{case:?}");
            let report = machine.input_root().join("collected/report");
            assert_eq!(fs::read(report).unwrap(), b"", "{case:?} {on_disk}");
            assert_eq!(machine.image(), before, "{case:?} {on_disk}");
            drop(fuse);
        }
    }
}
