//! The binary `cordboard`.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    give_back_soon();
    cordboard::cli::main()
}

/// What is let go of goes back to the system after 10 ms. mimalloc's own second is too long: by then all is quiet, nobody
/// looks again, and what only the start needed, some 20 MiB, stays for good.
#[allow(unsafe_code, reason = "mimalloc's options have no other face")]
fn give_back_soon() {
    use std::ffi::{c_int, c_long};
    /// `mi_option_purge_delay` in mimalloc 2 and 3.
    const PURGE_DELAY: c_int = 15;
    unsafe extern "C" {
        fn mi_option_set(option: c_int, value: c_long);
    }
    // SAFETY: this is mimalloc's own declaration of it, and all it does is to keep the number.
    unsafe { mi_option_set(PURGE_DELAY, 10) };
}
