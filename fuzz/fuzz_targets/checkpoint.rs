#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kds_tests::fuzz::checkpoint(bytes));
