//! What a program needs that std would have brought: memory, a way to say something, and an end.

use alloc::format;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};

#[link(name = "c")]
unsafe extern "C" {
    fn write(descriptor: i32, bytes: *const u8, count: usize) -> isize;
    safe fn _exit(code: i32) -> !;
}

/// The memory that there is, in bytes.
const SIZE: usize = 16 << 20;

/// Hands memory out and takes none back: the program is short.
struct Arena {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

// SAFETY: `used` gives each byte of `memory` out once, whoever asks.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena { memory: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) };

// SAFETY: what `alloc` gives out lies within `memory`, is aligned, and is nobody else's for good.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.memory.get().cast::<u8>();
        let start = |used: usize| {
            let address = base.addr().checked_add(used)?.checked_next_multiple_of(layout.align())?;
            Some(address - base.addr())
        };
        let end = |used| start(used)?.checked_add(layout.size()).filter(|&end| end <= SIZE);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, end) {
            Ok(used) => base.wrapping_add(start(used).unwrap_or(SIZE)),
            Err(_) => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// How much memory was given out so far, in KiB.
pub(crate) fn used_kib() -> usize {
    ARENA.used.load(Ordering::Relaxed) / 1024
}

/// Writes a line to the standard output; false if it cannot.
pub(crate) fn say(line: &str) -> bool {
    write_all(1, format!("{line}\n").as_bytes())
}

fn write_all(descriptor: i32, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are those of a slice.
        let written = unsafe { write(descriptor, bytes.as_ptr(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written @ 1..) => bytes = &bytes[written..],
            _ => return false,
        }
    }
    true
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    write_all(2, format!("{info}\n").as_bytes());
    _exit(101)
}

/// The prebuilt alloc refers to it, though nothing ever unwinds.
// SAFETY: no other symbol bears this name, as long as std is not there.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// The same.
// SAFETY: as above; and it is never called.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    _exit(102)
}
