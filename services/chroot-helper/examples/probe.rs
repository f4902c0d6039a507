//! What an action of the tests does that no shell can. Static, so that it runs in any root.

use std::io::{Read, Write};
use std::process::exit;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("descriptors") => descriptors(),
        Some("type-into-terminal") => type_into_terminal(),
        Some("make-device") => report(mknod("device")),
        Some("escape-chroot") => escape_chroot(),
        Some("nest") => report(unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS)),
        Some("nest-and-unmount") => nest_and_unmount(&arguments[2]),
        Some("find-key") => find_key(&arguments[2]),
        Some("orphans") => orphans(arguments[2].parse().unwrap_or(0)),
        Some("bomb") => bomb(),
        Some("capabilities-of-file") => report(set_file_capability(&arguments[2])),
        Some("loopback") => loopback(),
        Some("rare-calls") => rare_calls(),
        Some("narrow-call") => narrow_call(),
        Some("who") => who(),
        Some("die") => die(arguments[2].parse().unwrap_or(0)),
        Some("echo") => arguments.iter().skip(2).for_each(|a| print!("[{a}]")),
        _ => exit(64),
    }
}

/// Prints the descriptors that were inherited, but for the one that lists them.
fn descriptors() {
    // SAFETY: asks for a flag of a number.
    let open = (0..4096).filter(|&fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0);
    println!("{:?}", open.collect::<Vec<i32>>());
}

fn report(result: i32) {
    let error = std::io::Error::last_os_error();
    println!("{}", if result < 0 { error.to_string() } else { "permitted".to_owned() });
}

fn type_into_terminal() {
    // SAFETY: reads one byte of a literal.
    report(unsafe { libc::ioctl(0, libc::TIOCSTI as _, c"x".as_ptr()) });
}

fn mknod(name: &str) -> i32 {
    let name = std::ffi::CString::new(name).unwrap_or_default();
    // SAFETY: the name is terminated.
    unsafe { libc::mknod(name.as_ptr(), libc::S_IFCHR | 0o666, libc::makedev(1, 3)) }
}

fn unshare(flags: i32) -> i32 {
    // SAFETY: takes no pointers.
    unsafe { libc::unshare(flags) }
}

fn escape_chroot() {
    // SAFETY: paths are literals.
    report(unsafe { libc::chroot(c"/tmp".as_ptr()) });
}

/// As root of namespaces of its own: take away what the sandbox mounted, or make it writable.
fn nest_and_unmount(target: &str) {
    if unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) < 0 {
        return report(-1);
    }
    let target = std::ffi::CString::new(target).unwrap_or_default();
    // SAFETY: the path is terminated; null pointers are allowed where they are given.
    unsafe {
        report(libc::umount2(target.as_ptr(), libc::MNT_DETACH));
        let flags = libc::MS_REMOUNT | libc::MS_BIND;
        report(libc::mount(
            std::ptr::null(),
            target.as_ptr(),
            std::ptr::null(),
            flags,
            std::ptr::null(),
        ));
    }
}

/// Looks for a key in the session keyring, which every process inherits.
fn find_key(name: &str) {
    let name = std::ffi::CString::new(name).unwrap_or_default();
    let (search, session) = (10_i64, -3_i64);
    // SAFETY: strings are terminated; the last argument asks for no link to be made.
    report(unsafe {
        libc::syscall(libc::SYS_keyctl, search, session, c"user".as_ptr(), name.as_ptr(), 0_i64)
    } as i32);
}

/// Leaves children behind that leave children behind, which end, or sleep in sessions of their own.
fn orphans(count: u32) {
    for number in 0..count {
        // SAFETY: this process has one thread.
        if unsafe { libc::fork() } == 0 {
            // SAFETY: as above, and the rest takes no pointers.
            unsafe {
                libc::setsid();
                if libc::fork() == 0 && number % 10 == 0 {
                    libc::sleep(1000);
                }
                libc::_exit(0);
            }
        }
    }
}

/// Forks until it is refused; says how often it was not.
fn bomb() {
    let mut made = 0;
    loop {
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            0 => loop {
                // SAFETY: takes no pointers.
                unsafe { libc::pause() };
            },
            -1 => break,
            _ => made += 1,
        }
        if made > 100_000 {
            break;
        }
    }
    println!("{made}");
}

fn set_file_capability(path: &str) -> i32 {
    let path = std::ffi::CString::new(path).unwrap_or_default();
    let value = [
        1, 0, 0, 2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255_u8,
    ];
    let name = c"security.capability".as_ptr();
    // SAFETY: strings are terminated and the value is as long as it is said to be.
    unsafe { libc::setxattr(path.as_ptr(), name, value.as_ptr().cast(), value.len(), 0) }
}

/// Sends a line to itself over a port that the machine's other users may have taken.
fn loopback() {
    let listener = std::net::TcpListener::bind("127.0.0.1:4000").unwrap();
    let mut stream = std::net::TcpStream::connect("127.0.0.1:4000").unwrap();
    stream.write_all(b"hi").unwrap();
    let mut received = [0; 2];
    listener.accept().unwrap().0.read_exact(&mut received).unwrap();
    println!("{}", String::from_utf8_lossy(&received));
}

/// Calls what kernels have had bugs in, with arguments that none of them accepts.
fn rare_calls() {
    for call in [
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
        libc::SYS_bpf,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_perf_event_open,
        libc::SYS_open_by_handle_at,
    ] {
        // SAFETY: null pointers and descriptors that are not open.
        report(unsafe { libc::syscall(call, 0, 0, -1, 0, 0) } as i32);
    }
}

/// The same as a 32-bit program would, whose calls have other numbers: keyctl().
fn narrow_call() {
    #[cfg(target_arch = "x86_64")]
    {
        let mut result = 288_i32;
        // SAFETY: a call without pointers, that keeps all other registers.
        unsafe {
            std::arch::asm!("int 0x80", inout("eax") result, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
        };
        println!("{result}");
    }
    #[cfg(not(target_arch = "x86_64"))]
    println!("-38");
}

/// Prints whom this program runs as and what it may do.
fn who() {
    // SAFETY: takes no arguments.
    println!("{}", unsafe { libc::geteuid() });
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("CapEff")).for_each(|line| println!("{line}"));
}

/// Dies of a signal, which the runtime or a runner may have set to be ignored.
fn die(signal: i32) {
    // SAFETY: the default action installs no handler.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}
