//! The memory of this process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory that is never given back: this process is short, and a C library's allocator asks the kernel
/// a dozen times where one static area does.
struct Arena {
    area: UnsafeCell<MaybeUninit<[u8; ARENA]>>,
    used: AtomicUsize,
}

/// Enough for everything but an unusual command line; what exceeds it goes to the C library.
const ARENA: usize = 1 << 20;

#[global_allocator]
static ALLOCATOR: Arena =
    Arena { area: UnsafeCell::new(MaybeUninit::uninit()), used: AtomicUsize::new(0) };

// SAFETY: `used` is atomic, and every part of the area is handed out once.
unsafe impl Sync for Arena {}

// SAFETY: blocks are aligned, do not overlap, and live for ever, or are the system allocator's.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let area = self.area.get().cast::<u8>();
        let wanted = layout.size() + layout.align();
        let used = self.used.fetch_add(wanted, Ordering::Relaxed);
        if used.saturating_add(wanted) > ARENA {
            self.used.fetch_sub(wanted, Ordering::Relaxed);
            // SAFETY: the caller's promises are the system allocator's.
            return unsafe { System.alloc(layout) };
        }
        // SAFETY: the block and its padding lie within the area.
        unsafe {
            let start = area.add(used);
            start.add(start.align_offset(layout.align()))
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let area = self.area.get() as usize;
        if !(area..area + ARENA).contains(&(block as usize)) {
            // SAFETY: it is not of the area, so the system allocator gave it.
            unsafe { System.dealloc(block, layout) }
        }
    }
}
