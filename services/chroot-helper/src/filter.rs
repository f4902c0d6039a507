//! System calls that no build needs and that bugs of the kernel are often made of. All namespaces and
//! mounts stay allowed: within its limits an action may well be a sandbox itself.

use libc::{c_long, sock_filter};

use crate::error::{During, Result};
use crate::sys;

const COUNT: usize = 10;

/// Keys, which no namespace separates, programs and memory faults within the kernel, its work queues,
/// counters that see other processes, and files by number instead of by path.
const DENIED: [c_long; COUNT] = [
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
];

/// The machine's own `AUDIT_ARCH_*` of seccomp(2), that of its 32-bit programs, and their numbers for
/// the same calls.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURES: (u32, u32, [c_long; COUNT]) =
    (0xc000_003e, 0x4000_0003, [286, 287, 288, 357, 374, 425, 426, 427, 336, 342]);
#[cfg(target_arch = "aarch64")]
const ARCHITECTURES: (u32, u32, [c_long; COUNT]) =
    (0xc000_00b7, 0x4000_0028, [309, 310, 311, 386, 388, 425, 426, 427, 364, 371]);

/// Offsets within `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// `__X32_SYSCALL_BIT`.
const X32: u32 = 0x4000_0000;

const ALLOW: u32 = 0x7fff_0000;
/// As from a kernel that was built without: programs have another way for that.
const NOT_THERE: u32 = 0x0005_0000 | libc::ENOSYS as u32;

/// Takes the calls from this process and all that it starts. It must have no new privileges.
pub fn install() -> Result<()> {
    let (own, narrow, numbers) = ARCHITECTURES;
    let mut program = vec![load(ARCHITECTURE), jump_unless(own, COUNT + 4)];
    program.extend(deny(&DENIED));
    program.push(jump_unless(narrow, COUNT + 4));
    program.extend(deny(&numbers));
    program.push(answer(NOT_THERE));
    sys::filter_system_calls(&program).during("seccomp", "")
}

/// Ends with an answer to any call of one architecture.
fn deny(numbers: &[c_long; COUNT]) -> Vec<sock_filter> {
    // Numbers from X32 on are the same calls once more.
    let beyond = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    let mut program = vec![load(NUMBER), instruction(beyond, COUNT + 1, 0, X32)];
    for (done, &number) in numbers.iter().enumerate() {
        // Behind the others and the permission is the refusal.
        program.push(jump_if(number as u32, COUNT - done));
    }
    program.extend([answer(ALLOW), answer(NOT_THERE)]);
    program
}

fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

fn jump_if(value: u32, over: usize) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, over, 0, value)
}

fn jump_unless(value: u32, over: usize) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, over, value)
}

fn answer(value: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value)
}

fn instruction(code: u32, if_so: usize, otherwise: usize, value: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: if_so as u8, jf: otherwise as u8, k: value }
}
