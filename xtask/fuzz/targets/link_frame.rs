#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tangelo::fuzz_link(bytes));
